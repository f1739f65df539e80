"""Attacks on the worker: by a checkpoint, by a picture, by what is sent to its socket, by looking at it."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import pickle
import secrets
import signal
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path

import pytest
import torch
import zmq
from PIL import Image, features

import controller
from controller import packed
from isotorch_worker.channel import Channel
from isotorch_worker.pictures.picture import FORMATS, decode_picture
from isotorch_worker.protocol.errors import DecodeFailed, InputTooLarge, UnsupportedFormat, WorkerError
from isotorch_worker.protocol.wire import MAX_FRAME_BYTES
from isotorch_worker.runtime import model
from isotorch_worker.startup import StartupError, hello, parse_startup
from isotorch_worker.tasks.image_classification.load import load
from test_load import SilentChannel, message

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


# --- a hostile checkpoint, through a whole worker -----------------------------------------------------------


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


@pytest.fixture
def evil(tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint whose payload makes the second path."""
    marker = tmp_path / "executed"
    path = tmp_path / "evil.pth"
    torch.save({"fc.bias": Payload(marker)}, path)
    return path, marker


def test_the_payload_would_run_in_a_plain_unpickler(evil):
    path, marker = evil
    # torch 2.6 and later refuse by themselves unless told otherwise.
    options = {"weights_only": False} if "weights_only" in torch.load.__code__.co_varnames else {}
    torch.load(path, **options)
    assert marker.exists(), "the tests below would show nothing"


def test_a_payload_never_runs_in_a_worker(start, evil):
    path, marker = evil
    worker = start()
    worker.hello()
    worker.load(path)
    error = worker.until("error", "ready")
    assert (error.type, error.fields.get("code")) == ("error", "CHECKPOINT_MISMATCH")
    assert worker.wait() == 65
    assert not marker.exists()


@pytest.mark.parametrize(
    ("sha256", "code"),
    [(None, "CHECKPOINT_MISMATCH"), ("0" * 64, "CHECKPOINT_CORRUPT"), ("its own", "CHECKPOINT_MISMATCH")],
    ids=["nobody vouches", "another hash", "its own hash"],
)
def test_a_payload_never_runs_whoever_vouches_for_it(evil, sha256, code):
    path, marker = evil
    if sha256 == "its own":
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WorkerError) as caught:
        load(SilentChannel(), message(path, sha256=sha256))
    assert (caught.value.code, caught.value.exit_code) == (code, 65)
    # The hash stops it before it is parsed.
    assert ("has the SHA-256" in caught.value.message) == (sha256 == "0" * 64)
    assert not marker.exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_neither_pytorchs_reader_nor_an_import_by_a_pickle_is_used(monkeypatch, checkpoint, tmp_path, zipped):
    path = tmp_path / "copy.pth"
    torch.save(torch.load(checkpoint), path, _use_new_zipfile_serialization=zipped)

    def refuse(*_, **__):
        raise AssertionError("torch.load was asked")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(importlib, "import_module", refuse)
    model.load_checkpoint(path, None, controller.SMALL)


