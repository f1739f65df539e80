"""Let a network that ``train.py`` has saved go on with a text, token by token.

    python3 sample.py FOLDER PROMPT.npy [--tokens N] [--temperature T] [--seed N]

Both ends are token ids: PROMPT.npy comes from ``isotorch tokenizer encode --out``, and what is printed goes
to ``isotorch tokenizer decode``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from model import GPT2, load


def main() -> None:
    """Print the ids of the prompt and of what follows it."""
    parser = argparse.ArgumentParser(description="Go on with a text.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("prompt", type=Path)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--temperature", type=float, default=1.0, help="0 always takes the likeliest token")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)

    config = json.loads((args.folder / "config.json").read_text("utf-8"))
    network = load(args.folder / "model.safetensors", config)
    ids = go_on(network, np.load(args.prompt).tolist(), args.tokens, args.temperature, args.seed)
    print(*ids)


@torch.no_grad()
def go_on(network: GPT2, ids: list[int], count: int, temperature: float, seed: int) -> list[int]:
    """The ids, and ``count`` more. The whole text goes through the network for each: simple, not fast."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        seen = torch.tensor([ids[-network.context :]])
        scores = network(seen)[0, -1]
        if temperature == 0:
            chosen = scores.argmax()
        else:
            shares = (scores / temperature).softmax(dim=-1)
            chosen = torch.multinomial(shares, 1, generator=generator)
        ids = [*ids, int(chosen)]
    return ids


if __name__ == "__main__":
    main()
