"""Server: listen, tell the addresses, and end in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from moodal.core.errors import OutputError, UsageError
from moodal.core.guard import line
from moodal.serve.app import application
from moodal.serve.protocol import BoundedHttp, BoundedWebSocket, bounded
from moodal.serve.service import Service, opened_service
from moodal.serve.settings import ServeSettings
from moodal.serve.worker import Load, place_of


@dataclass(frozen=True)
class Addresses:
    """The addresses of a server that listens.

    Attributes:
        page: the one-time address of the page.
        base: without a key.
        token: the file that holds the token of programs.
    """

    page: str
    base: str
    token: str


Announce = Callable[[Addresses], None]
"""Called once the server answers."""


def serve(settings: ServeSettings, load: Load, announce: Announce) -> None:
    """Serve until the process is told to end.

    Args:
        settings: of the server.
        load: loads the model of a name; it can be pickled.
        announce: is told the addresses.

    Raises:
        MoodalError: the address, the data folder or a model cannot be used.
    """
    log_to_terminal()
    with contextlib.closing(listening(settings)) as own:
        service = opened_service(settings, load)
        try:
            asyncio.run(_run(service, own, announce))
        finally:
            service.folder.close()


async def _run(service: Service, own: socket.socket, announce: Announce) -> None:
    settings, token = service.settings, service.folder.token()
    config = uvicorn_config(application(service, token), settings)
    server = uvicorn.Server(config)
    await service.start()
    try:
        announcing = asyncio.create_task(_announce(service, server, own, announce))
        await server.serve(sockets=[own])
        announcing.cancel()
    finally:
        await service.stop()


def uvicorn_config(app: ASGIApp, settings: ServeSettings) -> uvicorn.Config:
    """Return how an application is served: with bounds on every connection, and no logs of it."""
    return uvicorn.Config(
        app,
        http=bounded(BoundedHttp, settings.limits),
        ws=bounded(BoundedWebSocket, settings.limits),
        ws_max_size=1 << 20,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.limits.connections,
        timeout_graceful_shutdown=3,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


async def _announce(
    service: Service, server: uvicorn.Server, own: socket.socket, announce: Announce
) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    base = base_address(service.settings, own)
    token = str(service.folder.path / "token")
    announce(Addresses(f"{base}?key={service.keys.new()}", base, token))


def base_address(settings: ServeSettings, own: socket.socket) -> str:
    """Return the address by which a browser reaches a server that listens."""
    port = own.getsockname()[1]
    if settings.proxy:
        return f"https://{settings.proxy}/"
    if settings.is_everywhere:
        host = re.sub(r":\d+$", "", settings.names[0])
    else:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls else 'http'}://{host}:{port}/"


def listening(settings: ServeSettings) -> socket.socket:
    """Return a socket that is bound to the address.

    Raises:
        UsageError: the address is in use, or is none of this machine's.
        OutputError: this user may not use it.
    """
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        own = socket.socket(family, kind, number)
        if sys.platform != "win32":
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(address)
    except socket.gaierror:
        raise UsageError(f"{settings.host} is no address of this machine.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"Port {settings.port} is in use, perhaps by another moodal serve; choose another "
                "by --port, or --port 0 for any free one."
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise OutputError(
                f"This user may not listen on {where}; choose another port."
            ) from None
        raise UsageError(f"Cannot listen on {where}: {error.strerror}.") from None
    return own


class _PlacesAlone(logging.Formatter):
    """Writes messages without what strangers sent: of an error its kind and place."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text = f"A fault ({type(error).__name__} in {place_of(error)})."
        return line(f"{self.formatTime(record)} {record.levelname.lower()}: {text}")


def log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_PlacesAlone())
    for name, level in (
        ("moodal.serve", logging.INFO),
        ("uvicorn.error", logging.WARNING),
        ("asyncio", logging.ERROR),
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
