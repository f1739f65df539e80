"""W3C trace context: taken over where it is well formed, else begun. Twin of src/base/trace.ts."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


@dataclass(frozen=True)
class Trace:
    """Where a request stands in a trace, https://www.w3.org/TR/trace-context/.

    In hex digits: ``id`` 32; ``parent``, the caller's part, and ``span``, this server's, 16; ``flags`` two.
    """

    id: str
    parent: str | None
    flags: str
    span: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def of(cls, header: str) -> Trace:
        """The caller's trace, or a new one where the header is none."""
        given = _TRACEPARENT.fullmatch(header)
        return cls(*given.groups()) if given is not None else cls(secrets.token_hex(16), None, "00")

    def header(self) -> str:
        """``traceparent``, continued from here."""
        return f"00-{self.id}-{self.span}-{self.flags}"
