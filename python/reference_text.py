"""How the two references of text generation are asked and answer: one long-lived process, a line a request.

    python plain_gpt2.py | transformers_gpt2.py --checkpoint FILE --config FILE [--sha256 HEX] [--threads N]
                                                [--head all|last] [--scores divide|multiply]
                                                [--vocabulary FILE|FOLDER]

The first line on stdout is ``{"ready": {...}}``, or ``{"fatal": {"code", "message"}}``. A request is a line
of JSON on stdin: ``{"ids": [...]}`` and, where tokens are to be generated, ``maxTokens`` and what they are
sampled by: ``temperature`` (0: always the likeliest), ``topK``, ``topP``, ``minP``, ``repetitionPenalty``,
``seed``, ``bias`` [[id, value], ...] and ``stopIds``. ``"stages": false`` leaves out what the network makes
of the ids.

The reply is a line of JSON and then the raw bytes of its ``stages``, little-endian and in their order:
``tokenEmbeddings``, ``positionEmbeddings``, ``attention.0``, ``hidden.0`` and so on, ``norm`` and ``logits``
of one pass over the ids, without a cache; then ``steps`` [n, V], the logits of each new token, and ``tokens``
[n], all of one generation with a cache, and their ``text`` in UTF-8 without the one that ended it. What fails
answers ``{"error": {"type", "message"}}``.

``{"text": "..."}`` is answered with its ``encoded`` ids, or with ``{"skipped": "why"}``. That and the texts
of generations need a vocabulary.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from reference_checkpoint import Refusal, load
from reference_tokens import NotKnown, Tokens, Vocabulary, read_vocabulary

DEFAULTS: dict[str, Any] = {
    "maxTokens": 0,
    "temperature": 1.0,
    "topK": 0,
    "topP": 1.0,
    "minP": 0.0,
    "repetitionPenalty": 1.0,
    "seed": 0,
    "bias": [],
    "stopIds": [],
    "stages": True,
}


class Generator(Protocol):
    """A network that is compared with."""

    about: dict[str, Any]

    def inspect(self, ids: list[int]) -> dict[str, Tensor]: ...

    def generate(self, ids: list[int], how: dict[str, Any]) -> tuple[list[int], list[Tensor]]: ...


def read_arguments(description: str) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--sha256")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--head", choices=["all", "last"])
    parser.add_argument("--scores", choices=["divide", "multiply"])
    parser.add_argument("--vocabulary")
    return parser.parse_args()


def read_state(args: argparse.Namespace) -> dict[str, Tensor]:
    """The checkpoint's tensors in float32, by the names of GPT2Model. Raises Refusal."""
    data = Path(args.checkpoint).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if args.sha256 and digest != args.sha256.lower():
        raise Refusal("CHECKPOINT_CORRUPT", f"{args.checkpoint} has SHA-256 {digest}, expected {args.sha256}")
    state, _ = load(data)
    # A copy, as every library makes one: of values that lie as torch lays them.
    return {name.replace("transformer.", "", 1): value.float().clone() for name, value in state.items()}


def serve(
    description: str,
    make: Callable[[argparse.Namespace], Generator],
    make_tokens: Callable[[Vocabulary], Tokens],
) -> int:
    """Answer until stdin ends; 65 where the start is refused."""
    # Nothing that a library prints may reach the replies: stdout becomes stderr for everybody else.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def send(header: dict[str, Any], stages: dict[str, np.ndarray] | None = None) -> None:
        arrays = {name: _little(array) for name, array in (stages or {}).items()}
        if stages is not None:
            header["stages"] = [
                {"name": name, "dtype": array.dtype.str, "shape": list(array.shape)}
                for name, array in arrays.items()
            ]
        replies.write(json.dumps(header).encode() + b"\n")
        for array in arrays.values():
            replies.write(array.tobytes())
        replies.flush()

    args = read_arguments(description)
    try:
        if args.threads:
            torch.set_num_threads(args.threads)
        generator = make(args)
        tokens = make_tokens(read_vocabulary(args.vocabulary)) if args.vocabulary else None
    except Refusal as refusal:
        send({"fatal": {"code": refusal.code, "message": str(refusal)}})
        return 65
    except Exception as error:
        send({"fatal": {"code": "WORKER_START_FAILED", "message": f"{type(error).__name__}: {error}"}})
        return 65
    positions = _positions(args.config)
    send({"ready": {**_environment(), **generator.about, "tokens": tokens.name if tokens else None}})
    for line in sys.stdin.buffer:
        try:
            request = json.loads(line)
            if "text" in request:
                send({}, {"encoded": np.array(_tokens(tokens).encode(request["text"]), np.int32)})
            else:
                send({}, answer(generator, request, tokens, positions))
        except NotKnown as unknown:
            send({"skipped": str(unknown)})
        except Exception as error:
            send({"error": {"type": type(error).__name__, "message": str(error)[:2000]}})
    return 0


def answer(
    generator: Generator, request: dict[str, Any], vocabulary: Tokens | None, positions: int
) -> dict[str, np.ndarray]:
    """The stages of one request."""
    how = {**DEFAULTS, **request}
    unknown = sorted(set(how) - {*DEFAULTS, "ids"})
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}")
    wanted = len(how["ids"]) + how["maxTokens"]
    if not how["ids"] or wanted > positions:
        raise ValueError(f"expected 1 to {positions} tokens, with the new ones, received {wanted}")
    stages: dict[str, np.ndarray] = {}
    if how["stages"]:
        stages = {name: value.numpy() for name, value in generator.inspect(how["ids"]).items()}
    if how["maxTokens"]:
        tokens, logits = generator.generate(how["ids"], how)
        stages["steps"] = torch.stack(logits).numpy()
        stages["tokens"] = np.array(tokens, np.int32)
        if vocabulary is not None:
            written = tokens[:-1] if tokens[-1] in how["stopIds"] else tokens
            stages["text"] = np.array(list(vocabulary.decode(written).encode()), np.uint8)
    return stages


def _tokens(tokens: Tokens | None) -> Tokens:
    if tokens is None:
        raise NotKnown("no vocabulary was given")
    return tokens


def _positions(config: str) -> int:
    """How many tokens the network sees, by its config.json."""
    fields: dict[str, Any] = json.loads(Path(config).read_text("utf-8"))
    return fields.get("n_positions") or fields.get("max_position_embeddings") or fields.get("n_ctx", 1024)


def _little(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)


def _environment() -> dict[str, Any]:
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return {"versions": versions, "executable": sys.executable, "threads": torch.get_num_threads()}
