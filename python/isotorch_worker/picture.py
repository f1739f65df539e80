"""Encoded pictures to RGB, by Pillow and without torch: a worker that loaded nothing decodes too."""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator
from contextlib import contextmanager

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from isotorch_worker.errors import (
    DecodeFailed,
    InputTooLarge,
    OutOfMemory,
    UnsupportedFormat,
    UnsupportedMode,
    WorkerError,
)

MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "ICO", "PPM", "JPEG2000")
_MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"RIFF",
    b"GIF8",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
    b"\x00\x00\x01\x00",
    b"\x00\x00\x00\x0cjP",
    b"\xff\x4f\xff\x51",
    *(b"P%d" % kind for kind in range(1, 7)),
)
# What the colour engine takes; the rest is brought there as convert("RGB") would, alpha dropped.
_BEFORE_ICC = {"P": "RGB", "RGBA": "RGB", "RGBX": "RGB", "LA": "L", "PA": "RGB", "1": "L"}


def decode_picture(
    data: bytes | bytearray | memoryview,
    exif: str = "ignore",
    icc: str = "ignore",
    mode: str = "convert-rgb",
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """The first frame of an encoded picture as Pillow's ``convert("RGB")`` gives it.

    ``exif`` "apply" turns it upright as ``ImageOps.exif_transpose`` does; ``icc`` "to-srgb" applies an
    embedded profile (a damaged one is ignored); ``mode`` "strict" refuses what is not RGB in the file.

    Raises UnsupportedFormat, UnsupportedMode, InputTooLarge (more than 50 megapixels, found out before
    decoding) or DecodeFailed (damaged or cut short).
    """
    with _limits():
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if mode == "strict" and picture.mode != "RGB":
                    raise UnsupportedMode(
                        f"the {picture.format} has mode {picture.mode}, not RGB",
                        'convert it to RGB, or use mode "convert-rgb"',
                    )
                return _to_rgb(picture, exif, icc)
        except WorkerError:
            raise
        except Image.DecompressionBombError as error:
            raise InputTooLarge(f"more than {MAX_PIXELS} pixels: {error}") from None
        except UnidentifiedImageError:
            if bytes(data[:8]).startswith(_MAGIC):
                raise DecodeFailed("the picture's header is damaged or cut short") from None
            raise UnsupportedFormat(
                "not a picture of a format that is read here", f"use one of {', '.join(FORMATS)}"
            ) from None
        except MemoryError:
            raise OutOfMemory("not enough memory to decode the picture") from None
        except Exception as error:
            # Pillow's decoders raise whatever a damaged file makes them stumble over.
            raise DecodeFailed(f"the picture cannot be decoded: {error or type(error).__name__}") from None


def decode_pixels(
    data: bytes | bytearray | memoryview, exif: str = "ignore", icc: str = "ignore", mode: str = "convert-rgb"
) -> tuple[bytes, tuple[int, int, int]]:
    """``decode_picture`` as raw bytes (uint8, [H,W,3], C order) and their shape. Raises as it does."""
    picture = decode_picture(data, exif, icc, mode)
    return picture.tobytes(), (picture.height, picture.width, 3)


def _to_rgb(picture: Image.Image, exif: str, icc: str) -> Image.Image:
    profile = picture.info.get("icc_profile") if icc == "to-srgb" else None
    upright = ImageOps.exif_transpose(picture) if exif == "apply" else picture
    coloured = _to_srgb(upright or picture, profile) if profile else upright or picture
    # The picture is closed with its file, but converting RGB to RGB copies it.
    return coloured.convert("RGB")


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    source = picture.convert(_BEFORE_ICC.get(picture.mode, picture.mode))
    try:
        converted = ImageCms.profileToProfile(
            source,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    return converted or picture


@contextmanager
def _limits() -> Generator[None, None, None]:
    previous = Image.MAX_IMAGE_PIXELS
    # Pillow refuses above twice this number, also for pictures inside of pictures, and warns below it.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = previous
