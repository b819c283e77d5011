"""App: the routes of the server behind its guards."""

from __future__ import annotations

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moodal.core.version import __version__
from moodal.serve.access import Access, refusal
from moodal.serve.failure import Failure
from moodal.serve.job_corrections import job_corrections_router
from moodal.serve.metrics import Measured
from moodal.serve.routes import health_router, job_router
from moodal.serve.service import Service
from moodal.serve.site import site_router
from moodal.serve.stream import stream_router
from moodal.serve.worker import place_of

LOG = logging.getLogger("moodal.serve")


class Guarded:
    """The outermost middleware: a fault of ours is told in one sentence, and logged by its place.

    Args:
        app: what may fail.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] != "websocket.close"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            LOG.error("A request met a fault (%s in %s).", type(error).__name__, place_of(error))
            if scope["type"] == "http" and not started:
                failure = Failure(500, "The server met a fault; its log names the place.")
                await refusal(failure, scope)(scope, receive, send)


def application(service: Service, token: str) -> ASGIApp:
    """Return the application of a service.

    Args:
        service: the jobs.
        token: of programs.
    """
    app = FastAPI(
        title="moodal",
        version=__version__,
        description="Emotions in recordings over time.",
        docs_url=None,
        redoc_url=None,
    )
    app.openapi_version = "3.0.3"  # the page that describes it reads no later one
    app.include_router(health_router(service))
    app.include_router(site_router(service))
    app.include_router(job_router(service))
    app.include_router(stream_router(service))
    app.include_router(job_corrections_router(service))
    with_sentences(app)
    access = Access(app, service.settings, service.store, service.keys, token)
    return Guarded(Measured(access, service.metrics))


def with_sentences(app: FastAPI) -> None:
    """Let an application answer every error in one sentence."""
    app.add_exception_handler(Failure, _failed)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]


async def _failed(request: Request, failure: Failure) -> Response:
    return refusal(failure, request.scope)


async def _refused(request: Request, error: HTTPException) -> Response:
    sentences = {404: "There is no such address.", 405: "This address has no such method."}
    sentence = sentences.get(error.status_code, str(error.detail))
    return JSONResponse({"error": sentence}, error.status_code, dict(error.headers or {}))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"error": f"{place}: {first['msg']}."}, 400)
