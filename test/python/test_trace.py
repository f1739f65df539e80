"""The trace that a replica continues."""

import re

import pytest

from isotorch_worker.base.trace import Trace

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize("header", [f"00-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what-will-come"])
def test_a_trace_is_continued(header: str) -> None:
    trace = Trace.of(header)
    assert (trace.id, trace.parent, trace.flags) == (TRACE, SPAN, "01")
    assert trace.header() == f"00-{TRACE}-{trace.span}-01"
    assert re.fullmatch("[0-9a-f]{16}", trace.span)
    assert trace.span not in (SPAN, Trace.of(header).span)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_none_begins_one(header: str) -> None:
    trace = Trace.of(header)
    assert trace.parent is None
    assert trace.flags == "00"
    assert re.fullmatch("[0-9a-f]{32}", trace.id)
    assert trace.id != TRACE
