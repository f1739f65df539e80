"""What a replica tells of itself: metrics under the names of `isotorch serve`, and a line for each request.

Ray's agents export the metrics, each name with ``ray_`` before it, with the labels ``application``,
``deployment`` and ``replica`` besides those here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from ray.serve import metrics

from isotorch_worker.base.trace import Trace
from isotorch_worker.runtime.compute import Computed

SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]


class Seen:
    """One request from its headers to its answer."""

    def __init__(self, method: str, route: str, headers: Mapping[str, str]) -> None:
        self.method = method
        self.route = route
        self.trace = Trace.of(headers.get("traceparent", ""))
        self.started = time.monotonic()
        self.code: str | None = None
        """What went wrong, where something did."""


class Observer:
    """Counts and times what a replica does. Lives in the replica: Ray adds its labels there."""

    def __init__(self) -> None:
        self._requests = metrics.Counter(
            "isotorch_http_requests_total", "Requests that were answered.", ("route", "method", "status")
        )
        self._latency = metrics.Histogram(
            "isotorch_http_request_seconds",
            "From a request's headers to the end of its answer.",
            SECONDS,
            ("route",),
        )
        self._pictures = metrics.Counter(
            "isotorch_pictures_total", "Pictures and tensors, by how they ended.", ("outcome",)
        )
        self._stages = metrics.Histogram(
            "isotorch_stage_seconds", "Time of one picture in one stage.", SECONDS, ("stage",)
        )
        self._log = logging.getLogger("ray.serve")

    def answered(self, seen: Seen, status: int) -> None:
        """One count and one line; Ray puts the id of the request before it."""
        seconds = time.monotonic() - seen.started
        self._requests.inc(tags={"route": seen.route, "method": seen.method, "status": str(status)})
        self._latency.observe(seconds, tags={"route": seen.route})
        # Probes would drown the rest.
        quiet = seen.method == "GET" and status < 400
        trace = seen.trace
        words = {
            "method": seen.method,
            "path": seen.route,
            "status": status,
            "ms": f"{seconds * 1000:.1f}",
            "code": seen.code,
            "traceId": trace.id,
            "spanId": trace.span,
            "parentId": trace.parent,
        }
        line = " ".join(f"{name}={value}" for name, value in words.items() if value is not None)
        self._log.log(logging.DEBUG if quiet else logging.INFO, "answered %s", line)

    def picture(self, outcome: str) -> None:
        """``ok``, or the code of the failure."""
        self._pictures.inc(tags={"outcome": outcome})

    def computed(self, of: Computed[Any], count: int) -> None:
        """The stages of ``count`` pictures that went through the network together: each took all of it."""
        for stage, ms in (("forward", of.forward), ("rank", of.rank)):
            for _ in range(count):
                self._stages.observe(ms / 1000, tags={"stage": stage})
