"""The start-up line that the controller writes to stdin, and the hello that answers it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import platform
import re
import sys
from dataclasses import dataclass
from typing import Any, cast

from isotorch_worker import __version__
from isotorch_worker.protocol.errors import StartupError
from isotorch_worker.protocol.wire import MAX_INTEGER, Message, clip

MAX_LINE_BYTES = 8192


_SECRET = re.compile(rb'"secret"\s*:\s*"([0-9a-f]{64})"')


@dataclass
class Startup:
    """Where to connect and how to prove that this process is the one that was started."""

    endpoint: str
    secret: bytearray
    generation: int
    server_key: bytes | None


def parse_startup(line: bytearray) -> Startup:
    """Read the one line of JSON, without its newline.

    Raises StartupError; its message never repeats the secret or the endpoint.
    """
    taken = _take_secret(line)
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise StartupError("the start-up line is not JSON") from None
    if not isinstance(value, dict):
        raise StartupError("the start-up line is not a JSON object")
    fields = cast("dict[str, Any]", value)
    unknown = sorted(set(fields) - {"endpoint", "secret", "generation", "curve"})
    if unknown:
        raise StartupError(f"the start-up line has no key {unknown[0]!r}")
    endpoint, secret, generation = fields.get("endpoint"), fields.get("secret"), fields.get("generation")
    if not isinstance(endpoint, str) or re.match(r"ipc://.|tcp://127\.0\.0\.1:\d", endpoint) is None:
        raise StartupError("endpoint: expected ipc://PATH or tcp://127.0.0.1:PORT")
    if taken is None or not isinstance(secret, str) or re.fullmatch("0{64}", secret) is None:
        raise StartupError("secret: expected 64 lower-case hex digits")
    if type(generation) is not int or not 0 <= generation <= MAX_INTEGER:
        raise StartupError("generation: expected an integer that is not negative")
    server_key = _server_key(fields.get("curve"))
    if endpoint.startswith("tcp:") and server_key is None:
        raise StartupError("curve: tcp needs a server key")
    return Startup(endpoint, taken, generation, server_key)


def hello(startup: Startup) -> Message:
    """The first message, with its proof: HMAC-SHA256 of generation and process id. Forgets the secret."""
    pid = os.getpid()
    text = f"isotorch hello {startup.generation} {pid}"
    proof = hmac.new(startup.secret, text.encode("ascii"), hashlib.sha256).hexdigest()
    for i in range(len(startup.secret)):
        startup.secret[i] = 0
    fields = {
        "package": __version__,
        "proof": proof,
        "pid": pid,
        "python": platform.python_version(),
        "executable": clip(sys.executable, 1000),
    }
    return Message("hello", 0, startup.generation, fields)


def _server_key(curve: Any) -> bytes | None:
    if curve is None:
        return None
    key = cast("dict[str, Any]", curve).get("serverKey") if isinstance(curve, dict) else None
    if not isinstance(key, str) or len(key) != 40 or not key.isascii():
        raise StartupError("curve: expected a serverKey of 40 Z85 characters")
    return key.encode("ascii")


def _take_secret(line: bytearray) -> bytearray | None:
    """The secret in the line, overwritten there: nothing that cannot be wiped ever holds it."""
    found = _SECRET.search(line)
    if found is None:
        return None
    start, end = found.span(1)
    del found
    secret = bytearray(32)
    for at in range(start, end):
        digit = line[at]
        nibble = digit - 48 if digit < 58 else digit - 87
        secret[(at - start) // 2] = secret[(at - start) // 2] << 4 | nibble
        line[at] = 48
    return secret
