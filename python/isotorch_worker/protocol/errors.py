"""Every way in which the worker can fail; each class carries its code on the wire and its exit code."""

from __future__ import annotations

from isotorch_worker.base.told import told
from isotorch_worker.protocol.table import ERROR_CODES as ERROR_CODES
from isotorch_worker.protocol.table import exit_status


class WorkerError(Exception):
    """A failure that the controller hears about: ``code``, the message, and a ``hint`` where there is one.

    ``exit_code`` is what the process ends with when the failure ends it (docs/protocol.md).
    """

    code = "WORKER_ERROR"
    exit_code = exit_status("load")

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = told(message)
        super().__init__(self.message)
        self.hint = None if hint is None else told(hint)


class StartupError(WorkerError):
    """The command line or the start-up line is unusable."""

    code = "WORKER_START_FAILED"
    exit_code = exit_status("startUp")


class ProtocolError(WorkerError):
    """A message does not follow docs/protocol.md."""

    code = "PROTOCOL_ERROR"
    exit_code = exit_status("protocol")


class ProtocolVersionError(ProtocolError):
    """A well-formed header of another protocol version."""


class EnvironmentBroken(WorkerError):
    """A package that the worker needs cannot be imported."""

    code = "ENVIRONMENT_BROKEN"
    exit_code = exit_status("import")


class InvalidOption(WorkerError):
    """A setting that the worker cannot honour."""

    code = "INVALID_OPTION"
    exit_code = exit_status("configuration")


class DeviceUnavailable(WorkerError):
    """The device that was asked for cannot compute."""

    code = "DEVICE_UNAVAILABLE"
    exit_code = exit_status("configuration")


class WeightsNotFound(WorkerError):
    """There is no checkpoint file at the given path."""

    code = "WEIGHTS_NOT_FOUND"
    exit_code = exit_status("noCheckpoint")


class CheckpointCorrupt(WorkerError):
    """The checkpoint's bytes are not what they should be."""

    code = "CHECKPOINT_CORRUPT"
    exit_code = exit_status("checkpoint")


class CheckpointMismatch(WorkerError):
    """The checkpoint is sound but belongs to another architecture."""

    code = "CHECKPOINT_MISMATCH"
    exit_code = exit_status("checkpoint")


class InvalidInput(WorkerError):
    """What was given is nothing that the task takes."""

    code = "INVALID_INPUT"


class ContextLength(WorkerError):
    """A prompt and its new tokens are more than the network sees."""

    code = "CONTEXT_LENGTH"


class InputTooLarge(WorkerError):
    """A picture has more pixels than the worker decodes."""

    code = "INPUT_TOO_LARGE"


class UnsupportedFormat(WorkerError):
    """The bytes are no picture of a format that the worker reads."""

    code = "UNSUPPORTED_FORMAT"


class UnsupportedMode(WorkerError):
    """The picture is not RGB, and the request allows no conversion."""

    code = "UNSUPPORTED_MODE"


class DecodeFailed(WorkerError):
    """The picture is damaged or cut short."""

    code = "DECODE_FAILED"


class BadTensor(WorkerError):
    """The input tensor holds NaN or an infinity, or cannot go through the network."""

    code = "BAD_TENSOR"


class NonFiniteOutput(WorkerError):
    """The network answered with NaN or an infinity."""

    code = "NON_FINITE_OUTPUT"


class OutOfMemory(WorkerError):
    """The device or the machine ran out of memory; a smaller batch may work, and so may a restart."""

    code = "OUT_OF_MEMORY"
    exit_code = exit_status("again")


class DeadlineExceeded(WorkerError):
    """The request's time was over before its turn came."""

    code = "DEADLINE_EXCEEDED"


class Aborted(WorkerError):
    """The controller cancelled the request before its turn came."""

    code = "ABORTED"


class QueueFull(WorkerError):
    """More requests are waiting than the worker holds."""

    code = "QUEUE_FULL"


class Closed(WorkerError):
    """The worker was asked to stop before the request's turn came."""

    code = "CLOSED"
