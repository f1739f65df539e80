"""One encoded picture after the other through a picture process: started, tried and replaced as needed."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from isotorch_worker.pictures.picture_child import Child, Ended
from isotorch_worker.pictures.spec import crop_size
from isotorch_worker.protocol.errors import DecodeFailed, OutOfMemory, WorkerError

# The controller takes a worker for stuck that answered nothing for 60 s: both together stay below that.
START_SECONDS = 20
LIMIT_SECONDS = 30
_TRIES = 2
# For the process's own dead-man's switch, which works where nobody is left to kill it.
_MARGIN_SECONDS = 10


class Encoded(NamedTuple):
    """A picture file, how it is read (as ``decode_picture``), and what is wanted of it.

    With a ``spec`` that is the picture resized and cropped, with ``picture`` as it is in the file. What is
    not there at ``until``, on time.monotonic(), is not wanted any more.
    """

    data: bytes | bytearray | memoryview
    max_pixels: int
    spec: Mapping[str, Any] | None
    exif: str = "ignore"
    icc: str = "ignore"
    mode: str = "convert-rgb"
    picture: bool = False
    until: float | None = None


class Decoded(NamedTuple):
    """RGB bytes of the picture and of its crop, where they were wanted; the milliseconds of both steps."""

    width: int
    height: int
    pixels: bytes | bytearray | None
    cropped: bytes | bytearray | None
    decode: float
    shape: float

    @property
    def took(self) -> float:
        """Milliseconds of both."""
        return self.decode + self.shape


class Hold(Protocol):
    """A picture that may be given up at any time, by killing the process that has it."""

    encoded: Encoded

    @property
    def is_over(self) -> bool: ...

    def hold(self, child: Child | None) -> None: ...

    def allow(self, seconds: float) -> None: ...


class Reader:
    """Has at most one process. Used by the thread that made it, which must outlive the process: Linux takes
    the thread for its parent.

    ``agreed`` is shared: by resize, crop and interpolation, whether processes crop as torchvision does.
    ``remark`` hears what a log should say.
    """

    def __init__(self, agreed: dict[tuple[Any, ...], bool], remark: Callable[[str], None]) -> None:
        self._agreed = agreed
        self._remark = remark
        self._child: Child | None = None

    def read(self, one: Hold) -> Decoded:
        """The picture; once more in a new process where the first one ended. Raises WorkerError."""
        if one.encoded.spec is not None:
            # PyTorch takes seconds, where it was not imported yet; no picture is to blame for them.
            from isotorch_worker.pictures import attest  # noqa: F401
        problem: WorkerError | None = None
        for number in range(_TRIES):
            if one.is_over:
                break
            try:
                child = self._ready(one)
                agrees = self._agrees(child, one.encoded.spec)
                if number == 0:
                    one.allow(LIMIT_SECONDS)
                return _decoded(child, one.encoded, agrees)
            except Ended as ended:
                problem = _explained(ended)
                self.close(one)
            except WorkerError:
                raise
            except Exception:
                # Whatever it was, the process may be in the middle of an answer.
                self.close(one)
                raise
            finally:
                one.hold(None)
        raise problem or WorkerError("given up before it was read")

    def close(self, one: Hold | None = None) -> None:
        """End the process and wait until it is gone."""
        if one is not None:
            one.hold(None)
        if self._child is not None:
            self._child.end()
            self._child = None

    def _ready(self, one: Hold) -> Child:
        if self._child is not None and not self._child.is_gone:
            one.hold(self._child)
            return self._child
        self.close()
        one.allow(START_SECONDS + LIMIT_SECONDS)
        try:
            self._child = Child()
        except OSError as error:
            raise _not_started(error) from None
        one.hold(self._child)
        try:
            self._child.greet()
        except WorkerError:
            self.close(one)
            raise
        return self._child

    def _agrees(self, child: Child, spec: Mapping[str, Any] | None) -> bool:
        """Whether the process may crop; it is tried once with pictures like noise."""
        if spec is None:
            return True
        key = (str(spec["resize"]), str(spec["crop"]), spec["interpolation"])
        if key not in self._agreed:
            from isotorch_worker.pictures.attest import shapes_agree

            def cropped(data: bytes) -> bytes | bytearray | None:
                return _decoded(child, Encoded(data, len(data), spec), True).cropped

            try:
                self._agreed[key] = shapes_agree(spec, cropped)
            except WorkerError:
                self._agreed[key] = False
            if not self._agreed[key]:
                self._remark(
                    "this torchvision resizes or crops in another way than Pillow alone does here: "
                    "pictures that Pillow decodes are resized by torchvision"
                )
        return self._agreed[key]


def _decoded(child: Child, encoded: Encoded, by_child: bool) -> Decoded:
    """What the process makes of it, cropped by torchvision in this one unless ``by_child``.

    Raises Ended or WorkerError.
    """
    spec = encoded.spec if by_child else None
    shape = None if spec is None else [spec["resize"], spec["crop"], spec["interpolation"]]
    with_picture = encoded.picture or (encoded.spec is None or not by_child)
    wanted = {
        "exif": encoded.exif,
        "icc": encoded.icc,
        "mode": encoded.mode,
        "maxPixels": encoded.max_pixels,
        "picture": with_picture,
        "shape": shape,
        "seconds": START_SECONDS + LIMIT_SECONDS + _MARGIN_SECONDS,
    }
    crop = 0 if spec is None else 3 * math.prod(crop_size(spec))
    answer, payloads = child.ask(wanted, encoded.data, 3 * encoded.max_pixels + crop)
    try:
        width, height = int(answer["width"]), int(answer["height"])
        timings = float(answer["decode"]), float(answer.get("shape", 0.0))
        lengths = [3 * width * height] * with_picture + [crop] * (spec is not None)
        if width < 1 or height < 1 or [len(payload) for payload in payloads] != lengths:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise Ended(None) from None
    pixels = payloads[0] if with_picture else None
    cropped = payloads[-1] if spec is not None else None
    if encoded.spec is not None and pixels is not None and not by_child:
        cropped = _cropped_here(width, height, pixels, encoded.spec)
    return Decoded(
        width, height, pixels if encoded.picture or encoded.spec is None else None, cropped, *timings
    )


def _cropped_here(width: int, height: int, pixels: bytes | bytearray, spec: Mapping[str, Any]) -> bytes:
    from PIL import Image

    from isotorch_worker.pictures.transforms import cropped

    return cropped(Image.frombytes("RGB", (width, height), bytes(pixels)), spec).tobytes()


def _explained(ended: Ended) -> WorkerError:
    if ended.is_crash:
        return DecodeFailed(
            f"Pillow crashed while it read this picture, twice ({ended.how})",
            "save the picture as a plain PNG or JPEG first",
        )
    if ended.was_killed:
        return OutOfMemory(
            "the process that reads pictures was killed while it had this one, twice: "
            "usually the system has run out of memory",
            "make the picture smaller first, or let other programs free memory",
        )
    return WorkerError(f"the process that reads pictures ended while it had this one, twice: {ended.how}")


def _not_started(error: OSError) -> WorkerError:
    text = f"the process that reads pictures could not be started: {error.strerror or error}"
    if error.errno in (errno.ENOMEM, errno.EAGAIN):
        return OutOfMemory(text, "let other programs free memory")
    return WorkerError(text)
