"""A picture process that does as its pictures say: they are words, and all others are read as always."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from isotorch_worker.pictures import picture, picture_process

real = picture.decode_picture


def decode_picture(data, *how):
    word, _, rest = bytes(data[:200]).partition(b" ")
    if word == b"sleep":
        time.sleep(600)
    if word == b"hold":
        # In C, and no other Python thread runs meanwhile.
        ctypes.PyDLL(None).sleep(600)
    if word == b"crash":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == b"killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == b"exit":
        os._exit(7)
    if word == b"memory":
        raise MemoryError
    if word == b"once":
        # Crashes unless the file of this name is there already.
        mark = Path(os.fsdecode(rest.rstrip()))
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return picture.Image.new("RGB", (3, 2), "red")
    if word == b"print":
        print("a line that nobody asked for")
        os.write(1, b"and one past Python\n")
        return picture.Image.new("RGB", (3, 2), "red")
    if word == b"nonsense":
        # Whatever else a hostile picture may have made of the process.
        os.write(3, b"\xff" * 64)
    return real(data, *how)


picture.decode_picture = decode_picture

if __name__ == "__main__":
    os._exit(picture_process.main())
