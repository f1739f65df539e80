"""A small PNG writer, for the colour types, depths and chunks that Pillow does not write.

Method: the PNG specification (ISO/IEC 15948): every colour type and depth, Adam7, any extra chunks.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _pack_row(row: np.ndarray, depth: int) -> bytes:
    """One row of samples, [width, channels], as bytes."""
    samples = row.reshape(-1)
    if depth == 16:
        return samples.astype(">u2").tobytes()
    if depth == 8:
        return samples.astype(np.uint8).tobytes()
    per_byte = 8 // depth
    padded = np.zeros(-(-samples.size // per_byte) * per_byte, np.uint32)
    padded[: samples.size] = samples
    shifts = np.arange(per_byte - 1, -1, -1, dtype=np.uint32) * depth
    return (padded.reshape(-1, per_byte) << shifts).sum(1).astype(np.uint8).tobytes()


def _filtered(rows: list[bytes], stride: int) -> bytes:
    """The rows, each with a filter; the five kinds take turns, so that all of them are met."""
    out, above = bytearray(), bytes(len(rows[0]) if rows else 0)
    for number, row in enumerate(rows):
        kind = number % 5
        now = np.frombuffer(row, np.uint8).astype(int)
        up = np.frombuffer(above, np.uint8).astype(int)
        left = np.concatenate([np.zeros(stride, int), now])[: now.size]
        corner = np.concatenate([np.zeros(stride, int), up])[: now.size]
        if kind == 4:
            guess = left + up - corner
            a, b, c = abs(guess - left), abs(guess - up), abs(guess - corner)
            predicted = np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))
        else:
            predicted = [0, left, up, (left + up) // 2][kind]
        out += bytes([kind]) + ((now - predicted) % 256).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


def encode_png(
    samples: np.ndarray,
    colour: int,
    depth: int,
    *,
    palette: bytes | None = None,
    before: list[tuple[bytes, bytes]] | None = None,
    transparency: bytes | None = None,
    interlaced: bool = False,
    idat: int = 4096,
) -> bytes:
    """A PNG file.

    samples: integers of shape [height, width, channels], each below 2**depth. colour: the PNG colour type.
    palette: body of PLTE. before: chunks (name, body) put between IHDR and PLTE. transparency: body of tRNS.
    interlaced: Adam7. idat: bytes per IDAT chunk.
    """
    height, width, _ = samples.shape
    stride = max(1, CHANNELS[colour] * depth // 8)
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    raw = b""
    for x, y, dx, dy in passes:
        part = samples[y::dy, x::dx]
        if part.size:
            raw += _filtered([_pack_row(row, depth) for row in part], stride)
    out = b"\x89PNG\r\n\x1a\n"
    out += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced)))
    out += b"".join(chunk(name, body) for name, body in before or [])
    if palette is not None:
        out += chunk(b"PLTE", palette)
    if transparency is not None:
        out += chunk(b"tRNS", transparency)
    data = zlib.compress(raw)
    out += b"".join(chunk(b"IDAT", data[i : i + idat]) for i in range(0, len(data), idat))
    return out + chunk(b"IEND", b"")
