"""The service alone, with workers that do what a test says: keepers that nothing ends."""

import asyncio
import contextlib
import sqlite3
import time
from dataclasses import dataclass, field

import pytest

from moodal.serve import live_pool, service
from moodal.serve.failure import Failure
from moodal.serve.jobs import JobStore, ServedJob
from moodal.serve.options import FormQuestion
from moodal.serve.service import opened_service
from moodal.serve.settings import ServeSettings
from moodal.serve.uploads import ReceivedForm


@dataclass
class Process:
    alive: bool = True

    def is_alive(self):
        return self.alive

    def kill(self):
        self.alive = False


@dataclass
class Worker:
    """A worker that ends each job as done, unless it is told to hold."""

    holds: bool = False
    process: Process = field(default_factory=Process)
    models: list = field(default_factory=list)
    how_it_ended: str = "ended"
    said: asyncio.Queue = field(default_factory=asyncio.Queue)

    @property
    def channel(self):
        return self

    async def send(self, message, payload=b""):
        if message["kind"] == "predict" and not self.holds:
            self.said.put_nowait(({"kind": "ended", "id": message["id"], "status": "done"}, b""))
        if message["kind"] == "cancel":
            self.said.put_nowait(
                ({"kind": "ended", "id": message["id"], "status": "cancelled"}, b"")
            )

    async def receive(self):
        return await self.said.get()

    async def stop(self):
        self.process.alive = False


@dataclass
class Staff:
    """The workers of a service; `gate` holds up those that are started again."""

    first: Worker
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    holds: bool = False

    async def start(self, target, arguments):
        return self.first

    async def restarted(self, target, arguments, restarts):
        await self.gate.wait()
        return Worker(self.holds)


@contextlib.asynccontextmanager
async def running(folder, monkeypatch, *, holds=False, **settings):
    """Run a service with made-up workers: yields the service and its staff."""
    staff = Staff(Worker(holds), holds=holds)
    monkeypatch.setattr(service.WorkerProcess, "start", staff.start)
    monkeypatch.setattr(service, "restarted", staff.restarted)
    monkeypatch.setattr(live_pool, "restarted", asyncio.Event().wait)
    monkeypatch.setattr(live_pool.LivePool, "_keep", lambda self, seat: asyncio.Event().wait())
    own = opened_service(ServeSettings(folder=folder / "data", **settings), lambda name: None)
    await own.start()
    try:
        yield own, staff
    finally:
        await own.stop()
        own.folder.close()


def added(own, *, text="words"):
    upload = own.folder.new_upload()
    (upload / "file").write_bytes(b"film")
    form, asked = ReceivedForm({}, {"file": "a.mp4"}), FormQuestion("default", {"text": text})
    return own.add("owner", form, asked, upload, waited=False)


async def ended(own, id):
    async with asyncio.timeout(5):
        while (job := own.store.get(id)).is_active:
            await asyncio.sleep(0.01)
    return job.status


async def until(true):
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


def broken(*arguments, **more):
    raise sqlite3.OperationalError("database or disk is full")


def test_a_job_is_cancelled_while_its_worker_is_started_again(tmp_path, monkeypatch):
    async def run():
        async with running(tmp_path, monkeypatch) as (own, staff):
            staff.first.process.alive = False  # it died while it had nothing to do
            id = added(own)
            await until(own._queue.empty)
            await own.cancel(id)
            staff.gate.set()
            assert await ended(own, added(own)) == "done"  # the only keeper still works
            assert own.store.get(id).status == "cancelled"
            assert own.is_healthy

    asyncio.run(run())


def test_a_database_that_cannot_be_written_ends_no_keeper(tmp_path, monkeypatch):
    async def run():
        monkeypatch.setattr(service, "SWEEP", 0.05)
        async with running(tmp_path, monkeypatch) as (own, staff):
            staff.gate.set()
            usual = own.store.record
            own.store.record = broken
            id = added(own)
            name, _ = await asyncio.wait_for(own.feeds[id].wait(), 5)
            assert name == "done"  # who follows it hears its end
            assert own.store.get(id).status == "done"
            assert not own.is_healthy
            assert (own.folder.job(id) / "file").exists()  # a crash now would begin it anew
            own.store.record = usual
            assert await ended(own, added(own)) == "done"
            await until(lambda: own.is_healthy)
            assert not (own.folder.job(id) / "file").exists()

    asyncio.run(run())


