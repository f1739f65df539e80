"""The worker from outside: what it refuses, how it ends, and what it answers."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from controller import DECODE, MAIN, SECRET, Controller, packed

WORKER = ("-I", "-u", str(MAIN))
SPEC = {
    "resize": 256,
    "crop": 224,
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "interpolation": "bilinear",
}


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, *WORKER, *arguments], input=stdin, capture_output=True, timeout=60)


def line(**changes: object) -> bytes:
    fields = {"endpoint": "ipc:///tmp/nowhere", "secret": SECRET, "generation": 1, **changes}
    return json.dumps({key: value for key, value in fields.items() if value is not None}).encode() + b"\n"


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [
        (b"", "stdin ended"),
        (b"\n", "not JSON"),
        (b"[" * 5000 + b"\n", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b"x" * 9000, "longer than"),
        (line(endpoint="tcp://10.0.0.1:80"), "endpoint"),
        (line(endpoint="tcp://127.0.0.1:80"), "curve"),
        (line(endpoint="ipc://" + "x" * 300), "endpoint"),
        (line(secret="abc"), "secret"),
        (line(generation=True), "generation"),
        (line(extra=1), "extra"),
    ],
)
def test_a_bad_start_up_line_ends_with_64_and_one_sentence_without_secrets(stdin, reason):
    ended = run("serve", stdin=stdin)
    assert ended.returncode == 64
    sentence = ended.stderr.decode()
    assert reason in sentence
    assert sentence.count("\n") == 1
    assert SECRET not in sentence
    assert "ipc:///" not in sentence
    assert "xxx" not in sentence


def test_a_bad_command_line_ends_with_64():
    assert run("dance").returncode == 64
    assert run("make", "--seed", "-1", "--out", "x.pth").returncode == 64
    assert run("make", "--seed", "one", "--out", "x.pth").returncode == 64


@pytest.mark.parametrize(
    ("changes", "code", "exit_code"),
    [
        ({"checkpoint": "/nowhere.pth"}, "WEIGHTS_NOT_FOUND", 66),
        ({"sha256": "0" * 64}, "CHECKPOINT_CORRUPT", 65),
        ({"device": "cuda:7"}, "DEVICE_UNAVAILABLE", 78),
    ],
)
def test_a_load_that_fails_is_answered_and_ends_the_worker(start, checkpoint, changes, code, exit_code):
    worker = start()
    worker.hello()
    worker.load(checkpoint, **changes)
    error = worker.until("error", "ready")
    assert (error.type, error.id, error.fields.get("code")) == ("error", 1, code)
    assert b"Traceback" in bytes(error.frames["traceback"][1])
    assert worker.wait() == exit_code


def test_a_failed_import_is_answered_and_ends_with_69(start, checkpoint):
    script = f"import sys; sys.modules['torch'] = None; sys.argv = ['x', 'serve']; {RUN_MAIN}"
    worker = start("-c", script)
    worker.hello()
    worker.load(checkpoint)
    error = worker.until("error")
    assert error.fields["code"] == "ENVIRONMENT_BROKEN"
    assert "doctor" in error.fields["hint"]
    assert worker.wait() == 69


RUN_MAIN = f"import runpy; runpy.run_path({str(MAIN)!r}, run_name='__main__')"


def test_another_protocol_version_before_load_ends_with_76(start):
    worker = start()
    worker.hello()
    worker.send_raw(packed({"type": "ping"}, version=3))
    error = worker.until("error")
    assert error.fields["code"] == "PROTOCOL_ERROR"
    assert "protocol 3" in error.fields["message"]
    assert worker.wait() == 76


def test_the_end_of_stdin_ends_the_worker(start):
    worker = start()
    worker.hello()
    worker.end_stdin()
    assert worker.wait() == 0


def test_sigterm_ends_the_worker_and_sigint_does_not(start):
    worker = start()
    worker.hello()
    worker.process.send_signal(signal.SIGINT)
    worker.send("ping", 5)
    assert worker.receive().type == "pong"
    worker.process.send_signal(signal.SIGTERM)
    assert worker.wait() == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent-death signal is Linux's")
def test_a_worker_that_holds_the_gil_dies_with_its_parent():
    # The parent starts a process that sleeps in C without letting go of the GIL. Only the signal can end it.
    child = (
        f"import sys; sys.path.insert(0, {str(MAIN.parent.parent)!r})\n"
        "import ctypes\n"
        "from isotorch_worker import lifetime\n"
        "lifetime.die_with_parent()\n"
        "print('ready', flush=True)\n"
        "ctypes.PyDLL(None).sleep(60)"
    )
    parent = (
        "import subprocess, sys, time\n"
        f"command = [sys.executable, '-c', {child!r}]\n"
        "p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "p.stdout.readline()\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        process.wait()
        deadline = time.monotonic() + 2
        while is_running(pid):
            assert time.monotonic() < deadline, "the orphan is still there"
            time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_dead_mans_switch_fires_while_the_gil_is_held():
    script = (
        f"import sys; sys.path.insert(0, {str(MAIN.parent.parent)!r})\n"
        "import ctypes\n"
        "from isotorch_worker import lifetime\n"
        "lifetime.SILENCE_SECONDS = 0.3\n"
        "lifetime.beat()\n"
        "ctypes.PyDLL(None).sleep(60)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=20)
    assert ended.returncode == 1
    assert b"Timeout" in ended.stderr


def test_malformed_strange_and_old_messages_are_dropped_and_counted(start):
    worker = start(generation=4)
    worker.hello()
    worker.send_raw(b"\xc1")
    worker.send_raw(b"")
    worker.send_raw(*[b"x"] * 50)
    worker.send_raw(packed({"type": "ping"}, generation=3))
    worker.send("pong", 1, {"residentKiB": None})
    worker.send("progress", 1, {"phase": "load", "fraction": 0.5})
    worker.send("ping", 9)
    received = [worker.receive()]
    while received[-1].type != "pong":
        received.append(worker.receive())
    assert received[-1].id == 9
    assert [message.type for message in received[:-1]] == ["log", "log", "log"]
    assert "dropped 4 messages" in received[-2].fields["message"]
    worker.send("stop", 0)
    assert worker.wait() == 0


def test_a_request_that_cannot_be_read_ends_its_call(start):
    worker = start(generation=4)
    worker.hello()
    header = {"type": "decode", "maxPixels": -1}
    worker.send_raw(packed(header, number=7, generation=4))
    error = worker.until("error")
    assert (error.id, error.fields["code"]) == (7, "PROTOCOL_ERROR")
    # Not even msgpack: its address says whose call it was.
    worker.send_raw(packed({}, number=8, generation=4)[:12] + b"\xc1")
    assert worker.until("error").id == 8
    # What is nobody's call is counted, and answered by nothing.
    worker.send_raw(packed(header, number=7, generation=3))
    worker.send_raw(packed(header, number=0, generation=4))
    worker.send("ping", 9)
    received = [worker.receive()]
    while received[-1].type != "pong":
        received.append(worker.receive())
    assert {message.type for message in received} == {"log", "pong"}


def test_work_before_load_is_refused_but_decoding_is_not(start, jpeg):
    worker = start()
    worker.hello()
    worker.infer(2, "encoded", ("|u1", (len(jpeg),), jpeg))
    assert worker.receive().fields["code"] == "PROTOCOL_ERROR"
    worker.send("decode", 3, DECODE, encoded=("|u1", (len(jpeg),), jpeg))
    result = worker.receive()
    assert (result.type, result.id) == ("result", 3)
    assert bytes(result.frames["picture"][1]) == Image.open(io.BytesIO(jpeg)).convert("RGB").tobytes()
    worker.send("decode", 4, DECODE, encoded=("|u1", (5,), b"hello"))
    assert worker.receive().fields["code"] == "UNSUPPORTED_FORMAT"
    worker.send("stop", 0)
    assert worker.wait() == 0


def test_a_picture_of_many_megapixels_comes_back_whole(start):
    worker = start()
    worker.hello()
    image = Image.frombytes("L", (7000, 6000), np.random.default_rng(1).bytes(7000 * 6000))
    buffer = io.BytesIO()
    image.save(buffer, "PPM")
    data = buffer.getvalue()
    worker.send("decode", 3, DECODE, encoded=("|u1", (len(data),), data))
    result = worker.receive()
    assert result.frames["picture"][0].shape == (6000, 7000, 3)
    assert bytes(result.frames["picture"][1]) == image.convert("RGB").tobytes()


def test_a_worker_that_prints_keeps_the_protocol(start):
    noisy = (
        "import os, sys; sys.argv = ['x', 'serve']\n"
        f"sys.path.insert(0, {str(MAIN.parent.parent)!r})\n"
        "from isotorch_worker import channel\n"
        "def resident_kib():\n"
        "    print('a line that nobody asked for')\n"
        "    os.write(1, b'and one past Python\\n')\n"
        "channel.resident_kib = resident_kib\n" + RUN_MAIN
    )
    worker = start("-u", "-c", noisy)
    worker.hello()
    worker.send("ping", 3)
    assert worker.receive().type == "pong"
    worker.send("stop", 0)
    assert worker.wait() == 0
    assert worker.process.stdout.read() == b""
    assert worker.stderr() == "a line that nobody asked for\nand one past Python\n"


# Pictures of one tensor that keep resnet18 computing while other messages come.
MANY = 8


def test_from_load_to_stop(start, resnet18, jpeg):
    """One real worker for everything that needs the network, because a start takes seconds."""
    worker = start()
    worker.hello()
    sha256 = hashlib.sha256(resnet18.read_bytes()).hexdigest()
    worker.load(resnet18, model="resnet18", sha256=sha256, device="auto")
    phases = []
    while (message := worker.receive()).type == "progress":
        phases.append(message.fields["phase"])
    assert list(dict.fromkeys(phases)) == ["import", "verify", "build", "load", "warm-up"]
    assert message.type == "ready"
    ready = message.fields
    assert (ready["sha256"], ready["precision"]) == (sha256, "exact")
    assert ready["network"]["spec"]["resize"] == 256
    assert {"python", "torch", "torchvision", "pillow", "cuda", "onednn"} <= set(ready["versions"])
    assert len(json.loads(bytes(message.frames["categories"][1]))) == 1000
    assert "resnet101" in json.loads(bytes(message.frames["models"][1]))

    answers_are_plain_pytorchs(worker, resnet18, jpeg)
    one_failure_leaves_the_next_request_unharmed(worker)
    pings_are_answered_while_the_network_computes(worker)
    late_and_cancelled_requests_are_not_computed(worker)
    too_many_requests_are_refused(worker)

    worker.load(resnet18)
    assert worker.until("error").fields["message"] == "a second load"
    tensor = np.zeros((MANY, 3, 224, 224), np.float32)
    worker.infer(90, "tensor", ("<f4", tensor.shape, tensor.tobytes()))
    worker.infer(91, "tensor", ("<f4", tensor.shape, tensor.tobytes()))
    worker.send("ping", 92)
    assert reply(worker).type == "pong"
    worker.send("stop", 0)
    first, second = reply(worker), reply(worker)
    assert (first.id, second.id) == (90, 91)
    # What has begun is finished; on a busy machine not even the first may have.
    assert first.type == "result" or first.fields["code"] == "CLOSED"
    assert second.fields["code"] == "CLOSED"
    assert worker.wait() == 0


def reply(worker):
    """The next answer; the worker logs what it learns between them."""
    return worker.until("result", "error", "pong")


def answers_are_plain_pytorchs(worker, checkpoint, jpeg):
    file = checkpoint.with_name("picture.jpg")
    file.write_bytes(jpeg)
    labels = MAIN.parents[2] / "models" / "imagenet_classes.txt"
    script = str(MAIN.parent.parent / "plain.py")
    arguments = ["--model", "resnet18", "--checkpoint", str(checkpoint), "--threads", "2"]
    output = subprocess.run(
        [sys.executable, script, *arguments, "--labels", str(labels), str(file)],
        capture_output=True,
        check=True,
    )
    plain = json.loads(output.stdout)
    worker.infer(10, "encoded", ("|u1", (len(jpeg),), jpeg), include=["logits", "probabilities"])
    result = reply(worker)
    frames = {name: bytes(data) for name, (_, data) in result.frames.items()}
    assert hashlib.sha256(frames["logits"]).hexdigest() == plain["logits_sha256"]
    assert np.frombuffer(frames["indices"], "<i8").tolist() == [top["index"] for top in plain["top5"]]
    assert np.frombuffer(frames["percentages"], "<f4").tolist() == [top["percent"] for top in plain["top5"]]
    probabilities = np.frombuffer(frames["probabilities"], "<f4")
    scores = np.frombuffer(frames["scores"], "<f4")
    assert scores.tolist() == probabilities[np.frombuffer(frames["indices"], "<i8")].tolist()
    assert set(result.fields["timings"]) == {"queue", "prepare", "forward", "rank"}


def one_failure_leaves_the_next_request_unharmed(worker):
    tensor = np.full((1, 3, 224, 224), np.nan, np.float32)
    worker.infer(20, "tensor", ("<f4", tensor.shape, tensor.tobytes()))
    assert reply(worker).fields["code"] == "BAD_TENSOR"
    pixels = np.zeros((2, 224, 224, 3), np.uint8)
    worker.infer(21, "pixels", ("|u1", pixels.shape, pixels.tobytes()), topK=0)
    result = reply(worker)
    assert result.frames["indices"][0].shape == (2, 1000)


def pings_are_answered_while_the_network_computes(worker):
    tensor = np.zeros((MANY, 3, 224, 224), np.float32)
    worker.infer(30, "tensor", ("<f4", tensor.shape, tensor.tobytes()))
    worker.send("ping", 31)
    assert reply(worker).type == "pong"
    assert reply(worker).id == 30


def late_and_cancelled_requests_are_not_computed(worker):
    tensor = np.zeros((MANY, 3, 224, 224), np.float32)
    frame = ("<f4", tensor.shape, tensor.tobytes())
    worker.infer(40, "tensor", frame)
    worker.infer(41, "tensor", frame)
    worker.infer(42, "tensor", frame, deadlineMs=1)
    worker.send("cancel", 41)
    replies = [reply(worker) for _ in range(3)]
    assert [(answer.id, answer.fields.get("code")) for answer in replies] == [
        (40, None),
        (41, "ABORTED"),
        (42, "DEADLINE_EXCEEDED"),
    ]


def too_many_requests_are_refused(worker):
    slow = np.zeros((MANY, 3, 224, 224), np.float32)
    small = np.zeros((1, 3, 32, 32), np.float32)
    for request in range(50, 70):
        tensor = slow if request == 50 else small
        worker.infer(request, "tensor", ("<f4", tensor.shape, tensor.tobytes()))
    replies = [reply(worker) for _ in range(20)]
    codes = [answer.fields["code"] for answer in replies if answer.type == "error"]
    assert set(codes) == {"QUEUE_FULL"}
    assert sorted(answer.id for answer in replies) == list(range(50, 70))


def test_a_missing_untrained_checkpoint_is_made_the_same_from_its_seed(start, checkpoint, tmp_path):
    worker = start()
    path = tmp_path / "cache" / "untrained.pth"
    ready = worker.ready(path, seed=7)
    assert path.read_bytes() == checkpoint.read_bytes()
    assert ready.fields["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_probe_needs_no_torch_and_says_what_is_missing():
    answer = json.loads(run("probe").stdout)
    assert answer["missing"] == []
    assert set(answer["versions"]) == {"torch", "torchvision", "PIL", "zmq", "msgpack", "numpy"}
    script = (
        "import sys; sys.argv = ['x', 'probe', '--import']\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n" + RUN_MAIN
    )
    hidden = json.loads(
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    )
    assert hidden["missing"] == ["torch"]
    assert "torch" in hidden["errors"]
    assert hidden["versions"]["zmq"]


def test_the_real_probe_imports_everything():
    answer = json.loads(run("probe", "--import").stdout)
    assert answer["errors"] == {}
    assert answer["torch"]["defaultThreads"] >= 1


def test_a_secure_tcp_endpoint_works():
    import zmq

    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    public, secret = zmq.curve_keypair()
    router.curve_server = True
    router.curve_secretkey = secret
    router.curve_publickey = public
    port = router.bind_to_random_port("tcp://127.0.0.1")
    endpoint = f"tcp://127.0.0.1:{port}"
    stdin = line(endpoint=endpoint, curve={"serverKey": public.decode()})
    with subprocess.Popen(
        [sys.executable, *WORKER], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.flush()
        assert router.poll(10_000)
        assert b"hello" in router.recv_multipart()[1]
        process.stdin.close()
        assert process.wait(10) == 0
    router.close(0)
    context.term()


def test_hello_waits_for_no_import_of_pytorch(start):
    never = (
        "import sys, time; sys.argv = ['x', 'serve']\n"
        "class Never:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch': time.sleep(600)\n"
        "sys.meta_path.insert(0, Never())\n" + RUN_MAIN
    )
    worker = start("-c", never)
    hello = worker.hello()
    assert hello.fields["pid"] == worker.process.pid
    assert hello.fields["executable"] == sys.executable


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """One worker without a network for those that import PyTorch to answer."""
    worker = Controller(tmp_path_factory.mktemp("bare") / "w")
    worker.hello()
    yield worker
    worker.close()


def test_a_file_is_preprocessed_as_torchvision_does_it_and_the_picture_comes_where_it_is_wanted(bare, jpeg):
    import numpy as np
    from PIL import Image
    from torchvision import transforms

    bare.send("decode", 3, {**DECODE, "spec": SPEC, "picture": False}, encoded=("|u1", (len(jpeg),), jpeg))
    lean = bare.receive()
    bare.send("decode", 4, {**DECODE, "spec": SPEC, "picture": True}, encoded=("|u1", (len(jpeg),), jpeg))
    full = bare.receive()

    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    cropped = transforms.CenterCrop(224)(transforms.Resize(256)(picture))
    tensor = transforms.Normalize(SPEC["mean"], SPEC["std"])(transforms.ToTensor()(cropped))
    assert list(lean.frames) == ["cropped", "tensor"]
    assert list(full.frames) == ["picture", "cropped", "tensor"]
    for result in (lean, full):
        assert bytes(result.frames["cropped"][1]) == cropped.tobytes()
        assert bytes(result.frames["tensor"][1]) == tensor.numpy().astype(np.float32).tobytes()
    assert bytes(full.frames["picture"][1]) == picture.tobytes()


def test_a_picture_beyond_the_limit_of_the_request_is_refused(start, jpeg):
    worker = start()
    worker.hello()
    worker.send("decode", 3, {**DECODE, "maxPixels": 100}, encoded=("|u1", (len(jpeg),), jpeg))
    error = worker.receive()
    assert error.fields["code"] == "INPUT_TOO_LARGE"
    assert "limits.pixels" in error.fields["hint"]


def test_a_worker_without_a_network_is_attested_too(bare):
    from isotorch_worker.pictures.attest import attestation

    bare.send("attest", 5, {"spec": SPEC, "deadlineMs": None, "following": 0})
    frame = bare.receive().frames["attestation"]
    assert json.loads(bytes(frame[1])) == attestation(SPEC)
