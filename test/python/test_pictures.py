"""Pictures in processes of their own: what is slow, hostile or damaged costs nobody else anything."""

from __future__ import annotations

import io
import os
import sys
import time
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from controller import DECODE, Controller
from isotorch_worker.pictures import picture_child, picture_pool, picture_reader
from isotorch_worker.pictures.picture import decode_picture
from isotorch_worker.pictures.picture_pool import Pictures
from isotorch_worker.pictures.picture_reader import Encoded
from isotorch_worker.pictures.transforms import cropped, preprocess
from isotorch_worker.protocol.errors import (
    Aborted,
    Closed,
    DeadlineExceeded,
    DecodeFailed,
    EnvironmentBroken,
    InputTooLarge,
    OutOfMemory,
    UnsupportedFormat,
    UnsupportedMode,
    WorkerError,
)

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc")
HERE = Path(__file__).parent
ODD = HERE / "odd_pictures.py"
SPEC = {"resize": 64, "crop": 56, "mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bilinear"}
# Whatever must happen has happened by then, on the busiest machine.
SECONDS = 60


def children(parent: int) -> list[int]:
    """The picture processes of a worker."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, above = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(above) == parent and state != "Z" and b"pictur" in command:
            found.append(int(entry.name))
    return sorted(found)


def zombies(parent: int) -> int:
    stats = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stats.append((entry / "stat").read_text().rsplit(")", 1)[1].split()[:2])
            except OSError:
                continue
    return sum(stat == ["Z", str(parent)] for stat in stats)


def until(condition):
    """Waits for a fact."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


@pytest.fixture
def odd(monkeypatch):
    """Processes that do as their pictures say."""
    monkeypatch.setattr(picture_child, "PROGRAM", ODD)
    yield from pool()


@pytest.fixture
def plain():
    yield from pool()


def pool():
    pictures = Pictures(2)
    yield pictures
    pictures.close()
    if sys.platform.startswith("linux"):
        assert children(os.getpid()) == []
        assert zombies(os.getpid()) == 0


def encoded(data: bytes, **changes) -> Encoded:
    return Encoded(data, **{"max_pixels": 10**8, "spec": None, **changes})


def read(pictures: Pictures, data: bytes, **changes):
    return pictures.submit(encoded(data, **changes)).future.result(SECONDS)


# --- what comes out -----------------------------------------------------------------------------------------


def test_a_picture_is_what_pillow_and_torchvision_make_of_it(plain, jpeg):
    expected = decode_picture(jpeg)
    whole = read(plain, jpeg)
    assert (whole.width, whole.height) == expected.size
    assert (whole.pixels, whole.cropped) == (expected.tobytes(), None)
    both = read(plain, jpeg, spec=SPEC, picture=True)
    assert (both.pixels, both.cropped) == (expected.tobytes(), cropped(expected, SPEC).tobytes())
    lean = read(plain, jpeg, spec=SPEC)
    assert (lean.pixels, lean.cropped) == (None, preprocess(expected, SPEC)[0].tobytes())


@pytest.mark.parametrize(("resize", "crop"), [([64, 48], [40, 56]), (20, [33, 64]), ([9, 500], 224)])
def test_heights_and_widths_arrive(plain, jpeg, resize, crop):
    spec = {**SPEC, "resize": resize, "crop": crop, "interpolation": "nearest"}
    found = read(plain, jpeg, spec=spec)
    assert found.cropped == cropped(decode_picture(jpeg), spec).tobytes()
    assert plain.remarks() == []


def test_how_it_is_read_arrives(plain, jpeg):
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(jpeg)).save(turned, "JPEG", exif=exif)
    data = turned.getvalue()
    assert read(plain, data, exif="apply").pixels == decode_picture(data, exif="apply").tobytes()
    grey = io.BytesIO()
    Image.new("L", (9, 9)).save(grey, "PNG")
    with pytest.raises(UnsupportedMode, match="not RGB"):
        read(plain, grey.getvalue(), mode="strict")


def test_errors_cross_with_their_code_message_and_hint(plain, jpeg):
    with pytest.raises(UnsupportedFormat, match="not a picture") as caught:
        read(plain, b"hello")
    assert "JPEG" in caught.value.hint
    with pytest.raises(DecodeFailed, match="cannot be decoded"):
        read(plain, jpeg[:2000])
    with pytest.raises(InputTooLarge, match="more than 100"):
        read(plain, jpeg, max_pixels=100)


