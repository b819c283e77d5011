"""Service: the jobs of a server, from their upload to the deletion of their result."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodal.core.errors import MoodalError
from moodal.serve.access import Keys
from moodal.serve.failure import Failure
from moodal.serve.feed import Feed
from moodal.serve.folder import DataFolder
from moodal.serve.jobs import JobStore, ServedJob, new_id
from moodal.serve.live_pool import LivePool
from moodal.serve.metrics import Metrics
from moodal.serve.options import FormQuestion
from moodal.serve.privacy import ServedPrivacy
from moodal.serve.settings import ServeSettings
from moodal.serve.uploads import ReceivedForm
from moodal.serve.worker import RESULT, Load, place_of, work
from moodal.serve.workers import Restarts, WorkerProcess, restarted

LOG = logging.getLogger("moodal.serve")

SWEEP = 60.0
"""The most seconds between two sweeps."""

GRACE = 2.0
"""Seconds in which a worker may leave a job that is not wanted any more, before it is ended."""


@dataclass
class Service:
    """The jobs, their workers and their data.

    Attributes:
        settings: of the server.
        folder: its data.
        store: its database.
        load: loads a model in a worker.
        keys: of one-time addresses.
        metrics: its figures.
        models: the descriptions of the models.
        feeds: of the jobs that wait or run, by id.
        uploading: the number of uploads that have a place in the queue.
        sessions: the number of live sessions.
    """

    settings: ServeSettings
    folder: DataFolder
    store: JobStore
    load: Load
    keys: Keys = field(default_factory=Keys)
    metrics: Metrics = field(default_factory=Metrics)
    models: list[Mapping[str, Any]] = field(default_factory=list)
    feeds: dict[str, Feed] = field(default_factory=dict)
    uploading: int = 0
    sessions: int = 0
    _queue: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    _running: dict[str, WorkerProcess] = field(default_factory=dict)
    _cancelled: set[str] = field(default_factory=set)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pool = LivePool(
            self.settings.live_workers,
            self.arguments,
            self.metrics,
            self.settings.limits.silence,
            self.settings.limits.computing,
        )

    @property
    def privacy(self) -> ServedPrivacy:
        """The protection of names and words in all answers."""
        return ServedPrivacy(self.settings.pseudonyms, self.settings.text)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of a worker's process."""
        return self.load, self.settings.artefacts

    async def start(self) -> None:
        """Start the workers, and go on with the jobs of an earlier run.

        Raises:
            MoodalError: a model cannot be loaded.
        """
        self.store.recover(self.settings.retain)
        self.folder.tidy(self.store.ids())
        for id, status in self.store.ended():  # what a crash left of them
            self._clear(id, status)
        for job in self.store.queued():
            self._enqueue(job.id)
        first = await WorkerProcess.start(work, self.arguments)
        self.models = list(first.models)
        others: list[WorkerProcess | None] = [None] * (self.settings.workers - 1)
        self._tasks = [asyncio.create_task(self._employ(worker)) for worker in (first, *others)]
        self._tasks.append(asyncio.create_task(self._sweep()))
        self.pool.start()

    async def stop(self) -> None:
        """End the workers; what runs is done anew when the server starts again."""
        running = list(self._running)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self.pool.stop(), return_exceptions=True)
        with contextlib.suppress(sqlite3.Error):
            self._record()
            self.store.give_back(running)
        self.store.close()

    @property
    def is_healthy(self) -> bool:
        """True while jobs and live sessions are attended to, and the database can be used."""
        tasks = [*self._tasks, *self.pool.tasks]
        return not any(task.done() for task in tasks) and self.store.is_sound()

    def require_room(self) -> None:
        """Check that the queue has a place.

        Raises:
            Failure: it is full.
        """
        if len(self.feeds) + self.uploading >= self.settings.queue:
            self.metrics.refused.inc()
            raise Failure(
                429,
                f"The server has {self.settings.queue} jobs; try again later.",
                {"retry-after": "10"},
            )

    def add(
        self, owner: str, form: ReceivedForm, asked: FormQuestion, upload: Path, *, waited: bool
    ) -> str:
        """Take a job into the queue; its upload becomes its folder. Return its id."""
        job = ServedJob(
            id=new_id(),
            owner=owner,
            name=form.files.get("file", ""),
            artefact=asked.artefact,
            options=asked.options,
            files=form.files,
            waited=waited,
        )
        upload.rename(self.folder.job(job.id))
        try:
            self.store.add(job)
        except sqlite3.Error:
            self.folder.delete(job.id)
            raise Failure(507, "The server's disk is full; try again later.") from None
        self._enqueue(job.id)
        return job.id

    def _enqueue(self, id: str) -> None:
        self.feeds[id] = Feed()
        self._queue.put_nowait(id)
        self.metrics.waiting.set(len(self.feeds))

    async def cancel(self, id: str) -> None:
        """Stop a job that waits or runs, and delete what was uploaded for it."""
        worker = self._running.get(id)
        if worker is None:
            await self._end(id, "cancelled")
            return
        self._cancelled.add(id)
        feed = self.feeds[id]
        try:
            await worker.channel.send({"kind": "cancel", "id": id})
            async with asyncio.timeout(GRACE):
                await feed.wait()
        except (TimeoutError, OSError):
            if self._running.get(id) is worker:
                worker.process.kill()
            await feed.wait()

    def delete(self, id: str) -> None:
        """Delete a job that has ended, with everything that is kept of it."""
        self.store.delete([id])
        self.folder.delete(id)

    def result(self, job: ServedJob) -> str:
        """Return the JSON document of a job's result.

        Raises:
            Failure: there is none.
        """
        if job.status == "done":
            try:
                return (self.folder.job(job.id) / RESULT).read_text(encoding="utf-8")
            except FileNotFoundError:
                raise Failure(410, "The result was deleted.") from None
        if job.status == "failed":
            raise Failure(422, job.error or "The job failed.")
        raise Failure(409, f"The job has no result: it is {job.status}.")

    async def score(self, job: ServedJob, emotions: str) -> str:
        """Return the JSON document of a job's result for other emotion words.

        Raises:
            Failure: the job has no result, or its model cannot score the words.
        """
        if job.status != "done":
            self.result(job)  # says why there is none
        message = {
            "kind": "score",
            "folder": str(self.folder.job(job.id)),
            "artefact": job.artefact,
            "options": job.options,
            "emotions": emotions,
            **self.privacy.to_dict(),
        }
        async with self.pool.line() as line:
            await line.send(message)
            answer, payload = await line.answers.get()
        if answer["kind"] != "scored":
            raise Failure(answer["code"], answer["error"])
        return payload.decode()

    async def _employ(self, worker: WorkerProcess | None) -> None:
        """Give one worker job after job, and start it again when it ends."""
        restarts = Restarts()
        try:
            while True:
                if worker is None:
                    worker = await restarted(work, self.arguments, restarts)
                id = await self._queue.get()
                if id not in self.feeds:  # it was cancelled while it waited
                    continue
                if not worker.process.is_alive():  # it was idle, so no job is to blame
                    await worker.stop()
                    worker = await restarted(work, self.arguments, restarts)
                if not await self._attempt(id, worker):
                    await worker.stop()
                    LOG.warning("A worker %s; it is started again.", worker.how_it_ended)
                    self.metrics.restarts.inc()
                    worker = None
        finally:
            if worker is not None:
                await worker.stop()

    async def _attempt(self, id: str, worker: WorkerProcess) -> bool:
        """Run one job; a fault ends this job alone. Return whether the worker is still good."""
        try:
            job = self.store.get(id)
            if job is None or not self.store.start(id):  # cancelled since it left the queue
                return True
            return await self._run(job, worker)
        except Exception as error:  # the database of a full disk, say
            LOG.error("A job met a fault (%s in %s).", type(error).__name__, place_of(error))
            await self._end(id, "failed", "The server met a fault; send this again.", 500)
            return False

    async def _run(self, job: ServedJob, worker: WorkerProcess) -> bool:
        """Run one job that was begun; return whether the worker is still good."""
        self._running[job.id] = worker
        feed = self.feeds[job.id]
        begun = time.monotonic()
        await feed.begin()
        try:
            async with asyncio.timeout(self.settings.limits.computing):
                ended = await self._listen(job, worker, feed)
        except TimeoutError:
            minutes = self.settings.limits.computing / 60
            error = f"It took longer than {minutes:g} minutes; cut the recording into parts."
            await self._end(job.id, "failed", error)
            return False
        finally:
            self._running.pop(job.id, None)
        if ended is None:
            await self._lost(job)
            return False
        self.metrics.took.observe(time.monotonic() - begun)
        if place := ended.get("place"):
            LOG.error("A job met a fault of moodal's own in %s.", place)
        if job.id in self._cancelled:  # also where it ended in the same moment
            ended = {"status": "cancelled"}
        await self._end(job.id, ended["status"], ended.get("error"), ended.get("code", 422))
        return True

    async def _listen(
        self, job: ServedJob, worker: WorkerProcess, feed: Feed
    ) -> Mapping[str, Any] | None:
        """Take what a worker says of a job; return how it ended, None if the worker did."""
        message = {
            "kind": "predict",
            "id": job.id,
            "folder": str(self.folder.job(job.id)),
            "name": job.name,
            "artefact": job.artefact,
            "options": job.options,
            "files": job.files,
            "longest": self.settings.limits.duration,
            "waited": job.waited,
            **self.privacy.to_dict(),
        }
        try:
            await worker.channel.send(message)
        except OSError:
            return None
        while (received := await worker.channel.receive()) is not None:
            news, _ = received
            if news["kind"] == "duration":
                await feed.tell_duration(news["seconds"])
            elif news["kind"] == "answer":
                feed.seconds = max(feed.seconds, news["seconds"] or 0.0)
                await feed.add("answer", news["answer"])
            elif news["kind"] == "ended":
                return news
        return None

    async def _lost(self, job: ServedJob) -> None:
        """End a job whose worker has gone."""
        if job.id in self._cancelled:
            await self._end(job.id, "cancelled")
            return
        error = (
            f"{job.name or 'The text'} ended the process that read it: a decoder crashed, or "
            "memory ran out."
        )
        await self._end(job.id, "failed", error)

    async def _end(self, id: str, status: str, error: str | None = None, code: int = 422) -> None:
        """End a job: first in the database, then in its files, then for those who follow it.

        They hear of it even where the database cannot be written; the sweep tries that again.
        """
        feed = self.feeds.pop(id, None)
        self._cancelled.discard(id)
        if feed is None:
            return
        self.store.end(id, status, error, self.settings.retain)
        try:
            self._record()
        except (sqlite3.Error, OSError) as fault:
            LOG.error("The end of a job cannot be written yet (%s).", type(fault).__name__)
        self.metrics.ended.labels(status).inc()
        self.metrics.waiting.set(len(self.feeds))
        news: dict[str, Any] = {"id": id}
        if error is not None:
            news |= {"error": error, "code": code}
        await feed.add(status, news)

    def _record(self) -> None:
        """Write the ends of jobs to the database, and delete what is not kept of their files.

        Raises:
            sqlite3.Error: the database cannot be written.
            OSError: a file cannot be deleted.
        """
        for id, status in self.store.record():
            self._clear(id, status)

    def _clear(self, id: str, status: str) -> None:
        """Delete what is not kept of a job that has ended."""
        if not self.settings.text:
            self.store.delete_text(id)
        if status != "done":
            self.folder.delete(id)
        elif not self.settings.keep_media:
            self.folder.delete_media(id)

    async def _sweep(self) -> None:
        """Delete, again and again, the jobs whose time is over, and write the ends that wait."""
        while True:
            try:
                self._record()
                self.store.delete_old_tokens()
                expired = self.store.expired()
                self.store.delete(expired)
                for id in expired:
                    self.folder.delete(id)
            except Exception as error:  # the next sweep tries again
                LOG.error("A sweep met a fault (%s in %s).", type(error).__name__, place_of(error))
            await asyncio.sleep(max(0.2, min(SWEEP, self.settings.retain / 10)))


def opened_service(settings: ServeSettings, load: Load) -> Service:
    """Open the data folder of a server.

    Raises:
        MoodalError: it cannot be used, or its database is damaged.
    """
    folder = DataFolder(settings.folder)
    folder.open()
    try:
        service = Service(settings, folder, JobStore(folder.database), load)
        service.privacy.require_protected(service.store)
    except MoodalError:
        folder.close()
        raise
    return service