@pytest.mark.parametrize("method", ["start", "get"])
def test_a_fault_ends_one_job_alone(tmp_path, monkeypatch, method):
    async def run():
        async with running(tmp_path, monkeypatch) as (own, staff):
            staff.gate.set()
            usual = getattr(own.store, method)
            setattr(own.store, method, broken)
            id = added(own)
            name, told = await asyncio.wait_for(own.feeds[id].wait(), 5)
            setattr(own.store, method, usual)
            assert (name, told["error"]) == ("failed", "The server met a fault; send this again.")
            assert await ended(own, added(own)) == "done"
            assert own.is_healthy

    asyncio.run(run())


def test_a_sweep_that_fails_is_tried_again(tmp_path, monkeypatch):
    async def run():
        async with running(tmp_path, monkeypatch, retain=0.5) as (own, _):
            usual = own.store.expired
            own.store.expired = broken
            id = added(own)
            await ended(own, id)
            await asyncio.sleep(0.8)
            own.store.expired = usual
            await until(lambda: own.store.get(id) is None)

    asyncio.run(run())


def test_a_keeper_that_ended_is_told_as_unhealthy(tmp_path, monkeypatch):
    async def run():
        async with running(tmp_path, monkeypatch) as (own, _):
            assert own.is_healthy
            own._tasks[0].cancel()
            await asyncio.sleep(0.05)
            assert not own.is_healthy

    asyncio.run(run())


def test_an_upload_whose_job_cannot_be_kept_is_deleted(tmp_path, monkeypatch):
    async def run():
        async with running(tmp_path, monkeypatch) as (own, _):
            own.store.add = broken
            with pytest.raises(Failure, match="disk is full"):
                added(own)
            assert list(own.folder.jobs.iterdir()) == []

    asyncio.run(run())


def test_stops_in_order_are_no_crashes(tmp_path, monkeypatch):
    async def run(id):
        async with running(tmp_path, monkeypatch, holds=True) as (own, _):
            id = id or added(own)
            await until(lambda: own.store.get(id).status == "running")
            assert own.store.get(id).starts == 1
            return id

    id = None
    for _ in range(5):
        id = asyncio.run(run(id))
    with contextlib.closing(JobStore(tmp_path / "data" / "jobs.sqlite")) as store:
        assert (store.get(id).status, store.get(id).starts) == ("queued", 0)


def test_uploads_of_jobs_that_have_ended_are_deleted_at_the_start(tmp_path, monkeypatch):
    """The server may have been killed after it wrote a job's end."""
    folder = tmp_path / "data"
    own = opened_service(ServeSettings(folder=folder), lambda name: None)
    for id, status in (("a", "done"), ("b", "failed"), ("c", "running"), ("d", "queued")):
        own.store.add(ServedJob(id, "owner", "a.mp4", "default", status=status, starts=3))
        own.folder.job(id).mkdir()
        (own.folder.job(id) / "file").write_bytes(b"film")
    own.store.close()
    own.folder.close()

    async def run():
        async with running(tmp_path, monkeypatch, holds=True, retain=60.0) as (own, _):
            files = {p.parent.name for p in own.folder.jobs.rglob("file")}
            assert files == {"d"}
            given_up = own.store.get("c")
            assert "3 times" in given_up.error
            assert given_up.expires < time.time() + 61

    asyncio.run(run())


def test_a_job_begins_once(tmp_path):
    with contextlib.closing(JobStore(tmp_path / "jobs.sqlite")) as store:
        store.add(ServedJob("a", "owner", "", "default"))
        assert store.start("a")
        assert not store.start("a")
        store.end("a", "cancelled")
        assert store.get("a").status == "cancelled"  # also before it is written
        store.record()
        assert not store.start("a")
        assert store.get("a").starts == 1
