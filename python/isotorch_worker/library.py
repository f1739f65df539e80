"""torch's native library, loaded on a thread of its own: half of the import of torch, and no Python in it."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import threading
from importlib.machinery import PathFinder

import zmq

# As torch's own import does: first what everything shares, for all to see, then the rest.
_PARTS = (("libtorch_global_deps.so", getattr(os, "RTLD_GLOBAL", 0)), ("libtorch.so", 0))

# Modules with native parts that the worker wants before torch is there.
_NATIVE = ("hashlib", "json", "mmap", "msgpack", "queue", "zipfile")


def load_beside() -> threading.Thread | None:
    """Begin to load it, on Linux; None where there is nothing to load.

    An import holds the interpreter's lock while the system loads a library; a foreign call does not. Until
    the thread ends no other library can be loaded: whatever needs one waits, with that lock in its hand, and
    so what the worker needs is imported before. What fails here fails again when torch is imported, which
    says why.
    """
    spec = PathFinder.find_spec("torch") if sys.platform == "linux" else None
    if spec is None or spec.origin is None:
        return None
    for name in _NATIVE:
        importlib.import_module(name)
    # The first context of a process waits for that too.
    zmq.Context().term()
    folder = spec.origin.rpartition("/")[0]
    thread = threading.Thread(target=_load, args=(f"{folder}/lib",), name="library", daemon=True)
    thread.start()
    return thread


def _load(folder: str) -> None:
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
    dlopen.restype = ctypes.c_void_p
    for name, scope in _PARTS:
        if dlopen(os.fsencode(f"{folder}/{name}"), os.RTLD_NOW | scope) is None:
            return
