"""``PYTHON -I -u isotorch_worker/__main__.py [serve | make | probe]``: the only reader of argv and of the
start-up line, and the only ordinary exit."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if __package__ in (None, ""):
    # Run by its path with -I, which leaves the script's directory out of sys.path.
    _here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if entry != _here]
    sys.path.insert(0, str(Path(_here).parent))

from isotorch_worker import lifetime
from isotorch_worker.imports import import_failure
from isotorch_worker.protocol.errors import StartupError, WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from isotorch_worker.task import Registry

# How often a worker on Windows looks whether its start-up line has come.
_LINE_SECONDS = 0.01


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StartupError(f"{message} ({self.format_usage().strip()})")


def main(arguments: list[str], made: Callable[[], Registry] | None = None) -> int:
    """Run one sub-command; returns the exit code (docs/protocol.md).

    ``made`` gives what a worker can do, where that is not tasks/registry.py.
    """
    # Read when torch loads its OpenMP. Threads that spin at barriers as long as they do by default make a
    # forward pass many times slower once another process wants the same CPUs; without any spinning each of
    # hundreds of regions wakes a sleeping thread, and a pass takes a third longer. The bits are the same.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    try:
        options = _parse(arguments)
        if options.command == "probe":
            return _judge() if options.product else _probe(options.device if options.imports else None)
        if options.command == "make":
            return _make(options.seed, options.model, options.out, options.threads)
        return _serve(getattr(options, "background_import", False), made)
    except WorkerError as error:
        hint = f" ({error.hint})" if error.hint else ""
        print(f"isotorch_worker: {error.message}{hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a library may call sys.exit while it is imported, or panic in Rust
        broken = import_failure(error)
        if broken is None:
            raise
        print(f"isotorch_worker: {broken.message}", file=sys.stderr)
        return broken.exit_code


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="isotorch_worker", description="The Python half of isotorch.")
    commands = parser.add_subparsers(dest="command")
    serve = commands.add_parser(
        "serve", help="serve the controller that writes the start-up line to stdin (default)"
    )
    serve.add_argument("--background-import", action="store_true", help="import PyTorch at once")
    make = commands.add_parser("make", help="make an untrained checkpoint")
    make.add_argument("--seed", type=int, required=True)
    make.add_argument("--model", default="resnet101")
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--threads", type=int, default=0)
    probe = commands.add_parser("probe", help="print what this interpreter has, as JSON")
    probe.add_argument("--import", dest="imports", action="store_true")
    probe.add_argument("--device", default="auto")
    probe.add_argument("--product", action="store_true", help="how its BLAS multiplies matrices, alone")
    options = parser.parse_args(arguments)
    if options.command == "make" and not (0 <= options.seed < 2**32 and 0 <= options.threads <= 1024):
        raise StartupError("seed: expected 0 to 2^32 - 1; threads: expected 0 to 1024")
    return options


def _serve(imports_beside: bool, made: Callable[[], Registry] | None) -> int:
    lifetime.keep_stdout_away()
    lifetime.report_crashes()
    lifetime.die_with_parent()
    lifetime.handle_signals()
    # Before the import on the thread, which keeps others waiting while the system loads torch's library.
    from isotorch_worker.background import BackgroundImport
    from isotorch_worker.serve import serve
    from isotorch_worker.startup import parse_startup
    from isotorch_worker.tasks.registry import registry

    can = (made or registry)()
    imports = BackgroundImport(can.imports) if imports_beside else None
    return serve(parse_startup(_read_line()), can, imports)


def _read_line() -> bytearray:
    from isotorch_worker.base.stdin import wait_for_stdin
    from isotorch_worker.startup import MAX_LINE_BYTES

    stdin = io.FileIO(0, closefd=False)
    line = bytearray(MAX_LINE_BYTES)
    length = 0
    # Into one buffer that can be wiped: freed bytes objects would keep the secret in the process's memory.
    while line.find(b"\n", 0, length) == -1:
        if length == MAX_LINE_BYTES:
            raise StartupError(f"the start-up line is longer than {MAX_LINE_BYTES} bytes")
        # The import on the thread must not wait for the line.
        wait_for_stdin(_LINE_SECONDS)
        with memoryview(line) as view:
            count = stdin.readinto(view[length:])
        if not count:
            raise StartupError("stdin ended before the start-up line")
        length += count
    del line[line.find(b"\n") :]
    return line


def _make(seed: int, model: str, out: Path, threads: int) -> int:
    from isotorch_worker.runtime.threads import set_threads
    from isotorch_worker.tasks.image_classification.untrained import make_untrained

    set_threads(threads)
    sha256 = make_untrained(out, seed, model)
    print(json.dumps({"path": str(out), "sha256": sha256, "seed": seed, "model": model}))
    return 0


def _probe(device: str | None) -> int:
    from isotorch_worker.environment.probe import probe

    if device is None:
        print(json.dumps(probe()))
    else:
        from isotorch_worker.environment.examine import examine

        print(json.dumps(examine(device)))
    return 0


def _judge() -> int:
    lifetime.report_crashes()
    from isotorch_worker.environment.product import judge_blas

    print(json.dumps(judge_blas()))
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Past the destructors of native libraries, which can crash or hang after all work is done.
    os._exit(code)
