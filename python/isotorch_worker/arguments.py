"""What may stand on the worker's command line."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from isotorch_worker.errors import StartupError

_WIDTH = 100


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        # Without a width it would ask for the terminal's, by way of a native library (see library.py).
        super().__init__(formatter_class=partial(argparse.HelpFormatter, width=_WIDTH), **options)

    def error(self, message: str) -> NoReturn:
        raise StartupError(f"{message} ({self.format_usage().strip()})")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The sub-command in ``command``, None for ``serve``, and its options. Raises StartupError."""
    parser = _Parser(prog="isotorch_worker", description="The Python half of isotorch.")
    commands = parser.add_subparsers(dest="command")
    serve = commands.add_parser(
        "serve", help="serve the controller that writes the start-up line to stdin (default)"
    )
    serve.add_argument("--ahead", action="store_true", help="import PyTorch at once: a load will come")
    make = commands.add_parser("make", help="make an untrained checkpoint")
    make.add_argument("--seed", type=int, required=True)
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--threads", type=int, default=0)
    probe = commands.add_parser("probe", help="print what this interpreter has, as JSON")
    probe.add_argument("--import", dest="imports", action="store_true")
    probe.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    if options.command == "make" and not (0 <= options.seed < 2**32 and 0 <= options.threads <= 1024):
        raise StartupError("seed: expected 0 to 2^32 - 1; threads: expected 0 to 1024")
    return options
