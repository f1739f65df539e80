"""``PYTHON -I -u isotorch_worker/__main__.py [serve | make | probe]``: the only reader of argv and of the
start-up line, and the only ordinary exit.

Modules are imported where they are wanted first: how long a start takes depends on their order.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if __package__ in (None, ""):
    # Run by its path with -I, which leaves the script's directory out of sys.path.
    _here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120
    sys.path[:] = [entry for entry in sys.path if entry != _here]
    sys.path.insert(0, os.path.dirname(_here))  # noqa: PTH120

from isotorch_worker.errors import EnvironmentBroken, StartupError, WorkerError

if TYPE_CHECKING:
    from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run one sub-command; returns the exit code (docs/protocol.md)."""
    # Read when torch loads its OpenMP. Threads that spin at barriers as long as they do by default make a
    # forward pass many times slower once another process wants the same CPUs; without any spinning each of
    # hundreds of regions wakes a sleeping thread, and a pass takes a third longer. The bits are the same.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    try:
        from isotorch_worker.arguments import parse

        options = parse(arguments)
        if options.command == "probe":
            return _probe(options.device if options.imports else None)
        if options.command == "make":
            return _make(options.seed, options.out, options.threads)
        return _serve(getattr(options, "ahead", False))
    except WorkerError as error:
        hint = f" ({error.hint})" if error.hint else ""
        print(f"isotorch_worker: {error.message}{hint}", file=sys.stderr)
        return error.exit_code
    except ImportError as error:
        print(f"isotorch_worker: an import failed: {error}", file=sys.stderr)
        return EnvironmentBroken.exit_code


def _serve(is_ahead: bool) -> int:
    from isotorch_worker import lifetime

    lifetime.keep_stdout_away()
    lifetime.report_crashes()
    lifetime.die_with_parent()
    lifetime.handle_signals()
    from isotorch_worker.ahead import Ahead, defer
    from isotorch_worker.library import load_beside

    defer()
    ahead = Ahead(load_beside()) if is_ahead else None
    from isotorch_worker.serve import serve
    from isotorch_worker.startup import parse_startup

    return serve(parse_startup(_read_line()), ahead)


def _read_line() -> bytearray:
    from isotorch_worker.startup import MAX_LINE_BYTES

    stdin = io.FileIO(0, closefd=False)
    line = bytearray(MAX_LINE_BYTES)
    length = 0
    # Into one buffer that can be wiped: freed bytes objects would keep the secret in the process's memory.
    while line.find(b"\n", 0, length) == -1:
        if length == MAX_LINE_BYTES:
            raise StartupError(f"the start-up line is longer than {MAX_LINE_BYTES} bytes")
        with memoryview(line) as view:
            count = stdin.readinto(view[length:])
        if not count:
            raise StartupError("stdin ended before the start-up line")
        length += count
    del line[line.find(b"\n") :]
    return line


def _make(seed: int, out: Path, threads: int) -> int:
    import json

    from isotorch_worker.device import set_threads
    from isotorch_worker.untrained import make_untrained

    set_threads(threads)
    sha256 = make_untrained(out, seed)
    print(json.dumps({"path": str(out), "sha256": sha256, "seed": seed}, ensure_ascii=False))
    return 0


def _probe(device: str | None) -> int:
    import json

    from isotorch_worker.probe import probe

    if device is None:
        print(json.dumps(probe(), ensure_ascii=False))
    else:
        from isotorch_worker.examine import examine

        print(json.dumps(examine(device), ensure_ascii=False))
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Past the destructors of native libraries, which can crash or hang after all work is done.
    os._exit(code)
