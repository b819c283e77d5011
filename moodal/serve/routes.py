"""Routes: predictions at once, and jobs for what takes longer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from moodal.core.errors import OutputError
from moodal.core.version import __version__
from moodal.output.formats import FORMATS
from moodal.serve.answers import format_of, utterances
from moodal.serve.failure import Failure
from moodal.serve.feed import Event
from moodal.serve.jobs import ServedJob
from moodal.serve.options import FIELDS, FILES, LONGEST, OTHERS, FormQuestion, question
from moodal.serve.requests import ERROR, document_response, owned, owner_of_request
from moodal.serve.service import Service
from moodal.serve.uploads import ReceivedForm, receive_form, receive_json

HEARTBEAT = 15.0
"""Seconds after which a stream of events says that it is still there."""

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        **{
                            name: {"type": "string", "format": "binary", "description": about}
                            for name, about in zip(
                                FILES,
                                (
                                    "a recording, a picture, a text or subtitles",
                                    "words and their times, srt or vtt",
                                    "who speaks when",
                                ),
                                strict=True,
                            )
                        },
                        **{
                            name: {"type": "string", "description": about}
                            for name, (_, about) in FIELDS.items()
                        },
                        **{n: {"type": "string", "description": a} for n, a in OTHERS.items()},
                    },
                }
            }
        },
    }
}
"""The form of a prediction, for the page that documents it."""

WORDS = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"emotions": {"type": "string"}},
                    "required": ["emotions"],
                }
            }
        },
    }
}
"""The body of a question for other words, for the page that documents it."""


def job_router(service: Service) -> APIRouter:
    """Return the routes of predictions and jobs."""
    routes = _Routes(service)
    router = APIRouter(prefix="/v1", tags=["recordings"], responses=ERROR)
    for method, path, endpoint, more in (
        ("POST", "/predict", routes.predict, {"openapi_extra": FORM}),
        ("POST", "/jobs", routes.create, {"openapi_extra": FORM, "status_code": 202}),
        ("GET", "/jobs", routes.index, {}),
        ("GET", "/jobs/{id}", routes.show, {}),
        ("DELETE", "/jobs/{id}", routes.remove, {}),
        ("GET", "/jobs/{id}/events", routes.events, {}),
        ("GET", "/jobs/{id}/result", routes.result, {}),
        ("POST", "/jobs/{id}/score", routes.score, {"openapi_extra": WORDS}),
    ):
        router.add_api_route(path, endpoint, methods=[method], response_model=None, **more)
    return router


def health_router(service: Service) -> APIRouter:
    """Return the route by which others watch the server."""
    router = APIRouter()

    @router.get("/healthz", tags=["server"])
    async def healthz() -> JSONResponse:
        """Say whether the server works: 200, or 503 where its jobs or its database do not."""
        if service.is_healthy:
            return JSONResponse({"status": "ok", "moodal": __version__})
        return JSONResponse({"status": "failing", "moodal": __version__}, 503)

    return router


class _Routes:
    """The endpoints of one service."""

    def __init__(self, service: Service):
        self.service = service

    async def predict(self, request: Request, format: str = "") -> Response:
        """Predict one recording, and wait for the answer; nothing is kept of it.

        The answer is JSON, or what `format` or the header Accept asks for. Long recordings are
        better asked for as a job.
        """
        async with self._received(request) as (form, upload):
            asked = self._question(form)
            chosen = format_of(format or asked.format, request.headers.get("accept", ""))
            id = self.service.add(owner_of_request(request), form, asked, upload, waited=True)
        return await self._answered(request, id, chosen)

    async def _answered(self, request: Request, id: str, format: str) -> Response:
        service, feed = self.service, self.service.feeds[id]
        waiting = asyncio.create_task(feed.wait())
        leaving = asyncio.create_task(_left(request))
        try:
            await asyncio.wait(
                (waiting, leaving),
                timeout=service.settings.limits.waiting,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not waiting.done():
                await service.cancel(id)
                raise Failure(504, "The answer takes too long to wait for; use POST /v1/jobs.")
            name, data = waiting.result()
            if name != "done":
                raise Failure(data.get("code", 499), data.get("error", "The work was stopped."))
            job = service.store.get(id)
            assert job is not None
            result = await asyncio.to_thread(service.result, job)
            return await asyncio.to_thread(document_response, result, format)
        finally:
            for task in (waiting, leaving):
                task.cancel()
            if id in service.feeds:
                await service.cancel(id)
            service.delete(id)

    async def create(self, request: Request) -> JSONResponse:
        """Take a recording as a job, and answer at once with its id."""
        async with self._received(request) as (form, upload):
            asked = self._question(form)
            id = self.service.add(owner_of_request(request), form, asked, upload, waited=False)
        job = owned(self.service, request, id)
        answer = {"id": id, "name": job.name, "status": job.status}
        return JSONResponse(answer, 202, {"location": f"/v1/jobs/{id}"})

    @contextlib.asynccontextmanager
    async def _received(self, request: Request) -> AsyncIterator[tuple[ReceivedForm, Path]]:
        """Receive a form, which has a place in the queue from its first byte."""
        service = self.service
        service.require_room()
        service.uploading += 1
        upload = service.folder.new_upload()
        try:
            form = await receive_form(request, upload, service.settings.limits, service.privacy)
            yield form, upload
        except OutputError:
            raise Failure(507, "The server's disk is full; try again later.") from None
        finally:
            service.uploading -= 1
            service.folder.discard(upload)

    def _question(self, form: ReceivedForm) -> FormQuestion:
        asked = question(form.fields, self.service.settings.artefacts)
        if "file" not in form.files and "text" not in asked.options:
            raise Failure(400, "There is nothing to predict: send a file, or a text.")
        if "subtitles" in form.files and "file" not in form.files:
            raise Failure(400, "Subtitles belong to a recording: send it as the file, too.")
        if "rttm" in form.files and "speakers" in asked.options:
            raise Failure(400, "Send speakers or the file rttm, not both.")
        return asked

    async def index(self, request: Request) -> JSONResponse:
        """List the jobs of the request's token, the newest first."""
        jobs = self.service.store.of(owner_of_request(request))
        return JSONResponse({"jobs": [self._described(job) for job in jobs]})

    async def show(self, request: Request, id: str) -> JSONResponse:
        """Tell the state of a job."""
        return JSONResponse(self._described(owned(self.service, request, id)))

    def _described(self, job: ServedJob) -> dict[str, Any]:
        feed = self.service.feeds.get(job.id)
        return job.described(None if feed is None else feed.progress)

    async def remove(self, request: Request, id: str) -> JSONResponse:
        """Stop a job that waits or runs; delete one that has ended, with its result."""
        job = owned(self.service, request, id)
        if job.is_active and id in self.service.feeds:
            await self.service.cancel(id)
            return JSONResponse({"id": id, "status": "cancelled"})
        self.service.delete(id)
        return JSONResponse({"id": id, "status": "deleted"})

    async def events(self, request: Request, id: str) -> StreamingResponse:
        """Stream what happens to a job: progress, answer, and done, failed or cancelled."""
        job = owned(self.service, request, id)
        last = request.headers.get("last-event-id", "")
        place = int(last) if last.isdecimal() and len(last) < 10 else 0
        feed = self.service.feeds.get(id)
        if feed is None:
            texts: Any = _past(await asyncio.to_thread(self._history, job), place)
        else:
            texts = _beating(feed.follow(place))
        return StreamingResponse(texts, media_type="text/event-stream")

    def _history(self, job: ServedJob) -> list[Event]:
        """Return the events of a job that has ended."""
        answers: list[Event] = []
        if job.status == "done":
            answers = [("answer", row) for row in utterances(self.service.result(job))]
        error = {} if job.error is None else {"error": job.error}
        return [*answers, (job.status, {"id": job.id, **error})]

    async def result(self, request: Request, id: str, format: str = "") -> Response:
        """Return the result of a job in a format: json, csv, srt, textgrid, eaf and others."""
        job = owned(self.service, request, id)
        chosen = format_of(format, request.headers.get("accept", ""))
        result = await asyncio.to_thread(self.service.result, job)
        response = await asyncio.to_thread(document_response, result, chosen)
        response.headers["content-disposition"] = f'attachment; filename="moodal{_ending(chosen)}"'
        return response

    async def score(self, request: Request, id: str, format: str = "") -> Response:
        """Score other emotion words of a job that is done, without its recording."""
        job = owned(self.service, request, id)
        body = await receive_json(request, self.service.settings.limits)
        emotions = body.get("emotions")
        if isinstance(emotions, list):
            emotions = ",".join(map(str, emotions))
        if not isinstance(emotions, str) or len(emotions) > LONGEST or set(body) != {"emotions"}:
            raise Failure(400, 'The body is {"emotions": "words, with commas"}.')
        chosen = format_of(format, request.headers.get("accept", ""))
        result = await self.service.score(job, emotions)
        return await asyncio.to_thread(document_response, result, chosen)


def _ending(format: str) -> str:
    return FORMATS[format].ending


async def _left(request: Request) -> None:
    """Wait until a client has gone."""
    while not await request.is_disconnected():
        await asyncio.sleep(0.5)


def _event(place: int, event: Event) -> str:
    name, data = event
    return f"id: {place}\nevent: {name}\ndata: {json.dumps(data)}\n\n"


def _past(events: list[Event], place: int) -> Iterator[str]:
    """Yield the events after a place, and always the last: without it a browser asks for ever."""
    place = min(place, len(events) - 1)
    for number, event in enumerate(events[place:], place + 1):
        yield _event(number, event)


async def _beating(events: AsyncIterator[tuple[int, Event]]) -> AsyncIterator[str]:
    """Yield events as text, and a comment when nothing happens for long."""
    upcoming = asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait((upcoming,), timeout=HEARTBEAT)
            if not done:
                yield ": waiting\n\n"
                continue
            try:
                yield _event(*upcoming.result())
            except StopAsyncIteration:
                return
            upcoming = asyncio.ensure_future(anext(events))
    finally:
        upcoming.cancel()
