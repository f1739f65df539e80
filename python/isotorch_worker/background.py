"""PyTorch imported on a thread, while the start-up line and the checkpoint are read."""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import Sequence

from isotorch_worker.imports import import_failure


class BackgroundImport:
    """Imports modules of this package on a thread: what a load needs.

    Meanwhile nothing is looked through for cycles of garbage: an import makes hundreds of thousands of
    objects that all stay, and looking through them again and again takes a tenth of its time. After it they
    are set aside (``gc.freeze``), and the collector goes on.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules
        self._error: BaseException | None = None
        gc.disable()
        self._thread = threading.Thread(target=self._run, name="import", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end. Raises what the import raised: tried again, torch would say something else.

        What is no Exception, as a Rust library's panic or its ``sys.exit``, is an EnvironmentBroken.
        """
        self._thread.join()
        if self._error is None:
            return
        if isinstance(self._error, Exception):
            raise self._error
        raise import_failure(self._error) or self._error

    def _run(self) -> None:
        try:
            for name in self._modules:
                importlib.import_module(f"isotorch_worker.{name}")
        except BaseException as error:
            self._error = error
        finally:
            gc.freeze()
            gc.enable()
