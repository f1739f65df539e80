"""Serves a directory of channels on 127.0.0.1: ``serve.py FOLDER RATE_FILE``.

Prints its port. RATE_FILE holds the bytes per second of each connection and is read again for each piece that
is sent; 0 is no limit. Each request is told on stderr with the bytes that were sent.
"""

from __future__ import annotations

import re
import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

FOLDER, RATE_FILE = Path(sys.argv[1]).absolute(), Path(sys.argv[2])
PIECE = 256 * 1024


def rate() -> float:
    try:
        return float(RATE_FILE.read_text("utf-8"))
    except (OSError, ValueError):
        return 0


class Handler(SimpleHTTPRequestHandler):
    """As the servers of conda's channels do, it can send what follows after a number of bytes."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(FOLDER))

    def send_head(self) -> IO[bytes] | None:
        file = Path(self.translate_path(self.path))
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None or not file.is_file():
            return super().send_head()
        size, start = file.stat().st_size, int(asked[1])
        self.send_response(206)
        self.send_header("Content-Length", str(size - start))
        self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        source = file.open("rb")
        source.seek(start)
        return source

    def copyfile(self, source: Any, outputfile: Any) -> None:
        sent = 0
        try:
            while piece := source.read(PIECE):
                outputfile.write(piece)
                sent += len(piece)
                if rate() > 0:
                    time.sleep(len(piece) / rate())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        sys.stderr.write(f"{self.path} {sent}\n")
        sys.stderr.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
