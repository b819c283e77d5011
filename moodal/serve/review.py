"""Review router: the queue of utterances, decisions on them, and the recordings that they need.

Clients name utterances by their number in the queue, never a path: only recordings of the queue
can be played.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from moodal.output.results import media_type
from moodal.serve.decision import (
    Decision,
    correction_file_response,
    mistakes,
    received,
    require_export,
    undone,
)
from moodal.serve.failure import Failure
from moodal.serve.requests import ERROR
from moodal.serve.review_queue import Review
from moodal.serve.settings import Limits


class ItemDecision(Decision):
    """The body of a decision on an utterance of the queue: ``item`` is its number."""

    item: int


def review_router(review: Review, limits: Limits) -> APIRouter:
    """Return the routes of a review.

    Args:
        review: the queue and the file of its decisions.
        limits: bounds on what a request may send.
    """
    router = APIRouter(tags=["review"], responses=ERROR)

    @router.get("/v1/review/queue")
    async def queue() -> JSONResponse:
        """List the utterances, the least certain first; hidden answers are not sent."""
        return JSONResponse(await asyncio.to_thread(review.to_dict))

    @router.post("/v1/corrections")
    async def decide(request: Request) -> JSONResponse:
        """Keep a decision; it is on the disk when this answers.

        The status is 200 where nothing changes, and nothing is stored.
        """
        asked = await received(ItemDecision, request, limits)
        with mistakes():
            rows = await asyncio.to_thread(review.decide, asked.item, asked.changes)
            item = review.shown(review.item(asked.item))
        changed = [row.kind for row in rows]
        answer = {"item": item, "left": review.left, "changed": changed}
        return JSONResponse(answer, 201 if changed else 200)

    @router.delete("/v1/corrections/last")
    async def undo() -> JSONResponse:
        """Take the last decision back."""
        with mistakes():
            item = undone(await asyncio.to_thread(review.undo))
        return JSONResponse({"item": review.shown(item), "left": review.left})

    @router.get("/v1/corrections", response_model=None)
    async def export(format: str = "csv", item: int | None = None) -> Response:
        """Return the corrections (csv), or the corrected results."""
        require_export(format)
        with mistakes():
            text = await asyncio.to_thread(review.export, format, item)
        return correction_file_response(text, format)

    @router.get("/v1/review/media/{item}", response_model=None)
    async def media(item: int) -> Response:
        """Return the recording of an utterance, or the range of its bytes that is asked for."""
        with mistakes():
            path = await asyncio.to_thread(review.recording, item)
        if path is None:
            raise Failure(404, "The recording of this utterance is not there, or is none.")
        return FileResponse(path, media_type=media_type(path.name))

    return router
