"""Holds a file open as a virus scanner does: Python's open shares no deletion on Windows."""

import sys
import time
from pathlib import Path

path = Path(sys.argv[1])
end = time.monotonic() + 60
while not path.exists():
    if time.monotonic() > end:
        sys.exit(f"{path} did not come")
    time.sleep(0.005)
with path.open("rb"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
