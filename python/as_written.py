"""The network as the tutorial's text leaves it, without ``eval()``, for a tensor that isotorch preprocessed.

    python3 as_written.py --checkpoint FILE.pth --sha256 HEX --threads N < tensor

stdin is float32 [1,3,H,W], little-endian, with H = W. In training mode each BatchNorm normalises with the
statistics of what passes through it, here of the one picture, so that the answer is another one than in
evaluation mode. The checkpoint is verified and loaded as the worker does it. Prints one JSON object:
``logits`` and ``percentages`` (float32, one per class, little-endian, as base64), ``order`` (classes, best
first), ``threads``.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import sys
from pathlib import Path

# Run by its path with -I, which leaves the script's directory out of sys.path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch

from isotorch_worker.protocol.errors import WorkerError
from isotorch_worker.runtime.model import load_checkpoint


def as_base64(tensor: torch.Tensor) -> str:
    """The float32 values of ``tensor``, little-endian."""
    return base64.b64encode(tensor.numpy().astype("<f4").tobytes()).decode("ascii")


def main() -> int:
    """Answer for the one tensor on stdin; returns the exit code."""
    parser = argparse.ArgumentParser(description="resnet101 without eval(), on one tensor.")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    values = torch.frombuffer(bytearray(sys.stdin.buffer.read()), dtype=torch.float32)
    side = math.isqrt(values.numel() // 3)
    try:
        network = load_checkpoint(options.checkpoint, options.sha256, trust=False).train()
    except WorkerError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    with torch.no_grad():
        out: torch.Tensor = network(values.reshape(1, 3, side, side))
        percentages = torch.nn.functional.softmax(out, dim=1)[0] * 100
        _, order = torch.sort(out, descending=True)
    answer = {
        "logits": as_base64(out[0]),
        "percentages": as_base64(percentages),
        "order": order[0].tolist(),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