def test_a_memory_error_is_told_and_ends_nothing(odd, jpeg):
    with pytest.raises(OutOfMemory):
        read(odd, b"memory")
    assert read(odd, jpeg).width == 320


def test_a_picture_too_long_to_be_resized_fails_alone(plain, jpeg):
    thread = io.BytesIO()
    Image.new("1", (1, 5_000_000)).save(thread, "PNG")
    with pytest.raises((OutOfMemory, DecodeFailed), match="resize"):
        read(plain, thread.getvalue(), spec=SPEC)
    assert read(plain, jpeg, spec=SPEC).cropped is not None


def test_where_the_process_crops_otherwise_torchvision_does_it_here(plain, jpeg, monkeypatch):
    from isotorch_worker.pictures import attest

    monkeypatch.setattr(attest, "shapes_agree", lambda *_: False)
    found = read(plain, jpeg, spec=SPEC)
    assert found.cropped == cropped(decode_picture(jpeg), SPEC).tobytes()
    assert found.pixels is None
    assert len(plain.remarks()) == 1
    assert plain.remarks() == []


def test_an_interpolation_that_only_torchvision_knows_is_left_to_it(plain, jpeg, monkeypatch):
    from isotorch_worker.pictures import attest

    real = attest.shapes_agree
    monkeypatch.setattr(attest, "shapes_agree", lambda spec, by: real({**spec, "resize": 65}, by))
    assert read(plain, jpeg, spec=SPEC).cropped == cropped(decode_picture(jpeg), SPEC).tobytes()


def test_another_pillow_than_the_workers_is_refused(plain, jpeg, monkeypatch):
    import PIL

    monkeypatch.setattr(PIL, "__version__", "0.0")
    with pytest.raises(EnvironmentBroken, match=r"Pillow 0\.0"):
        read(plain, jpeg)


def test_what_a_decoder_prints_does_not_reach_the_worker(odd, capfd):
    assert read(odd, b"print").width == 3
    assert capfd.readouterr() == ("", "")


# --- processes ----------------------------------------------------------------------------------------------


@linux
def test_no_process_is_there_before_a_picture_and_it_has_no_torch(plain, jpeg):
    assert children(os.getpid()) == []
    read(plain, jpeg, spec=SPEC)
    (pid,) = children(os.getpid())
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "_imaging" in maps
    assert "torch" not in maps
    assert "numpy" not in maps
    read(plain, jpeg)
    assert children(os.getpid()) == [pid]


@linux
def test_there_are_as_many_as_are_needed_and_no_more_than_allowed(odd, jpeg):
    first = odd.submit(encoded(b"sleep"))
    until(lambda: children(os.getpid()))
    assert read(odd, jpeg).width == 320
    others = [odd.submit(encoded(b"sleep")) for _ in range(3)]
    until(lambda: len(children(os.getpid())) == 2)
    for one in (first, *others):
        one.cancel()
    assert read(odd, jpeg).width == 320


@linux
@pytest.mark.parametrize("word", [b"sleep", b"hold"])
def test_cancelling_ends_the_process(odd, jpeg, word):
    one = odd.submit(encoded(word))
    (pid,) = until(lambda: children(os.getpid()))
    until(lambda: one.child is not None)
    one.cancel()
    with pytest.raises(Aborted):
        one.future.result(SECONDS)
    until(lambda: pid not in children(os.getpid()))
    assert read(odd, jpeg).width == 320


def test_the_deadline_ends_it_whether_it_is_read_or_waits(odd, jpeg):
    busy = [odd.submit(encoded(b"sleep", until=time.monotonic() + 3)) for _ in range(2)]
    waiting = odd.submit(encoded(jpeg, until=time.monotonic() + 0.5))
    with pytest.raises(DeadlineExceeded):
        waiting.future.result(SECONDS)
    for one in busy:
        with pytest.raises(DeadlineExceeded):
            one.future.result(SECONDS)
    assert read(odd, jpeg).width == 320