def test_what_was_verified_is_what_is_loaded(checkpoint, tmp_path, monkeypatch):
    """Swapping the file between the check and the load changes nothing: it is read once."""
    path = tmp_path / "swapped.pth"
    path.write_bytes(checkpoint.read_bytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    marker = tmp_path / "executed"
    read = model.read_checkpoint

    def swapped(*arguments):
        verified = read(*arguments)
        path.write_bytes(pickle.dumps(Payload(marker)))
        return verified

    monkeypatch.setattr(model, "read_checkpoint", swapped)
    model.load_checkpoint(path, digest, controller.SMALL)
    assert not marker.exists()


# --- the secret ---------------------------------------------------------------------------------------------


def find_in_memory(pid: int, needle: bytes) -> list[str]:
    """Where in the memory of a process these bytes are."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, mode, *rest = line.split()
            if not mode.startswith("r") or rest[-1].startswith("[v"):
                continue
            start, end = (int(address, 16) for address in span.split("-"))
            try:
                memory.seek(start)
                region = memory.read(end - start)
            except OSError:
                continue
            if needle in region:
                found.append(f"{line}: {region.find(needle)}")
    return found


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """A secret of this test's own, so that no other process has it."""
    value = secrets.token_hex(32)
    monkeypatch.setattr(controller, "SECRET", value)
    return value


@linux
def test_the_secret_is_gone_from_memory_before_a_load_can_begin(secret, tmp_path):
    # What is left of the line, and whether something else has come to lie on it, depends on its length.
    found = []
    for padding in range(0, 48, 8):
        worker = controller.Controller(shorter(tmp_path) / ("w" * (1 + padding)))
        try:
            worker.hello()
            worker.process.send_signal(signal.SIGSTOP)
            found += find_in_memory(worker.process.pid, secret.encode())
        finally:
            worker.close()
    shorter(tmp_path).unlink()
    assert found == []


def shorter(path: Path) -> Path:
    """A link to the directory with a path as short as that of a real controller's."""
    link = Path(tempfile.gettempdir()) / f"isotorch-test-{os.getpid()}"
    if not link.is_symlink():
        link.symlink_to(path)
    return link


@linux
def test_the_secrets_bytes_and_its_key_are_gone_from_memory_before_a_load_can_begin(start, secret):
    worker = start()
    worker.hello()
    worker.process.send_signal(signal.SIGSTOP)
    raw = bytes.fromhex(secret)
    inner, outer = (bytes(byte ^ pad for byte in raw) for pad in (0x36, 0x5C))
    found = [find_in_memory(worker.process.pid, needle) for needle in (raw, inner, outer)]
    there = find_in_memory(worker.process.pid, b"isotorch_worker")
    worker.process.send_signal(signal.SIGCONT)
    assert found == [[], [], []]
    assert there, "the search finds nothing at all"


def test_building_hello_wipes_the_secret(secret):
    startup = parse_startup(start_line(secret=secret))
    hello(startup)
    assert startup.secret == bytearray(32)


@linux
def test_neither_arguments_nor_environment_nor_threads_have_it(start, secret):
    worker = start()
    worker.hello()
    process = Path(f"/proc/{worker.process.pid}")
    for name in ("cmdline", "environ"):
        content = (process / name).read_bytes()
        assert secret.encode() not in content
        assert worker.endpoint.encode() not in content


def start_line(**changes: object) -> bytearray:
    fields = {"endpoint": "ipc://w", "secret": "5a" * 32, "generation": 1, **changes}
    return bytearray(json.dumps(fields).encode())


@pytest.mark.parametrize("value", ["5a" * 31, "5A" * 32, "zz" * 32, 7, None, ["5a" * 32]])
def test_a_bad_secret_is_refused_without_repeating_it(value):
    with pytest.raises(StartupError) as caught:
        parse_startup(start_line(secret=value))
    assert str(value) not in str(caught.value)


# --- what is sent to its socket -----------------------------------------------------------------------------


def test_a_frame_beyond_the_limit_never_reaches_the_worker(start):
    worker = start()
    worker.hello()
    before = resident(worker.process.pid)
    header = packed({"type": "ping"})
    worker.send_raw(header, bytes(MAX_FRAME_BYTES + 1))
    time.sleep(0.5)
    assert resident(worker.process.pid) - before < MAX_FRAME_BYTES // 2
    assert not worker.router.poll(100), "it was answered"


def test_a_message_of_ten_thousand_frames_is_dropped(start):
    worker = start()
    worker.hello()
    worker.send_raw(*[b"\x80"] * 10_000)
    worker.send("ping", 9)
    replies = [worker.receive(), worker.receive()]
    assert [reply.type for reply in replies] == ["log", "pong"]
    # What lies beyond the limit is not even kept: of ten thousand frames the decoder sees ten.
    assert replies[0].fields["message"].endswith("1 to 9 frames, this one has 10")


def test_a_controllers_message_of_another_generation_does_nothing(start):
    worker = start(generation=4)
    worker.hello()
    worker.generation = 3
    worker.send("stop", 0)
    worker.generation = 4
    worker.send("ping", 9)
    assert [worker.receive().type, worker.receive().type] == ["log", "pong"]
    assert worker.process.poll() is None


def test_the_limit_is_set_on_the_socket():
    startup = parse_startup(start_line(endpoint="ipc://test-security-nobody"))
    channel = Channel(startup)
    try:
        assert channel._dealer.getsockopt(zmq.MAXMSGSIZE) == MAX_FRAME_BYTES
    finally:
        channel.close()
        channel._context.destroy(linger=0)


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


# --- hostile pictures, those that Pillow decodes ------------------------------------------------------------


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1024)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(14_000, 14_000), (65_535, 65_535), (13_378, 13_378)])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "GIF"])
def test_a_pixel_bomb_is_refused_from_its_header(kind, size):
    width, height = size
    files = {
        "PNG": png(width, height),
        "PPM": b"P6 %d %d 255\n" % size + bytes(64),
        "BMP": b"BM" + struct.pack("<IIIIiiHHIIiiII", 100, 0, 54, 40, *size, 1, 24, *[0] * 6) + bytes(64),
        "GIF": b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + bytes(6)
        + b","
        + struct.pack("<HHHHB", 0, 0, width, height, 0)
        + b"\x02\x02D\x01\x00;",
    }
    before = resident(os.getpid())
    with pytest.raises(InputTooLarge):
        decode_picture(files[kind])
    assert resident(os.getpid()) - before < 100 * 1024 * 1024


def test_a_text_bomb_is_refused():
    packed = b"key\0\0" + zlib.compress(bytes(200 * 1024 * 1024), 9)
    before = resident(os.getpid())
    with pytest.raises(DecodeFailed):
        decode_picture(png(1, 1, chunk(b"zTXt", packed)))
    many = chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(1024 * 1024), 9))
    with pytest.raises(DecodeFailed):
        decode_picture(png(1, 1, *[many] * 100))
    assert resident(os.getpid()) - before < 100 * 1024 * 1024


@pytest.mark.parametrize("kind", ["EPS", "PDF", "TGA", "PCX", "SGI", "FLI", "PSD", "FITS", "MSP", "XBM"])
def test_pillows_other_parsers_are_not_reached(kind):
    assert kind not in FORMATS
    samples = {
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        "PDF": b"%PDF-1.4\n",
        "PSD": b"8BPS\0\1" + bytes(20),
        "FITS": b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
        "XBM": b"#define a_width 9\n#define a_height 9\nstatic char a_bits[] = {\n0x00 };",
    }
    if kind in samples:
        data = samples[kind]
    else:
        writable = {"TGA": "RGB", "PCX": "RGB", "SGI": "RGB", "MSP": "1"}
        if kind not in writable:
            data = bytes([0x2C, 0, 0, 0, 0x12, 0xAF]) + bytes(122)
        else:
            buffer = io.BytesIO()
            Image.new(writable[kind], (9, 9)).save(buffer, kind)
            data = buffer.getvalue()
    with pytest.raises(UnsupportedFormat):
        decode_picture(data)


@pytest.mark.skipif(not features.check("webp"), reason="this Pillow has no WebP")
def test_only_the_first_frame_of_an_animation_is_decoded():
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
        red, green, _ = decode_picture(buffer.getvalue()).getpixel((4, 4))
        assert red > 200 > 60 > green
