"""The network as the tutorial's text leaves it, without ``eval()``, for a tensor that isotorch preprocessed.

    python3 as_written.py --checkpoint FILE --sha256 HEX --size H,W [--model NAME] [--checkpoint-key KEY]
                          --threads N < tensor

stdin is float32 [1,3,H,W], little-endian. In training mode each BatchNorm normalises with the statistics of
what passes through it, here of the one picture, so that the answer is another one than in evaluation mode.
A network that draws random numbers in this mode has no answer: ``refused`` says so then, alone. The
checkpoint is verified and loaded as the worker does it. Prints one JSON object: ``logits`` and
``percentages`` (float32, one per class, little-endian, as base64), ``order`` (classes, best first),
``threads``.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path

# Run by its path with -I, which leaves the script's directory out of sys.path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch

from isotorch_worker.checkpoints.checkpoint import read_checkpoint
from isotorch_worker.protocol.errors import WorkerError
from isotorch_worker.tasks.image_classification.network import fill


def as_base64(tensor: torch.Tensor) -> str:
    """The float32 values of ``tensor``, little-endian."""
    return base64.b64encode(tensor.numpy().astype("<f4").tobytes()).decode("ascii")


def main() -> int:
    """Answer for the one tensor on stdin; returns the exit code."""
    parser = argparse.ArgumentParser(description="A network without eval(), on one tensor.")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--size", required=True)
    parser.add_argument("--model")
    parser.add_argument("--checkpoint-key")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    values = torch.frombuffer(bytearray(sys.stdin.buffer.read()), dtype=torch.float32)
    height, width = map(int, options.size.split(","))
    try:
        contents, _ = read_checkpoint(options.checkpoint, options.sha256)
        network = fill(contents, options.model, options.checkpoint_key).network.train()
    except WorkerError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    batch = values.reshape(1, 3, height, width)
    with torch.no_grad():
        out: torch.Tensor = network(batch)
        # Dropout and the like; what BatchNorm keeps of one pass has no part in the next.
        if not torch.equal(out, network(batch)):
            print(json.dumps({"refused": "draws random numbers, and two passes differ"}))
            return 0
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
