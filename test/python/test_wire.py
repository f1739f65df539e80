"""Golden messages, malformed messages, and random ones."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import msgpack
import pytest

from isotorch_worker.protocol.errors import ProtocolError, ProtocolVersionError
from isotorch_worker.protocol.wire import (
    MAX_HEADER_BYTES,
    Descriptor,
    Message,
    address_of,
    clip,
    decode,
    encode,
)

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "test" / "fixtures" / "wire"
GOLDEN = json.loads((FIXTURES / "golden.json").read_text("utf-8"))
BAD = json.loads((FIXTURES / "bad.json").read_text("utf-8"))


def frames_of(file: str) -> list[bytes]:
    data = (FIXTURES / file).read_bytes()
    frames: list[bytes] = []
    position = 0
    while position < len(data):
        (length,) = struct.unpack_from("<I", data, position)
        frames.append(data[position + 4 : position + 4 + length])
        position += 4 + length
    return frames


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad["file"])
def test_a_malformed_message_is_refused(bad):
    with pytest.raises(ProtocolError):
        decode(frames_of(bad["file"]))


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_is_told_apart_and_both_versions_are_named(version):
    with pytest.raises(ProtocolVersionError, match=rf"protocol {version}.*speaks 2"):
        decode(frames_of(f"bad/version-{version}.bin"))


def test_whose_a_message_is_can_be_read_whatever_stands_behind_it():
    header = frames_of("ping.bin")[0]
    assert address_of([header[:12] + b"\xc1"]) == (4294967295, 4294967295)
    assert address_of([]) is None
    assert address_of(frames_of("bad/version-3.bin")) is None


def test_a_message_that_breaks_the_protocol_is_not_sent():
    with pytest.raises(ProtocolError):
        encode(Message("ping", True, 1))
    with pytest.raises(ProtocolError):
        encode(Message("log", 0, 1, {"level": "info", "message": "\ud800"}))
    with pytest.raises(ProtocolError):
        encode(Message("decode", 1, 1, {}, {"encoded": (Descriptor("encoded", "|u1", (3,)), b"ab")}))
    versions = {f"package{i}": "x" * 1000 for i in range(5)}
    ready = {**next(g["fields"] for g in GOLDEN if g["type"] == "ready"), "versions": versions}
    names = ("categories", "models", "attestation", "remarks")
    frames = {name: (Descriptor(name, "|u1", (2,)), b"[]") for name in names}
    with pytest.raises(ProtocolError, match=str(MAX_HEADER_BYTES)):
        encode(Message("ready", 1, 1, ready, frames))


def test_random_mutations_raise_nothing_but_protocol_errors():
    rng = random.Random(20)
    originals = [frames_of(entry["file"]) for entry in GOLDEN if entry["file"] != "result-all.bin"]
    refused = 0
    for _ in range(20_000):
        frames = mutated(rng, rng.choice(originals))
        try:
            message = decode(frames)
        except ProtocolError:
            refused += 1
        else:
            decode(encode(message))
    assert refused > 10_000


def mutated(rng: random.Random, frames: list[bytes]) -> list[bytes]:
    result = [bytearray(frame) for frame in frames]
    for _ in range(rng.randint(1, 4)):
        header = result[0]
        at = rng.randrange(len(header) + 1)
        action = rng.randrange(6)
        if action == 0 and at < len(header):
            header[at] = rng.randrange(256)
        elif action == 1:
            del header[at : at + rng.randint(1, 8)]
        elif action == 2:
            header[at:at] = rng.randbytes(rng.randint(1, 8))
        elif action == 3 and at < len(header):
            header[at] ^= 1 << rng.randrange(8)
        elif action == 4:
            result.append(bytearray(rng.randbytes(rng.randrange(9))))
        elif len(result) > 1:
            result.pop()
    return [bytes(frame) for frame in result]


def test_random_bytes_raise_nothing_but_protocol_errors():
    rng = random.Random(21)
    for _ in range(5_000):
        frames = [rng.randbytes(rng.randrange(64)) for _ in range(rng.randrange(4))]
        with pytest.raises(ProtocolError):
            decode(frames)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["file"])
def test_golden_bytes_are_read_and_written_again(golden):
    frames = frames_of(golden["file"])
    message = decode([memoryview(frame) for frame in frames])
    assert (message.type, message.id, message.generation) == (
        golden["type"],
        golden["id"],
        golden["generation"],
    )
    assert message.fields == golden["fields"]
    described = [
        {"name": d.name, "dtype": d.dtype, "shape": list(d.shape), "hex": bytes(data).hex()}
        for d, data in message.frames.values()
    ]
    assert described == golden["frames"]
    assert [bytes(frame) for frame in encode(message)] == frames


def test_every_message_type_has_a_golden_message():
    from isotorch_worker.protocol.wire import MESSAGE_TYPES

    assert {golden["type"] for golden in GOLDEN} == set(MESSAGE_TYPES)


def packed(header):
    return [frames_of("ping.bin")[0][:12] + msgpack.packb(header)]


def test_a_whole_number_is_taken_where_a_float_is_expected():
    header = {"type": "progress", "phase": "load", "fraction": 1}
    assert decode(packed(header)).fields["fraction"] == 1


def test_a_float_without_a_fraction_is_an_integer_where_one_is_expected():
    taken = decode(packed({"type": "pong", "residentKiB": 7.0})).fields["residentKiB"]
    assert (taken, type(taken)) == (7, int)
    with pytest.raises(ProtocolError, match="integer"):
        decode(packed({"type": "pong", "residentKiB": 7.5}))


def test_clipped_text_fits_and_is_valid_utf8():
    assert clip("ä" * 10, 20) == "ä" * 10
    for length in range(990, 1010):
        assert len(clip("x" * (length % 3) + "ä" * length, 1000).encode()) <= 1000
    assert clip("\ud800") == "?"