def test_a_cancelled_picture_that_waits_is_never_begun(odd):
    busy = [odd.submit(encoded(b"sleep")) for _ in range(2)]
    waiting = odd.submit(encoded(b"hello"))
    waiting.cancel()
    with pytest.raises(Aborted):
        waiting.future.result(SECONDS)
    for one in busy:
        one.cancel()
    wait([one.future for one in busy], SECONDS)


def test_without_a_deadline_there_is_a_limit(odd, jpeg, monkeypatch):
    monkeypatch.setattr(picture_reader, "LIMIT_SECONDS", 1)
    monkeypatch.setattr(picture_pool, "LIMIT_SECONDS", 1)
    with pytest.raises(DecodeFailed, match="not done with this picture after 1 s"):
        read(odd, b"sleep")
    assert read(odd, jpeg).width == 320


def test_both_limits_end_a_picture_before_the_controller_takes_the_worker_for_stuck():
    policy = (HERE.parents[1] / "src" / "worker" / "supervision" / "policy.ts").read_text()
    assert "overdueMs: 60_000" in policy
    assert picture_reader.START_SECONDS + picture_reader.LIMIT_SECONDS < 60


@pytest.mark.parametrize(
    ("word", "error", "text"),
    [
        (b"crash", DecodeFailed, "SIGSEGV"),
        (b"killed", OutOfMemory, "run out of memory"),
        (b"exit", WorkerError, "exit code 7"),
        (b"nonsense", WorkerError, "cannot be read"),
    ],
)
def test_a_process_that_ends_is_replaced_once_and_then_its_picture_fails(odd, jpeg, word, error, text):
    with pytest.raises(error, match=text) as caught:
        read(odd, word)
    assert type(caught.value) is error
    assert "twice" in str(caught.value)
    assert read(odd, jpeg).width == 320


def test_a_picture_whose_process_was_ended_by_somebody_is_read_in_another(odd, tmp_path):
    mark = tmp_path / "mark"
    assert read(odd, b"once " + os.fsencode(mark)).width == 3
    assert mark.exists()


@linux
def test_a_process_that_was_ended_while_it_had_nothing_costs_no_try(odd, jpeg):
    read(odd, jpeg)
    (pid,) = children(os.getpid())
    os.kill(pid, 9)
    assert read(odd, jpeg).width == 320
    assert children(os.getpid()) != [pid]


