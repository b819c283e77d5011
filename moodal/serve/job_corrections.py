"""Job corrections: what the page's user corrects in the result of a job.

They lie in the folder of the job, so they go when the job goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from moodal.core.correction import Correction, CorrectionFile, corrections_of
from moodal.core.timeline import Timeline
from moodal.output.formats import from_json
from moodal.serve.decision import (
    Decision,
    corrected,
    correction_file_response,
    mistakes,
    received,
    require_export,
    undone,
)
from moodal.serve.failure import Failure
from moodal.serve.jobs import ServedJob
from moodal.serve.requests import ERROR, owned, owner_of_request
from moodal.serve.service import Service

FILE = "corrections.csv"
"""The name of the corrections in a job's folder."""


class JobDecision(Decision):
    """The body of a decision on an utterance of a job's result.

    Attributes:
        job: the id of the job.
        id: the id of the utterance.
        annotator: a name.
    """

    job: str
    id: str
    annotator: str = ""


def job_corrections_router(service: Service) -> APIRouter:
    """Return the routes of corrections of jobs."""
    routes = _Routes(service)
    router = APIRouter(prefix="/v1", tags=["corrections"], responses=ERROR)
    for method, path, endpoint in (
        ("POST", "/corrections", routes.correct),
        ("DELETE", "/corrections/last", routes.undo),
        ("GET", "/corrections", routes.export),
    ):
        router.add_api_route(path, endpoint, methods=[method], response_model=None)
    return router


class _Routes:
    """The endpoints of one service."""

    def __init__(self, service: Service):
        self.service = service
        self._undoing = threading.Lock()

    async def correct(self, request: Request) -> JSONResponse:
        """Keep the correction of an utterance; it is on the disk when this answers.

        The status is 200 where nothing changes, and nothing is stored.
        """
        asked = await received(JobDecision, request, self.service.settings.limits)
        job = owned(self.service, request, asked.job)
        rows = await asyncio.to_thread(self._keep, job, asked)
        changed = {row.kind: row.new for row in rows}
        answer = {"job": job.id, "id": asked.id, "changed": changed}
        return JSONResponse(answer, 201 if changed else 200)

    async def undo(self, request: Request, annotator: str = "", job: str = "") -> JSONResponse:
        """Take back what an annotator saved last, of one job or of all."""
        if job:
            jobs = [owned(self.service, request, job)]
        else:
            jobs = self.service.store.of(owner_of_request(request))
        removed = await asyncio.to_thread(self._undo, jobs, annotator)
        id, rows = undone(removed)
        kinds = [row.kind for row in rows]
        return JSONResponse({"job": id, "id": rows[0].id, "kinds": kinds})

    async def export(self, request: Request, job: str, format: str = "csv") -> Response:
        """Return the corrections of a job (csv), or its corrected result."""
        require_export(format)
        own = owned(self.service, request, job)
        text = await asyncio.to_thread(self._export, own, format)
        return correction_file_response(text, format)

    def _keep(self, job: ServedJob, asked: JobDecision) -> tuple[Correction, ...]:
        with self._mistakes(job):
            timeline = self._timeline(job)
            p = next((p for p in timeline if p.id == asked.id), None)
            if p is None:
                raise Failure(404, "The result has no such utterance.")
            rows = corrections_of(timeline, p, asked.changes, asked.annotator[:100])
            return self._file(job).decide(rows)

    def _undo(
        self, jobs: list[ServedJob], annotator: str
    ) -> tuple[str, tuple[Correction, ...]] | None:
        """Remove what an annotator saved last, and return its job and the rows."""
        with self._undoing:  # two at once would take the same one for the newest
            newest = max(self._last_rows(jobs, annotator), key=lambda one: one[0], default=None)
            if newest is None:
                return None
            _, job, file = newest
            with self._mistakes(job):
                rows = file.undo(annotator)
            return (job.id, rows) if rows else None

    def _last_rows(
        self, jobs: list[ServedJob], annotator: str
    ) -> Iterator[tuple[str, ServedJob, CorrectionFile]]:
        """Yield the time of the annotator's last correction of each job that has one."""
        for job in jobs:
            with self._mistakes(job):
                file = self._file(job)
            times = [row.time for row in file.rows if row.annotator == annotator]
            if times:
                yield times[-1], job, file

    def _export(self, job: ServedJob, format: str) -> str:
        with self._mistakes(job):
            return corrected(self._file(job).rows, format, lambda: [self._timeline(job)])

    def _timeline(self, job: ServedJob) -> Timeline:
        [timeline] = from_json(self.service.result(job))
        return timeline

    def _file(self, job: ServedJob) -> CorrectionFile:
        """Return the corrections of a job; its folder is never made again."""
        return CorrectionFile(self.service.folder.job(job.id) / FILE, make_folder=False)

    @contextlib.contextmanager
    def _mistakes(self, job: ServedJob) -> Iterator[None]:
        """Turn errors into answers; where the job went meanwhile, that is the reason.

        Raises:
            Failure: the job is gone, or as `mistakes`.
        """
        folder = self.service.folder.job(job.id)
        try:
            with mistakes():
                yield
        except Failure:
            if folder.is_dir():
                raise
            raise Failure(404, "There is no such job.") from None
