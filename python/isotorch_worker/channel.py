"""The socket to the controller and the one thread that owns it.

The thread answers pings while the main thread computes, keeps what is to be computed, and drops what does not
belong to this worker. The main thread hands it encoded messages over an inproc pair.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import zmq

from isotorch_worker import lifetime
from isotorch_worker.base.memory import resident_kib
from isotorch_worker.inbox import Inbox, Request
from isotorch_worker.protocol.errors import (
    ProtocolError,
    ProtocolVersionError,
    QueueFull,
    StartupError,
    WorkerError,
)
from isotorch_worker.protocol.wire import (
    MAX_FRAME_BYTES,
    MAX_FRAMES,
    REQUESTS,
    Message,
    Payload,
    address_of,
    byte_frame,
    clip,
    decode,
    encode,
)
from isotorch_worker.startup import Startup, hello

HIGH_WATER_MARK = 8
LINGER_MS = 1000
MAX_WAITING = 16
MAX_WAITING_BYTES = 192 * 1024 * 1024
BATCHES = 2
# What the controller sends beside its batches: batch.ts.
MAX_APART = 8
POLL_MS = 1000
BEAT_SECONDS = 5.0
FRAMES_PER_TURN = 64


class Channel:
    """Connects, says hello and then runs its thread until ``close``."""

    def __init__(self, startup: Startup) -> None:
        """Raises StartupError if the endpoint cannot be used."""
        self.generation = startup.generation
        self.dropped: Counter[str] = Counter()
        self.arrived: Callable[[Request], None] = _nothing
        """Hears of each request that is kept, on the channel's thread, before ``next`` gives it."""
        self._requests = Inbox()
        self._pending: dict[int, Request] = {}
        self._pending_lock = threading.Lock()
        self._loaded = False
        self._max_waiting = MAX_WAITING
        self._max_waiting_bytes = MAX_WAITING_BYTES
        self._context: zmq.Context[Any] = zmq.Context()
        self._dealer = self._connect(startup)
        self._inbox = self._context.socket(zmq.PAIR)
        self._outbox = self._context.socket(zmq.PAIR)
        for end in (self._inbox, self._outbox):
            end.setsockopt(zmq.LINGER, LINGER_MS)
            end.set_hwm(HIGH_WATER_MARK)
        self._inbox.bind("inproc://outgoing")
        self._outbox.connect("inproc://outgoing")
        self._dealer.send_multipart(encode(hello(startup)))
        self._thread = threading.Thread(target=self._run, name="channel", daemon=True)
        self._thread.start()

    def next(self, wait: bool = True) -> list[Request]:
        """What is to be done together, as Inbox.next. Main thread only."""
        return self._requests.next(wait)

    def again(self, request: Request) -> None:
        """Give a request back to ``next``: it is prepared now. Any thread."""
        self._requests.put_back(request)

    def make_room(self, inputs: int, input_bytes: int) -> None:
        """Hold what two batches need, of so many inputs of so many bytes, and what is prepared besides."""
        with self._pending_lock:
            self._max_waiting = max(MAX_WAITING, BATCHES * inputs + MAX_APART)
            self._max_waiting_bytes = max(MAX_WAITING_BYTES, BATCHES * inputs * input_bytes)

    def log(self, level: str, text: str) -> None:
        """Tell the controller's logger. Main thread only."""
        self.send(Message("log", 0, self.generation, {"level": level, "message": clip(text)}))

    def send(self, message: Message) -> None:
        """Hand a message to the thread; waits while the controller reads nothing. Main thread only."""
        self._outbox.send_multipart(encode(message), copy=False)

    def finish(self, request: Request) -> None:
        """Forget a request that was answered; a later cancel for it then means nothing."""
        with self._pending_lock:
            self._pending.pop(request.message.id, None)

    def unfinished(self) -> list[Request]:
        """The requests that have no answer yet, oldest first."""
        with self._pending_lock:
            return list(self._pending.values())

    def close(self) -> None:
        """Send what is queued, for about one second at most, and close everything. Main thread only."""
        # An empty header is no message: it is the end.
        self._outbox.send(b"")
        self._thread.join(LINGER_MS / 1000)
        self._outbox.close()
        if not self._thread.is_alive():
            self._context.term()

    def _connect(self, startup: Startup) -> zmq.Socket[Any]:
        dealer = self._context.socket(zmq.DEALER)
        try:
            dealer.setsockopt(zmq.LINGER, LINGER_MS)
            dealer.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
            dealer.set_hwm(HIGH_WATER_MARK)
            if startup.server_key is not None:
                dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
                dealer.curve_serverkey = startup.server_key
            dealer.connect(startup.endpoint)
        except zmq.ZMQError as error:
            # The error's own text names the endpoint, which no log may carry.
            raise StartupError(f"the endpoint cannot be used: {zmq.strerror(error.errno or 0)}") from None
        return dealer

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:
            # Without its channel the process can tell nobody anything; the controller starts another.
            lifetime.abandon()
        lifetime.rest()
        self._dealer.close()
        self._inbox.close()

    def _serve(self) -> None:
        poller = zmq.Poller()
        held: list[Any] | None = None
        next_beat = 0.0
        while True:
            if time.monotonic() >= next_beat:
                lifetime.beat()
                next_beat = time.monotonic() + BEAT_SECONDS
            # While a message waits for room no other is taken, so the main thread waits too.
            poller.register(self._dealer, zmq.POLLIN if held is None else zmq.POLLIN | zmq.POLLOUT)
            poller.register(self._inbox, zmq.POLLIN if held is None else 0)
            ready = dict(poller.poll(POLL_MS))
            if self._inbox in ready:
                frames: list[Any] = self._inbox.recv_multipart(copy=False)
                if len(frames[0]) == 0:
                    return
                held = frames
            if held is not None and self._send_now(held):
                held = None
            if ready.get(self._dealer, 0) & zmq.POLLIN:
                self._receive()

    def _send_now(self, frames: list[Any]) -> bool:
        try:
            self._dealer.send_multipart(frames, flags=zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        return True

    def _receive(self) -> None:
        for _ in range(FRAMES_PER_TURN):
            frames: list[Payload] = []
            try:
                frame = self._dealer.recv(flags=zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            while True:
                # What lies beyond the limit is read and forgotten; decode refuses the message.
                if len(frames) <= 1 + MAX_FRAMES:
                    frames.append(frame.buffer)
                if not frame.more:
                    break
                frame = self._dealer.recv(copy=False)
            self._accept(frames)

    def _accept(self, frames: list[Payload]) -> None:
        try:
            message = decode(frames)
        except ProtocolVersionError as error:
            if self._loaded:
                self._drop(error.message)
            else:
                self._requests.put(error)
            return
        except ProtocolError as error:
            address = address_of(frames)
            if address is not None and address.id > 0 and address.generation == self.generation:
                # Whoever waits for the answer hears at once that there will be none.
                self._send_now(encode(error_message(error, address.id, self.generation)))
            self._drop(error.message)
            return
        if message.generation != self.generation:
            self._drop("another generation")
        elif message.type == "ping":
            fields = {"residentKiB": resident_kib()}
            self._send_now(encode(Message("pong", message.id, self.generation, fields)))
        elif message.type == "cancel":
            with self._pending_lock:
                request = self._pending.get(message.id)
            if request is not None:
                request.cancel()
        elif message.type == "stop":
            self._requests.stop()
        elif message.type in REQUESTS:
            self._keep(Request(message))
        elif message.type != "pong":
            self._drop(f"{message.type} is not for a worker")

    def _keep(self, request: Request) -> None:
        self._loaded = self._loaded or request.message.type == "load"
        with self._pending_lock:
            known = request.message.id in self._pending
            waiting = len(self._pending)
            size = request.size + sum(other.size for other in self._pending.values())
            full = waiting >= self._max_waiting or (waiting > 0 and size > self._max_waiting_bytes)
            if not known and not full:
                self._pending[request.message.id] = request
        if known:
            self._drop("a request with the id of another")
        elif full:
            error = QueueFull(f"{waiting} requests are waiting already")
            self._send_now(encode(error_message(error, request.message.id, self.generation)))
        else:
            self.arrived(request)
            self._requests.put(request)

    def _drop(self, reason: str) -> None:
        self.dropped[reason] += 1
        count = sum(self.dropped.values())
        # At 1, 2, 4, 8, ...: a flood of bad messages is not answered by a flood of logs.
        if count & (count - 1) == 0:
            text = clip(f"dropped {count} messages, the last one because: {reason}")
            self._send_now(encode(Message("log", 0, self.generation, {"level": "warning", "message": text})))


def _nothing(_: Request) -> None:
    pass


def error_message(error: WorkerError, request_id: int, generation: int) -> Message:
    """The ``error`` message for a failure, with the last 64 KiB of its traceback and of what caused it."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    raw = text.encode("utf-8", "replace")[-65536:]
    hint = None if error.hint is None else clip(error.hint, 1000)
    fields = {"code": error.code, "message": clip(error.message), "hint": hint}
    return Message("error", request_id, generation, fields, byte_frame("traceback", raw))
