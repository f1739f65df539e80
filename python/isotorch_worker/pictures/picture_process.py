"""``PYTHON -I -u picture_process.py``: Pillow in a process beside the worker, one picture at a time.

It is started and ended by picture_child.py, imports no torch, and ends with its stdin, whatever it is at.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import io
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    # Run by its path with -I, which leaves the script's directory out of sys.path.
    _here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if entry != _here]
    sys.path.insert(0, str(Path(_here).parents[1]))

from isotorch_worker import lifetime
from isotorch_worker.imports import import_failure
from isotorch_worker.pictures import picture_wire
from isotorch_worker.protocol.errors import DecodeFailed, OutOfMemory, WorkerError

# More than any request: the worker is believed to send what it has taken itself.
_MOST_BYTES = 2**40
# Decoders hold a picture several times over: JPEG 2000 by 16 bytes a pixel, then Pillow by 4, and converted.
_BYTES_A_PIXEL = 48
_LEAST_MEMORY = 2 * 1024**3
# Of all processes of the machine this one is to be ended where memory runs out, and not the network's.
_FIRST_TO_GO = b"800"

Message = tuple["dict[str, Any]", "list[bytearray]"]


def main() -> int:
    """Greet, then answer requests until stdin ends."""
    lifetime.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = io.FileIO(os.dup(1), "w")
    lifetime.keep_stdout_away()
    requests = io.FileIO(0, closefd=False)
    # The worker's own path, however it came by it: the same Pillow must be found.
    sys.path[:] = picture_wire.read(requests, 0)[0]["path"]
    try:
        from PIL import __version__

        from isotorch_worker.pictures import picture  # noqa: F401 - what is imported now delays no picture
    except Exception as error:
        broken = import_failure(error) or WorkerError(f"{type(error).__name__}: {error}")
        picture_wire.write(answers, {"error": _told(broken)})
        return broken.exit_code
    _go_first()
    picture_wire.write(answers, {"pillow": __version__})
    received: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, received), daemon=True).start()
    with Path(os.devnull).open("w") as nowhere:
        while True:
            header, (data,) = received.get()
            # Code that lets no other thread run sees no end of stdin; this sees it.
            faulthandler.dump_traceback_later(header["seconds"], exit=True, file=nowhere)
            picture_wire.write(answers, *_answer(header, data))
            faulthandler.cancel_dump_traceback_later()


def _receive(requests: io.FileIO, received: queue.SimpleQueue[Message]) -> None:
    # Whatever ends this, nobody waits for an answer any more.
    with contextlib.suppress(Exception):
        while True:
            received.put(picture_wire.read(requests, _MOST_BYTES))
    os._exit(0)


def _answer(wanted: dict[str, Any], data: bytearray) -> tuple[Any, ...]:
    """The header and the payloads of the answer: the picture where it is wanted, then the cropped one."""
    from isotorch_worker.pictures.picture import decode_picture
    from isotorch_worker.pictures.shape import shaped

    _limit_memory(wanted["maxPixels"])
    try:
        began = time.perf_counter()
        picture = decode_picture(data, wanted["exif"], wanted["icc"], wanted["mode"], wanted["maxPixels"])
        data.clear()
        decoded = time.perf_counter()
        size = {"width": picture.width, "height": picture.height, "decode": (decoded - began) * 1000}
        payloads = [picture.tobytes()] if wanted["picture"] else []
        if wanted["shape"] is None:
            return size, *payloads
        try:
            cropped = shaped(picture, *wanted["shape"])
        except Exception as error:
            raise _unshaped(picture.size, error) from None
        payloads.append(cropped.tobytes())
        return {**size, "shape": (time.perf_counter() - decoded) * 1000}, *payloads
    except WorkerError as error:
        return ({"error": _told(error)},)
    except MemoryError:
        return ({"error": _told(OutOfMemory("not enough memory to decode the picture"))},)
    except Exception as error:
        return ({"error": _told(WorkerError(f"{type(error).__name__}: {error}"))},)


def _unshaped(size: tuple[int, int], error: Exception) -> WorkerError:
    what = f"a picture of {size[0]} × {size[1]} pixels"
    if isinstance(error, MemoryError):
        return OutOfMemory(f"not enough memory to resize {what}", "make it less long, or smaller, first")
    return DecodeFailed(f"{what} cannot be resized: {error or type(error).__name__}")


def _told(error: WorkerError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _go_first() -> None:
    """Offer this process to Linux where memory runs out; everybody may offer himself."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_bytes(_FIRST_TO_GO)


def _limit_memory(max_pixels: int) -> None:
    """Let one picture have what its limit may need, and no more; not on Windows."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        given = _given_memory()
        own = [limit for limit in given if limit != resource.RLIM_INFINITY]
        soft = min([max(_LEAST_MEMORY, _BYTES_A_PIXEL * max_pixels), *own])
        resource.setrlimit(resource.RLIMIT_AS, (soft, given[1]))


@functools.lru_cache(maxsize=1)
def _given_memory() -> tuple[int, int]:
    """The limits that this process was started with, the one in force first."""
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)


if __name__ == "__main__":
    code = main()
    os._exit(code)
