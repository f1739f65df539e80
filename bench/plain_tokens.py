"""The rival of bench/tokens.mjs: texts by plain PyTorch, or by transformers where it is there.

A line of JSON asks for a text, a line of JSON answers: milliseconds to its first token and to its last,
and its ids.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import torch


class Clock:
    """Hears of each token; transformers calls it a streamer."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.ids: list[int] = []

    def put(self, ids: torch.Tensor) -> None:
        self.times.append(time.perf_counter())
        self.ids.extend(int(token) for token in ids.flatten())

    def end(self) -> None:
        pass


def with_transformers(args: argparse.Namespace) -> Any:
    from transformers_gpt2 import TransformersGpt2

    model = TransformersGpt2(args).model

    def answer(prompt: list[int], tokens: int) -> dict[str, Any]:
        clock = Clock()
        with torch.inference_mode():
            model.generate(
                torch.tensor([prompt]),
                max_new_tokens=tokens,
                do_sample=False,
                use_cache=True,
                pad_token_id=0,
                eos_token_id=None,
                streamer=clock,
            )
        # The prompt comes first.
        begun, first, last = clock.times[0], clock.times[1], clock.times[-1]
        return {
            "first": 1000 * (first - begun),
            "last": 1000 * (last - begun),
            "ids": clock.ids[len(prompt) :],
        }

    return answer


def with_plain(args: argparse.Namespace) -> Any:
    from plain_gpt2 import PlainGpt2

    network = PlainGpt2(args)

    def answer(prompt: list[int], tokens: int) -> dict[str, Any]:
        past: Any = []
        begun = time.perf_counter()
        ids, given, times = [], prompt, []
        with torch.inference_mode():
            for _ in range(tokens):
                rows = network.run(given, past)["norm"]
                logits = network.logits(rows if network.head == "all" else rows[:, -1:])[:, -1]
                ids.append(int(torch.argmax(logits)))
                times.append(time.perf_counter())
                given = ids[-1:]
        return {
            "first": 1000 * (times[0] - begun),
            "last": 1000 * (times[-1] - begun),
            "ids": ids,
        }

    return answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--reference", choices=("plain", "transformers"), default="plain")
    parser.set_defaults(sha256=None, head=None, scores=None)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    answer = (with_transformers if args.reference == "transformers" else with_plain)(args)
    print(
        json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}),
        flush=True,
    )
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(answer(asked["prompt"], asked["tokens"])), flush=True)


if __name__ == "__main__":
    main()
