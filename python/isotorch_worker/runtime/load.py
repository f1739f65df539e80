"""A load on its way, whatever it is for: its controller hears how far it is, and what was not as asked."""

from __future__ import annotations

from typing import Protocol

from isotorch_worker.checkpoints.checkpoint import CheckpointReader
from isotorch_worker.checkpoints.reader import Contents
from isotorch_worker.protocol.schema import clip
from isotorch_worker.protocol.wire import Message

REPORT_SECONDS = 0.5
# The header of `ready` has room for 4 KiB, of which versions take at most half.
_REASON_BYTES = 1000


class Controller(Protocol):
    """Whoever asked for the load."""

    generation: int

    def send(self, message: Message) -> None: ...

    def log(self, level: str, text: str) -> None: ...


class Loading:
    """One `load` until its `ready`."""

    def __init__(self, controller: Controller, message: Message) -> None:
        self._controller = controller
        self._message = message
        self._remarks: list[str] = []

    def progress(self, phase: str, fraction: float | None = None) -> None:
        """Tell where it is."""
        fields = {"phase": phase, "fraction": fraction}
        self._controller.send(Message("progress", self._message.id, self._controller.generation, fields))

    def read(self, reader: CheckpointReader) -> tuple[Contents, str]:
        """The checkpoint's contents and its SHA-256, once it is read. Raises as CheckpointReader.result."""
        self.progress("verify", reader.fraction)
        while not reader.wait(REPORT_SECONDS):
            self.progress("verify", reader.fraction)
        return reader.result()

    def tell(self, level: str, text: str) -> None:
        """A line for the log; a warning stands in the reason of the device, too."""
        self._controller.log(level, text)
        if level == "warning":
            self._remarks.append(text)

    def reason(self, device_reason: str) -> str:
        """Why this device, and what on it is not as it was asked for.

        Logs go nowhere by default: that is said where everybody sees it.
        """
        return clip("; ".join([device_reason, *self._remarks]), _REASON_BYTES)
