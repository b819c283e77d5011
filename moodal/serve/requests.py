"""Requests: what several routes read of a request, and how they answer."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from moodal.serve.answers import TYPES, rendered
from moodal.serve.failure import Failure
from moodal.serve.jobs import ServedJob
from moodal.serve.service import Service


def owner_of_request(request: Request) -> str:
    """Return the hash of the token with which a request came."""
    return str(request.scope["state"]["owner"])


def owned(service: Service, request: Request, id: str) -> ServedJob:
    """Return a job of the request's own token.

    Raises:
        Failure: there is none; that another token has it is not told.
    """
    job = service.store.get(id, owner_of_request(request))
    if job is None or job.waited:
        raise Failure(404, "There is no such job.")
    return job


def document_response(result: str, format: str) -> Response:
    """Return a result in a format.

    Raises:
        Failure: the format cannot hold it.
    """
    return Response(rendered(result, format), media_type=TYPES.get(format, "text/plain"))


ERROR: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "What is wrong with the request",
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"error": {"type": "string"}}}
            }
        },
    }
}
"""The errors of a route, for the page that documents them."""
