"""Imports that fail, in whichever way: which package it was, and why, in one line."""

from __future__ import annotations

import traceback

from isotorch_worker.protocol.errors import EnvironmentBroken

_HINT = "Run `npx isotorch doctor`: it names what is wrong and how to mend it."
_OURS = ("isotorch_worker", "importlib", "threading", "__main__", "")
# Longer messages tell a story, of which the first line says what happened.
_SHORT = 300


def import_failure(error: BaseException) -> EnvironmentBroken | None:
    """The environment's failure, where the error came out of an import; None for any other error.

    A library that cannot be loaded is an OSError in PyTorch, a SystemError or a RuntimeError in others: what
    tells an import is that a module's own code was running.
    """
    modules = [
        str(frame.f_globals.get("__name__", ""))
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>"
    ]
    if not modules and not isinstance(error, ImportError):
        return None
    packages = [name for name in modules if name.partition(".")[0] not in _OURS]
    # Of one that is missing or is a library itself, no code was running.
    named = (error.name if isinstance(error, ImportError) else None) or "".join(modules[-1:])
    package = packages[0].partition(".")[0] if packages else named
    what = f"importing {package} failed" if package else "an import failed"
    return EnvironmentBroken(f"{what}: {type(error).__name__}: {reason(error)}", _HINT)


def reason(error: BaseException) -> str:
    """What an error says, in one line: NumPy's, for one, is a page of advice around the error that it had."""
    text = _joined(error)
    if len(text) <= _SHORT:
        return text
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    return _joined(root) if root is not error else str(error).strip().splitlines()[0]


def _joined(error: BaseException) -> str:
    return " ".join(str(error).split())
