"""Runs a command on a terminal and types Ctrl-C: ``terminal.py WHEN [again] -- COMMAND…``.

WHEN is an absolute path that appears, or a text that is shown; ``never`` types nothing. With ``again`` a
second Ctrl-C follows when the first one has been answered. Passes on what is shown, and ends as the command
does.
"""

from __future__ import annotations

import os
import pty
import select
import sys
from pathlib import Path

CTRL_C = b"\x03"
ANSWER = b"Interrupted."

split = sys.argv.index("--")
when, again, command = sys.argv[1], "again" in sys.argv[2:split], sys.argv[split + 1 :]


was_absent = False


def has_come(shown: bytes) -> bool:
    """Whether it is time. A path that is there from before has to go first."""
    global was_absent
    if when == "never":
        return False
    if not when.startswith("/"):
        return when.encode() in shown
    is_there = Path(when).exists()
    was_absent = was_absent or not is_there
    return is_there and was_absent


pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
shown = b""
typed = 0
while True:
    if select.select([terminal], [], [], 0.05)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        os.write(1, piece)
    if (typed == 0 and has_come(shown)) or (typed == 1 and again and ANSWER in shown):
        os.write(terminal, CTRL_C)
        typed += 1
_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
