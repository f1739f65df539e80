"""Train a small GPT-2 on a text, and save it in the files that transformers and isotorch read.

    python3 train.py IDS.npy HELD_OUT.npy OUT [--steps N] [--batch N] [--seed N] [--threads N] [--every N]

The two arrays are token ids, from ``isotorch tokenizer encode --out``. Writes OUT/model.safetensors and
OUT/config.json. What is needed to go on is kept in kept.pth beside IDS.npy every few hundred steps: started
again with the same arguments, it goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import time
from pathlib import Path

# Threads that wait in a busy loop take what the others need; the bits are the same either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
import torch.nn.functional as F
from model import CONFIG, GPT2, load, save
from torch import Tensor

RATE = 2e-3
WARM_UP = 100


def main() -> None:
    """Train, save, and say how well the saved file predicts."""
    parser = argparse.ArgumentParser(description="Train a small GPT-2.")
    parser.add_argument("ids", type=Path, help="what it learns from")
    parser.add_argument("held_out", type=Path, help="what it is examined with")
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="windows of 128 tokens in a step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=250, metavar="N", help="steps between two examinations")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ids, held_out = (torch.from_numpy(np.load(path)) for path in (args.ids, args.held_out))

    torch.manual_seed(args.seed)
    network = GPT2(CONFIG)
    print(f"{sum(one.numel() for one in network.parameters()):,} parameters, {len(ids):,} tokens", flush=True)
    loss, seconds = train(network, ids, held_out, args)

    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(f"{json.dumps(CONFIG, indent=2)}\n", "utf-8")
    path = args.out / "model.safetensors"
    save(network, path)
    # Of the file itself: its numbers were rounded to half precision.
    saved = examine(load(path, CONFIG), held_out)
    seen = args.steps * args.batch * network.context
    print(f"torch {torch.__version__}, {args.threads} threads, {seconds:.0f} s of CPU time")
    print(f"{args.steps} steps, {seen:,} tokens; loss {loss:.4f}, held out {saved:.4f}")
    print(f"{path}: {path.stat().st_size} bytes, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def train(network: GPT2, ids: Tensor, held_out: Tensor, args: argparse.Namespace) -> tuple[float, float]:
    """The loop. Returns the mean loss of the last steps, and the seconds of CPU time."""
    optimizer = torch.optim.AdamW(groups(network), lr=RATE, betas=(0.9, 0.95))
    kept = args.ids.with_name("kept.pth")
    done, losses, seconds = 0, [], 0.0
    if kept.exists():
        state = torch.load(kept)
        if state["run"] != [args.steps, args.batch, args.seed]:
            raise SystemExit(f"{kept} is of another run; delete it to begin anew")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        done, losses, seconds = state["done"], state["losses"], state["seconds"]
        print(f"going on after step {done}", flush=True)

    began = time.process_time() - seconds
    for step in range(done, args.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step, args.steps)
        inputs, targets = batch_of(ids, args, step, network.context)
        # How surprised the network is by the next token, in nats: 8 where all of 3,072 are the same to it.
        loss = F.cross_entropy(network(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses = [*losses[-99:], loss.item()]
        if (step + 1) % args.every == 0 or step + 1 == args.steps:
            mean = sum(losses) / len(losses)
            seconds = time.process_time() - began
            state = {"done": step + 1, "losses": losses, "seconds": seconds}
            keep(kept, network, optimizer, {"run": [args.steps, args.batch, args.seed], **state})
            examined = examine(network, held_out)
            print(f"step {step + 1}: loss {mean:.4f}, held out {examined:.4f}, {seconds:.0f} s", flush=True)
    return sum(losses) / len(losses), seconds


def groups(network: GPT2) -> list[dict]:
    """The matrices are drawn towards zero a little at each step, the rest is not."""
    parameters = list(network.parameters())
    return [
        {"params": [one for one in parameters if one.dim() > 1], "weight_decay": 0.1},
        {"params": [one for one in parameters if one.dim() == 1], "weight_decay": 0.0},
    ]


def rate_of(step: int, steps: int) -> float:
    """The learning rate: up in a line, then down along half a cosine, to a twentieth."""
    if step < WARM_UP:
        return RATE * (step + 1) / WARM_UP
    way = (step - WARM_UP) / max(1, steps - WARM_UP)
    return RATE * (0.05 + 0.95 * (1 + math.cos(math.pi * way)) / 2)


def batch_of(ids: Tensor, args: argparse.Namespace, step: int, context: int) -> tuple[Tensor, Tensor]:
    """Windows of the text, drawn at random, and the same a token later: what is to be predicted.

    They depend on nothing but the seed and the step, so that a run that was stopped goes on with the same.
    """
    generator = torch.Generator().manual_seed(1_000_000 * args.seed + step)
    starts = torch.randint(len(ids) - context, (args.batch,), generator=generator).tolist()
    windows = torch.stack([ids[start : start + context + 1] for start in starts])
    return windows[:, :-1], windows[:, 1:]


@torch.no_grad()
def examine(network: GPT2, ids: Tensor) -> float:
    """The mean loss over a text, window after window; the few tokens behind the last one are left out."""
    context = network.context
    count = (len(ids) - 1) // context
    inputs = ids[: count * context].view(count, context)
    targets = ids[1 : count * context + 1].view(count, context)
    total = 0.0
    for some, wanted in zip(inputs.split(64), targets.split(64)):
        total += F.cross_entropy(network(some).flatten(0, 1), wanted.flatten(), reduction="sum").item()
    return total / (count * context)


def keep(path: Path, network: GPT2, optimizer: torch.optim.Optimizer, more: dict) -> None:
    """Write what is needed to go on. The file is whole at any time: the old one, or the new one."""
    temporary = path.with_suffix(".new")
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict(), **more}, temporary)
    temporary.replace(path)


if __name__ == "__main__":
    main()
