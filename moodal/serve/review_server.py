"""Review server: the review's page and its routes, behind the guards of `moodal serve`."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from moodal.core.version import __version__
from moodal.serve.access import Access, Keys
from moodal.serve.app import Guarded, with_sentences
from moodal.serve.review import review_router
from moodal.serve.review_queue import Review
from moodal.serve.server import base_address, listening, log_to_terminal, uvicorn_config
from moodal.serve.settings import ServeSettings
from moodal.serve.site import page_router

PAGE = "review.html"


@dataclass
class MemorySessions:
    """The sessions of browsers, which end with the process.

    Attributes:
        good: hash of a token -> the time until which it is good.
    """

    good: dict[str, float] = field(default_factory=dict)

    def allow(self, owner: str, expires: float | None) -> None:
        """Keep the hash of a token."""
        self.good[owner] = float("inf") if expires is None else expires

    def is_allowed(self, owner: str) -> bool:
        """Return whether a token with this hash was given out and is still good."""
        return self.good.get(owner, 0.0) > time.time()


def review_application(review: Review, settings: ServeSettings, keys: Keys, token: str) -> ASGIApp:
    """Return the application of a review.

    Args:
        review: the queue.
        settings: where it listens.
        keys: of one-time addresses.
        token: of programs.
    """
    app = FastAPI(title="moodal review", version=__version__, docs_url=None, redoc_url=None)
    app.include_router(page_router(PAGE))
    app.include_router(review_router(review, settings.limits))
    with_sentences(app)
    return Guarded(Access(app, settings, MemorySessions(), keys, token))


def serve_review(review: Review, settings: ServeSettings, announce: Callable[[str], None]) -> None:
    """Serve a review until the process is told to end.

    Args:
        review: the queue.
        settings: where it listens; its folder is not used.
        announce: is told the one-time address of the page.

    Raises:
        MoodalError: the address cannot be used.
    """
    log_to_terminal()
    with contextlib.closing(listening(settings)) as own:
        asyncio.run(_run(review, settings, own, announce))


async def _run(
    review: Review, settings: ServeSettings, own: socket.socket, announce: Callable[[str], None]
) -> None:
    keys = Keys()
    app = review_application(review, settings, keys, secrets.token_urlsafe(32))
    server = uvicorn.Server(uvicorn_config(app, settings))
    serving = asyncio.create_task(server.serve(sockets=[own]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    announce(f"{base_address(settings, own)}?key={keys.new()}")
    await serving
