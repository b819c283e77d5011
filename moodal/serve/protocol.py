"""Protocol: connections that cannot be held open by saying little, or by never reading."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from moodal.serve.settings import Limits


class _ReadInTime:
    """The part of a connection by which it is cut if the client does not read for long.

    Attributes:
        limits: bounds on the client's time.
    """

    limits: ClassVar[Limits] = Limits()
    loop: Any
    transport: Any
    _unread: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Begin to count while the client does not read."""
        super().pause_writing()  # type: ignore[misc]
        if self._unread is None:
            self._unread = self.loop.call_later(self.limits.idle, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop counting: the client reads."""
        super().resume_writing()  # type: ignore[misc]
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._forget()
        super().connection_lost(exc)  # type: ignore[misc]

    def _forget(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class BoundedHttp(_ReadInTime, H11Protocol):
    """A connection whose requests have to begin, and whose answers have to be read, in time."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the head of the first request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop()
        self.resume_writing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Stop the clock when the head of a request has come."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()

    def on_response_complete(self) -> None:
        """Wait for the head of the next request."""
        super().on_response_complete()
        self._expect()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Leave the connection to the protocol of WebSockets."""
        self._stop()
        super().handle_websocket_upgrade(event)

    def _expect(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(self.limits.head, self.transport.abort)

    def _stop(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class BoundedWebSocket(_ReadInTime, WebSocketsSansIOProtocol):
    """A WebSocket whose messages have to be read in time."""


def bounded(kind: type[Any], limits: Limits) -> type[asyncio.Protocol]:
    """Return a class of connections with its bounds."""
    return type(kind.__name__, (kind,), {"limits": limits})
