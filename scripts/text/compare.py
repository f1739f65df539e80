"""The worker's GPT-2 beside plain PyTorch and transformers, bit for bit, in the environment that runs this.

    python scripts/text/compare.py [--shape small|tiny|gpt2|...] [--prompts N] [--tokens N] [--threads N]
                                   [--seed N] [--mutant gelu|sdpa|head|scores] [--without-transformers]
                                   [--reference 0|1|2]

The reference is that of this torch, or the one of ``reference.py`` that belongs to other transformers.

Weights are untrained ones of the seed; of the shapes small (4 layers of 256, 4 heads, 4,096 tokens) and tiny
(192, 6 heads, 3,072 tokens) every value is drawn, biases and norms as well. Prompts have 1 to 200 tokens, as
many as fit. Each is inspected, and continued with a cache: greedily and by four ways of sampling.
The answer is how many values of each stage differ; exit code 1 where one does. A mutant is the worker's
network with one thing changed, which must be seen; scores, and before torch 2 sdpa, only in the shape tiny.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import torch
import torch.nn.functional as F
from torch import Tensor

import plain_gpt2
import reference_text
import transformers_gpt2
from isotorch_worker.checkpoints.checkpoint import read_checkpoint
from isotorch_worker.tasks.text_generation import gpt2
from isotorch_worker.tasks.text_generation.config import Config, read_config
from isotorch_worker.tasks.text_generation.generation import Stream, Wanted
from isotorch_worker.tasks.text_generation.inspection import stages
from isotorch_worker.tasks.text_generation.reference import REFERENCES, Reference, reference_for
from isotorch_worker.tasks.text_generation.sampling import Sampling
from isotorch_worker.tasks.text_generation.untrained import make_untrained
from isotorch_worker.tasks.text_generation.weights import fill

MODELS = Path(__file__).resolve().parents[2] / "models" / "gpt2"
ALL = ("embeddings", "attention", "hidden", "norm", "logits")
# Heads of 64, as in all of OpenAI's sizes, and of 32.
SHAPES = {
    "small": Config(4, 4, 256, 256, 4096, 1024, 1e-5),
    "tiny": Config(4, 6, 192, 128, 3072, 768, 1e-5),
}
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0.0},
    "warm": {"temperature": 0.8, "topK": 40, "seed": 7},
    "nucleus": {"temperature": 1.0, "topP": 0.9, "repetitionPenalty": 1.3, "seed": 3},
    "steered": {"temperature": 0.9, "bias": [[6, -100.0], [7, 8.0]], "stopIds": [7], "seed": 1},
    "hot": {"temperature": 1.5, "topK": 400, "topP": 0.95, "minP": 0.05, "seed": 2**32 - 1},
}


class Worker:
    """The worker's network, asked as the references are."""

    def __init__(self, checkpoint: Path, config: Config, reference: Reference) -> None:
        contents, _ = read_checkpoint(checkpoint, None)
        self.network, _, _ = fill(contents, config, reference)

    def inspect(self, ids: list[int]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for layer, stage in enumerate(stages(self.network, ids, ALL)):
            inner = "hidden" in stage
            found.update({f"{name}.{layer - 1}" if inner else name: value for name, value in stage.items()})
        return found

    def generate(self, ids: list[int], how: dict[str, Any]) -> tuple[list[int], list[Tensor]]:
        sampling = Sampling(
            how["temperature"],
            how["topK"],
            how["topP"],
            how["minP"],
            how["repetitionPenalty"],
            dict(how["bias"]),
            how["seed"],
        )
        stream = Stream(self.network, Wanted(ids, how["maxTokens"], sampling, how["stopIds"]))
        logits: list[Tensor] = []
        while stream.finish_reason is None:
            logits.append(stream.step().logits[0])
        return stream.tokens, logits


def change(mutant: str, reference: Reference) -> Reference:
    """The reference to compute by, with one thing wrong."""
    if mutant == "gelu":
        gpt2.gelu_new = lambda given: F.gelu(given, approximate="tanh")
    elif mutant == "sdpa":
        gpt2.Attention.forward = _fused
    elif mutant == "head":
        return reference._replace(head="all" if reference.head == "last" else "last")
    elif mutant == "scores":
        return reference._replace(scale="multiply" if reference.scale == "divide" else "divide")
    return reference


def _fused(self: Any, given: Tensor, cache: gpt2.Cache, seen: list[Tensor] | None = None) -> Tensor:
    query, key, value = map(self._by_head, self.c_attn(given).split(given.size(-1), dim=2))
    key, value = cache.grow(self._layer, key, value)
    if seen is not None:
        seen.append(F.softmax(self._masked(self._scores(query, key)), dim=-1))
    causal = query.size(-2) > 1
    if hasattr(F, "scaled_dot_product_attention"):
        joined = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
    else:
        # Before torch 2.0 there is none. In its place the scale goes into the query, as sdpa does it: the
        # same bits where a head has 16 or 64 values, so that it is to be seen with the shape tiny.
        weights = F.softmax(self._masked((query / math.sqrt(query.size(-1))) @ key.transpose(-1, -2)), dim=-1)
        joined = weights @ value
    return self.c_proj(joined.permute(0, 2, 1, 3).contiguous().view(given.shape))


def write(folder: Path, config: Config, seed: int, is_drawn: bool) -> tuple[Path, Path]:
    """The checkpoint and the config.json of a network."""
    checkpoint, about = folder / "model.safetensors", folder / "config.json"
    make_untrained(checkpoint, seed, config)
    if is_drawn:
        draw(checkpoint, seed)
    fields = {
        "model_type": "gpt2",
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_embd": config.width,
        "n_positions": config.positions,
        "vocab_size": config.vocabulary,
        "activation_function": "gelu_new",
    }
    about.write_text(json.dumps(fields), "utf-8")
    return checkpoint, about


def draw(checkpoint: Path, seed: int) -> None:
    """Draw every value of the file anew, wider than a training begins: then no bias is 0 and no norm 1."""
    data = bytearray(checkpoint.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    count = (len(data) - start) // 4
    noise = 0.15 * torch.randn(count, generator=torch.Generator().manual_seed(seed))
    header = json.loads(data[8:start])
    for name, about in header.items():
        if ".ln_" in name and name.endswith("weight"):
            begin, end = (place // 4 for place in about["data_offsets"])
            noise[begin:end] += 1
    data[start:] = noise.numpy().astype("<f4").tobytes()
    checkpoint.write_bytes(data)


def prompts(config: Config, count: int, new: int, seed: int) -> list[list[int]]:
    """Of every length from 1 to 200 that fits, the shortest and the longest first."""
    dice = random.Random(seed)  # noqa: S311
    most = min(200, config.positions - new)
    lengths = [1, most, 2, 3, 7, 16][:count]
    lengths += [dice.randint(1, most) for _ in range(count - len(lengths))]
    return [[dice.randrange(config.vocabulary) for _ in range(length)] for length in lengths]


class Tally:
    """How many values were compared, and how many differ, by stage."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = {}

    def add(self, stage: str, ours: Tensor, theirs: Tensor) -> None:
        if ours.shape != theirs.shape:
            raise ValueError(f"{stage}: {list(ours.shape)} beside {list(theirs.shape)}")
        found = self.of.setdefault(stage, [0, 0, 0.0])
        # As bits: -0 and 0 are two values.
        same = ours.contiguous().numpy().tobytes() == theirs.contiguous().numpy().tobytes()
        found[0] += ours.numel()
        if not same:
            differs = ours != theirs
            found[1] += max(int(differs.sum()), 1)
            found[2] = max(found[2], float((ours - theirs).abs().max()))

    def told(self) -> list[str]:
        return [
            f"  {stage:20} {int(wrong):>10} of {int(count)} differ{f', {most:.1e} at most' if wrong else ''}"
            for stage, (count, wrong, most) in self.of.items()
        ]

    @property
    def wrong(self) -> int:
        return int(sum(wrong for _, wrong, _ in self.of.values()))


def compare(worker: Worker, other: Any, asked: list[list[int]], new: int) -> Tally:
    """What ``other`` cannot do (older versions have no bias and no min-p) is not asked of either."""
    lacks = {name: reference_text.DEFAULTS[name] for name in getattr(other, "lacks", ())}
    tally = Tally()
    for ids in asked:
        theirs = other.inspect(ids)
        for name, ours in worker.inspect(ids).items():
            tally.add(name.partition(".")[0], ours, theirs[name])
        for way, options in WAYS.items():
            how = {**reference_text.DEFAULTS, **options, **lacks, "maxTokens": new}
            tokens, logits = worker.generate(ids, how)
            their_tokens, their_logits = other.generate(ids, how)
            tally.add(f"{way}: ids", torch.tensor(tokens), torch.tensor(their_tokens))
            tally.add(f"{way}: logits", torch.stack(logits), torch.stack(their_logits))
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="small")
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutant", choices=["gelu", "sdpa", "head", "scores"])
    parser.add_argument("--without-transformers", action="store_true")
    parser.add_argument("--reference", type=int, choices=range(len(REFERENCES)))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(args.threads)
    config = SHAPES.get(args.shape) or read_config((MODELS / f"{args.shape}.config.json").read_bytes())[0]
    own = reference_for(torch.__version__)
    reference = own if args.reference is None else REFERENCES[args.reference]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, about = write(Path(folder), config, args.seed, args.shape in SHAPES)
        given = argparse.Namespace(
            checkpoint=str(checkpoint),
            config=str(about),
            sha256=None,
            head=reference.head,
            scores=reference.scale,
        )
        others: dict[str, Any] = {"plain": plain_gpt2.PlainGpt2(given)}
        if not args.without_transformers:
            others["transformers"] = transformers_gpt2.TransformersGpt2(given)
        worker = Worker(checkpoint, config, change(args.mutant or "", reference))
    asked = prompts(config, args.prompts, args.tokens, args.seed)
    lengths = sorted(map(len, asked))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; {reference}")
    print(f"{args.shape}: {config}")
    print(f"{len(asked)} prompts of {lengths[0]} to {lengths[-1]} tokens, {args.tokens} new ones each")
    wrong = 0
    for name, other in others.items():
        tally = compare(worker, other, asked, args.tokens)
        mutant = f", mutant {args.mutant}" if args.mutant else ""
        print(f"{name} {other.about}{mutant}: {tally.wrong} differ", *tally.told(), sep="\n", flush=True)
        wrong += tally.wrong
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
