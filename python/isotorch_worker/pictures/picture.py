"""Encoded pictures to RGB, by Pillow and without torch: a worker that loaded nothing decodes too."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from isotorch_worker.protocol.errors import (
    DecodeFailed,
    InputTooLarge,
    OutOfMemory,
    UnsupportedFormat,
    UnsupportedMode,
    WorkerError,
)

# What Pillow admits without its own error, where nothing else is asked for.
MAX_PIXELS = 178_956_970
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "ICO", "PPM", "JPEG2000")
_MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"II\0*",
    b"II+\0",
    b"MM\0*",
    b"MM*\0",
    b"MM\0+",
    b"\0\0\1\0",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    *(b"P" + kind.encode() for kind in "0123456fy"),
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

    Raises UnsupportedFormat, UnsupportedMode, InputTooLarge (more than ``max_pixels``, found out before
    decoding) or DecodeFailed (damaged or cut short).
    """
    with _limits(max_pixels):
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.width * picture.height > max_pixels:
                    raise _too_large(f"{picture.width} × {picture.height} pixels", max_pixels)
                if mode == "strict" and picture.mode != "RGB":
                    raise UnsupportedMode(
                        f"the {picture.format} has mode {picture.mode}, not RGB",
                        'convert it to RGB, or use mode "convert-rgb"',
                    )
                return _to_rgb(picture, exif, icc)
        except WorkerError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large(_bomb_size(error), max_pixels) from None
        except UnidentifiedImageError:
            if _is_accepted(bytes(data[:16])):
                raise DecodeFailed("the picture's header is damaged or cut short") from None
            raise UnsupportedFormat(
                "not a picture of a format that is read here", f"use one of {', '.join(FORMATS)}"
            ) from None
        except MemoryError:
            raise OutOfMemory("not enough memory to decode the picture") from None
        except Exception as error:
            # Pillow's decoders raise whatever a damaged file makes them stumble over.
            raise DecodeFailed(f"the picture cannot be decoded: {error or type(error).__name__}") from None


def _is_accepted(head: bytes) -> bool:
    webp = head[:4] == b"RIFF" and head[8:16] in (b"WEBPVP8 ", b"WEBPVP8X", b"WEBPVP8L")
    return webp or head.startswith(_MAGIC)


def _too_large(size: str, max_pixels: int) -> InputTooLarge:
    return InputTooLarge(
        f"the picture has {size}, more than {max_pixels}",
        "raise `limits.pixels` (`--max-pixels`), or make the picture smaller first",
    )


def _bomb_size(error: Image.DecompressionBombError) -> str:
    number = re.search(r"\((\d+) pixels\)", str(error))
    return f"{number[1]} pixels" if number else "too many pixels"


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
def _limits(max_pixels: int) -> Generator[None, None, None]:
    previous = Image.MAX_IMAGE_PIXELS
    # Pillow refuses above twice this number, also for pictures inside of pictures, and warns below it.
    Image.MAX_IMAGE_PIXELS = max_pixels / 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = previous
