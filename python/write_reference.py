"""Writes ``models/attestation/reference.json``: what this environment makes of the built-in pictures.

    python3 python/write_reference.py [--check]

It is for servers that do not say what their Pillow does, and for machines without Python: Pillow 9 to 12 on
libjpeg-turbo all give these digests. ``--check`` compares instead of writing.
"""

from __future__ import annotations

import json
import sys

from isotorch_worker.pictures.attest import FOLDER, attestation
from isotorch_worker.runtime.model import transforms_spec


def main() -> int:
    """0, or 1 where ``--check`` finds a difference."""
    file = FOLDER / "reference.json"
    text = json.dumps(attestation(transforms_spec("IMAGENET1K_V1")), indent=2) + "\n"
    if sys.argv[1:] == ["--check"]:
        return int(file.read_text("utf-8") != text)
    file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
