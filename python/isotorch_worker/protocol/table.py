"""The protocol as data: protocol/messages.json, which both languages read (docs/protocol.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parent / "messages.json").read_text(encoding="utf-8")
)
ERROR_CODES: tuple[str, ...] = tuple(code for codes in TABLE["codes"].values() for code in codes)


def exit_status(name: str) -> int:
    """What the process ends with for one of the table's reasons."""
    return TABLE["exitStatuses"][name]["status"]


def choices(kind: str) -> tuple[str, ...]:
    """The texts that a kind allows, in the table's order."""
    return tuple(TABLE["kinds"][kind]["oneOf"])
