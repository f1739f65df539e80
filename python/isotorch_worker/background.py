"""PyTorch imported on a thread, while the start-up line and the checkpoint are read."""

from __future__ import annotations

import gc
import importlib
import threading

_MODULES = ("compute", "device", "infer", "job", "model", "precision", "probe", "threads", "untrained")


class BackgroundImport:
    """Imports all that a load needs, on a thread.

    Meanwhile nothing is looked through for cycles of garbage: an import makes hundreds of thousands of
    objects that all stay, and looking through them again and again takes a tenth of its time. After it they
    are set aside (``gc.freeze``), and the collector goes on.
    """

    def __init__(self) -> None:
        self._error: BaseException | None = None
        gc.disable()
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
        finally:
            gc.freeze()
            gc.enable()
