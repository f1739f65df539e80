"""PyTorch imported on a thread while the controller is being heard, without what no forward pass uses."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

# A quarter of the import: kernels of tensors without data, training sets, other kinds of networks and the
# like. torch and torchvision import them only to have them; a second import or any use runs them as if they
# had not been put off.
DEFERRED = (
    "torch._meta_registrations",
    "torch.distributions",
    "torch.masked",
    "torch.profiler",
    "torch.quantization",
    "torch.utils.data",
    "torchvision.datasets",
    "torchvision.io",
    "torchvision.models.detection",
    "torchvision.models.optical_flow",
    "torchvision.models.quantization",
    "torchvision.models.segmentation",
    "torchvision.models.video",
)
# What torch wants of the standard library, as far as it is Python alone.
_PLAIN = (
    "ast",
    "concurrent.futures",
    "copy",
    "dataclasses",
    "email.parser",
    "glob",
    "http",
    "importlib.metadata",
    "inspect",
    "locale",
    "logging",
    "string",
    "textwrap",
    "tokenize",
    "urllib.parse",
)
_MODULES = ("compute", "device", "infer", "job", "model", "precision", "probe", "untrained")


class _Deferring:
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
    """Imports all that a load needs, on a thread, once torch's library is there that ``loading`` loads."""

    def __init__(self, loading: threading.Thread | None = None) -> None:
        self._loading = loading
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
            if self._loading is not None:
                for name in _PLAIN:
                    importlib.import_module(name)
                self._loading.join()
            for name in _MODULES:
                importlib.import_module(f"isotorch_worker.{name}")
        except BaseException as error:
            self._error = error
