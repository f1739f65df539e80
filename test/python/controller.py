"""The controller's side in Python: a ROUTER, a child process, and messages both ways."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import msgpack
import zmq

from isotorch_worker.protocol.wire import Descriptor, Message, decode, encode

MAIN = Path(__file__).resolve().parents[2] / "python" / "isotorch_worker" / "__main__.py"
SECRET = "5a" * 32
# The network of what does not depend on one: 5 MB, and every layer has a BatchNorm.
SMALL = "shufflenet_v2_x0_5"
# A decode request as pictures are read by default.
DECODE = {
    "exif": "ignore",
    "icc": "ignore",
    "mode": "convert-rgb",
    "maxPixels": 50_000_000,
    "spec": None,
    "picture": True,
    "deadlineMs": None,
    "following": 0,
}


def packed(header: object, number: int = 7, generation: int = 1, version: int = 2) -> bytes:
    """A header with any map in it, sound or not."""
    address = struct.pack(">3sBII", b"iso", version, generation, number)
    return address + cast("bytes", msgpack.packb(header))


class Controller:
    """One worker and the socket to it; ``prefix`` replaces the interpreter's arguments."""

    def __init__(
        self, socket_path: Path, *prefix: str, generation: int = 1, env: dict[str, str] | None = None
    ):
        self.generation = generation
        self.context: zmq.Context[Any] = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.LINGER, 0)
        # pytest's own directories are too long for a socket's path.
        self.path = Path(os.path.relpath(socket_path))
        self.endpoint = f"ipc://{self.path}"
        self.router.bind(self.endpoint)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *(prefix or ("-I", "-u", str(MAIN), "serve"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
        line = {"endpoint": self.endpoint, "secret": SECRET, "generation": generation}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()
        self.peer = b""

    def receive(self, timeout: float = 60) -> Message:
        """The next message; fails the test after ``timeout`` seconds."""
        if not self.router.poll(timeout * 1000):
            raise TimeoutError(f"nothing came; the worker's exit code is {self.process.poll()}")
        self.peer, *frames = self.router.recv_multipart()
        return decode(frames)

    def until(self, *types: str, timeout: float = 60) -> Message:
        """The next message of one of these types."""
        while True:
            message = self.receive(timeout)
            if message.type in types:
                return message

    def hello(self) -> Message:
        message = self.receive()
        assert message.type == "hello"
        text = f"isotorch hello {self.generation} {message.fields['pid']}".encode()
        assert message.fields["proof"] == hmac.new(bytes.fromhex(SECRET), text, hashlib.sha256).hexdigest()
        return message

    def send(self, kind: str, id_: int, fields: dict[str, Any] | None = None, **frames: Any) -> None:
        described = {name: (Descriptor(name, *what[:2]), what[2]) for name, what in frames.items()}
        self.send_raw(*encode(Message(kind, id_, self.generation, fields or {}, described)))

    def send_raw(self, *frames: Any) -> None:
        self.router.send_multipart([self.peer, *frames])

    def load(self, path: Path, **changes: Any) -> None:
        fields = {
            "task": "image-classification",
            "model": SMALL,
            "checkpoint": str(path),
            "checkpointKey": None,
            "sha256": None,
            "seed": None,
            "network": {"transforms": "IMAGENET1K_V1", "spec": None},
            "device": "cpu",
            "precision": "exact",
            "threads": 2,
            "maxBatch": 0,
        }
        self.send("load", 1, {**fields, **changes})

    def ready(self, path: Path, **changes: Any) -> Message:
        """Through hello and load to ready."""
        self.hello()
        self.load(path, **changes)
        message = self.until("ready", "error")
        assert message.type == "ready", message
        return message

    def infer(
        self, id_: int, handoff: str, frame: Any, include: list[str] | None = None, **changes: Any
    ) -> None:
        fields = {
            "handoff": handoff,
            "topK": 5,
            "activation": "softmax",
            "include": include or [],
            "maxPixels": 178_956_970,
            "deadlineMs": None,
            "following": 0,
            **changes,
        }
        self.send("classify", id_, fields, **{handoff: frame})

    def end_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait(self, timeout: float = 20) -> int:
        return self.process.wait(timeout)

    def stderr(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.router.close()
        self.context.term()
        self.path.unlink(missing_ok=True)
