"""Metrics: figures of the server for Prometheus, without anything of what was sent."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry, "namespace": "moodal"}
        self.requests = Counter(
            "requests",
            "Requests, by route, method and status",
            ("route", "method", "status"),
            **own,
        )
        self.seconds = Histogram(
            "request_seconds",
            "Seconds until an answer was sent",
            ("route",),
            buckets=SECONDS,
            **own,
        )
        self.waiting = Gauge("jobs_active", "Jobs that wait or run", **own)
        self.ended = Counter("jobs_ended", "Jobs that ended, by status", ("status",), **own)
        self.took = Histogram("job_seconds", "Seconds of work on a job", buckets=SECONDS, **own)
        self.refused = Counter("refused", "Requests refused because the queue was full", **own)
        self.restarts = Counter("worker_restarts", "Workers that had to be started again", **own)
        self.sessions = Gauge("live_sessions", "Live sessions that are open", **own)
        self.latency = Histogram(
            "live_seconds",
            "Seconds from the arrival of a live block to its answers",
            buckets=SECONDS,
            **own,
        )

    def text(self) -> bytes:
        """Return the figures as Prometheus reads them."""
        return generate_latest(self.registry)


class Measured:
    """The middleware that counts requests.

    Args:
        app: what is measured.
        metrics: where.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count it by the pattern of its route, never by its path."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.monotonic(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            route = scope.get("route")
            pattern = str(route.path) if route is not None else "other"
            self.metrics.requests.labels(pattern, scope["method"], str(status)).inc()
            self.metrics.seconds.labels(pattern).observe(time.monotonic() - begun)