def test_a_program_that_cannot_be_started_fails_its_picture(plain, jpeg, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(WorkerError, match="could not be started"):
        read(plain, jpeg)
    monkeypatch.undo()
    assert read(plain, jpeg).width == 320


def test_closing_fails_what_is_not_done_and_leaves_nothing(odd, jpeg):
    open_ones = [odd.submit(encoded(b"sleep")) for _ in range(4)]
    odd.close()
    for one in open_ones:
        with pytest.raises(Closed):
            one.future.result(SECONDS)
    with pytest.raises(Closed):
        read(odd, jpeg)


# --- beside a network ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """One worker for all tests, around a tiny network."""
    started = Controller(tmp_path_factory.mktemp("worker") / "w", "-u", str(HERE / "odd_worker.py"))
    started.ready(Path("/nowhere.pth"), precision="fused")
    yield started
    started.close()


def send_tensor(worker, id_, **changes):
    tensor = np.full((1, 3, 8, 8), 0.5, np.float32)
    worker.infer(id_, "tensor", ("<f4", tensor.shape, tensor.tobytes()), **changes)


def send_encoded(worker, id_, data, **changes):
    worker.infer(id_, "encoded", ("|u1", (len(data),), data), **changes)


def answer(worker):
    message = worker.until("result", "error", timeout=SECONDS)
    return message.id, message.fields.get("code")


def test_slow_pictures_delay_nobody_else(worker, jpeg):
    for id_ in range(2, 6):
        send_encoded(worker, id_, b"sleep")
    worker.send("decode", 6, DECODE, encoded=("|u1", (5,), b"sleep"))
    for id_ in range(10, 14):
        send_tensor(worker, id_)
        assert answer(worker) == (id_, None)
    for id_ in range(2, 7):
        worker.send("cancel", id_)
    assert sorted(answer(worker) for _ in range(5)) == [(id_, "ABORTED") for id_ in range(2, 7)]
    send_encoded(worker, 20, jpeg)
    assert answer(worker) == (20, None)


def test_a_batch_with_a_slow_picture_is_answered_but_for_that_one(worker, jpeg):
    send_tensor(worker, 2, following=3)
    send_encoded(worker, 3, b"sleep", following=2)
    send_encoded(worker, 4, jpeg, following=1)
    send_encoded(worker, 5, b"hello", following=0)
    found = dict(answer(worker) for _ in range(3))
    assert found == {2: None, 4: None, 5: "UNSUPPORTED_FORMAT"}
    worker.send("cancel", 3)
    assert answer(worker) == (3, "ABORTED")


def test_pictures_of_a_batch_that_are_decoded_are_computed_together(worker, jpeg):
    # While the network is busy with the first, all the others are read.
    tensor = np.full((1, 3, 8, 8), 3, np.float32)
    send_encoded(worker, 2, jpeg)
    assert answer(worker) == (2, None)
    for _ in range(20):
        worker.infer(3, "tensor", ("<f4", tensor.shape, tensor.tobytes()))
        for number in range(4):
            send_encoded(worker, 4 + number, jpeg, following=3 - number)
        batches = [worker.until("result", timeout=SECONDS).fields["batch"] for _ in range(5)]
        if 4 in batches:
            return
    raise AssertionError(batches)


@linux
def test_a_deadline_ends_the_work_and_others_go_on(worker):
    send_encoded(worker, 2, b"sleep", deadlineMs=1500)
    pids = until(lambda: children(worker.process.pid))
    send_tensor(worker, 3)
    assert answer(worker) == (3, None)
    assert answer(worker) == (2, "DEADLINE_EXCEEDED")
    until(lambda: children(worker.process.pid) != pids)


@linux
def test_a_crash_costs_its_picture_and_not_the_worker(worker, jpeg):
    send_encoded(worker, 2, b"crash")
    send_tensor(worker, 3)
    send_encoded(worker, 4, jpeg)
    assert dict(answer(worker) for _ in range(3)) == {2: "DECODE_FAILED", 3: None, 4: None}
    assert worker.process.poll() is None
    assert zombies(worker.process.pid) == 0


@linux
@pytest.mark.parametrize("word", [b"sleep", b"hold"])
@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "stdin", "stop"])
def test_no_process_outlives_the_worker(start, word, end):
    worker = start("-u", str(HERE / "odd_worker.py"))
    worker.hello()
    worker.send("decode", 2, DECODE, encoded=("|u1", (len(word),), word))
    worker.send("decode", 3, DECODE, encoded=("|u1", (5,), b"print"))
    assert answer(worker) == (3, None)
    pids = children(worker.process.pid)
    assert pids
    if end == "SIGKILL":
        worker.process.kill()
    elif end == "SIGTERM":
        worker.process.terminate()
    elif end == "stdin":
        worker.end_stdin()
    else:
        worker.send("stop", 0)
        assert answer(worker) == (2, "CLOSED")
    assert worker.wait(SECONDS) == (-9 if end == "SIGKILL" else 0)
    until(lambda: not any(is_there(pid) for pid in pids))


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_end_of_stdin_ends_a_picture_process_by_itself():
    import subprocess

    from isotorch_worker.pictures import picture_wire

    with subprocess.Popen(
        [sys.executable, "-I", "-u", str(ODD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        picture_wire.write(process.stdin, {"path": sys.path})
        assert "pillow" in picture_wire.read(process.stdout, 0)[0]
        wanted = {"exif": "ignore", "icc": "ignore", "mode": "convert-rgb", "maxPixels": 100}
        picture_wire.write(
            process.stdin, {**wanted, "picture": True, "shape": None, "seconds": 600}, b"sleep"
        )
        process.stdin.close()
        assert process.wait(SECONDS) == 0


def test_code_that_lets_no_thread_run_is_ended_by_the_processs_own_switch():
    import subprocess

    from isotorch_worker.pictures import picture_wire

    with subprocess.Popen(
        [sys.executable, "-I", "-u", str(ODD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        picture_wire.write(process.stdin, {"path": sys.path})
        picture_wire.read(process.stdout, 0)
        wanted = {"exif": "ignore", "icc": "ignore", "mode": "convert-rgb", "maxPixels": 100}
        picture_wire.write(process.stdin, {**wanted, "picture": True, "shape": None, "seconds": 1}, b"hold")
        assert process.wait(SECONDS) == 1
