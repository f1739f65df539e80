"""PyTorch imported on a thread while the controller is being heard, without what no forward pass uses."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

# A fifth of the import: kernels of tensors without data, and training sets. torch and torchvision import
# them for their side effects alone; a second import or any use runs them as if they had not been put off.
DEFERRED = ("torch._meta_registrations", "torchvision.datasets")
_MODULES = ("compute", "device", "infer", "job", "model", "precision", "probe", "untrained")


class _Deferring(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in DEFERRED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def defer() -> None:
    """From here on the modules of ``DEFERRED`` run when they are used first."""
    sys.meta_path.insert(0, _Deferring())


def complete() -> None:
    """Run what was put off: for whatever compiles or traces networks."""
    for name in DEFERRED:
        if name in sys.modules:
            # Any attribute will do.
            _ = sys.modules[name].__doc__


class Ahead:
    """Imports all that a load needs, on a thread."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="import", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end. Raises what the import raised: tried again, torch would say something else."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for name in _MODULES:
                importlib.import_module(f"isotorch_worker.{name}")
        except BaseException as error:
            self._error = error
