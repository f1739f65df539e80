"""Types the tutorial's statements at a plain Python prompt and tells what the prompt printed.

    python3 tutorial_check.py < request.json

The request is ``{"threads": N, "statements": [str, ...], "bits": [str, ...]}``, the statements as the
tutorial has them. The answer is one JSON object: ``outputs``, what the prompt printed after each statement;
``bits``, the float32 values of the variables that were named, little-endian, as base64; ``torch``;
``threads``. No code is shared with isotorch, and nothing of the network is written here: it is
all in the statements.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sys
from typing import Any

import torch


def type_at_prompt(statement: str, names: dict[str, Any]) -> str:
    """What the prompt prints when ``statement`` is entered; its names are kept in ``names``.

    Method: compiled as one interactive statement, so that the value of an expression goes through
    ``sys.displayhook`` as it does at the prompt.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(statement + "\n", "<tutorial>", "single"), names)  # noqa: S102
    return printed.getvalue()


def as_base64(tensor: torch.Tensor) -> str:
    """The float32 values of ``tensor``, little-endian."""
    return base64.b64encode(tensor.detach().numpy().astype("<f4").tobytes()).decode("ascii")


def main() -> None:
    """Answer the one request on stdin."""
    request = json.load(sys.stdin.buffer)
    torch.set_num_threads(request["threads"])
    names: dict[str, Any] = {"__name__": "__main__"}
    outputs = [type_at_prompt(statement, names) for statement in request["statements"]]
    answer = {
        "outputs": outputs,
        "bits": {name: as_base64(names[name]) for name in request["bits"]},
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
