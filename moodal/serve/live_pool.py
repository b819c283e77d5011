"""LivePool: the processes that answer live sessions, and the way to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from moodal.serve.channel import Message
from moodal.serve.failure import Failure
from moodal.serve.jobs import new_id
from moodal.serve.live_worker import attend
from moodal.serve.metrics import Metrics
from moodal.serve.workers import Restarts, WorkerProcess, restarted

LOG = logging.getLogger("moodal.serve")

Received = tuple[Message, bytes]
PATIENCE = 60.0
"""Seconds in which a process that is being started is waited for."""

ANSWERED = ("sound", "picture", "words", "finish", "score")
"""The kinds of messages of which each is answered."""

LOST: Received = (
    {"kind": "failed", "error": "The process that answered has ended; begin again.", "code": 500},
    b"",
)


@dataclass
class LiveLine:
    """The way to one process for one session or question.

    Attributes:
        id: of the session.
        process: that answers.
        answers: that came back.
        pending: the number of messages that are not answered yet.
        finishing: whether the end was sent, after which a whole recording may have to be computed.
    """

    id: str
    process: WorkerProcess
    answers: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)
    pending: int = 0
    finishing: bool = False

    async def send(self, message: Message, payload: bytes = b"") -> None:
        """Send a message; that the process has gone is an answer like others."""
        self.pending += message["kind"] in ANSWERED
        self.finishing = self.finishing or message["kind"] == "finish"
        try:
            await self.process.channel.send({**message, "id": self.id}, payload)
        except OSError:
            self.answers.put_nowait(LOST)


@dataclass
class _Seat:
    """One process, which is started again when it ends."""

    worker: WorkerProcess | None = None
    lines: dict[str, LiveLine] = field(default_factory=dict)


@dataclass
class LivePool:
    """The processes.

    Attributes:
        count: how many.
        arguments: of each.
        metrics: of the server.
        silence: seconds in which a process has to answer; one that does not is ended.
        computing: the same where a session ends, whose recording may be read as a whole.
        tasks: one for each process, which keeps it running.
    """

    count: int
    arguments: tuple[Any, ...]
    metrics: Metrics
    silence: float
    computing: float
    _seats: list[_Seat] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begin to start the processes."""
        self._seats = [_Seat() for _ in range(self.count)]
        self.tasks = [asyncio.create_task(self._keep(seat)) for seat in self._seats]

    async def stop(self) -> None:
        """End the processes."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @asynccontextmanager
    async def line(self) -> AsyncIterator[LiveLine]:
        """Open the way to the process that has least to do; wait for one that is being started.

        Raises:
            Failure: none is ready for long.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while not (ready := [seat for seat in self._seats if seat.worker is not None]):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise Failure(
                503, "The process for this is being started; try again.", {"retry-after": "10"}
            ) from None
        seat = min(ready, key=lambda one: len(one.lines))
        assert seat.worker is not None
        line = LiveLine(new_id(), seat.worker)
        seat.lines[line.id] = line
        try:
            yield line
        finally:
            seat.lines.pop(line.id, None)
            await line.send({"kind": "close"})

    async def _keep(self, seat: _Seat) -> None:
        """Keep one process running, and hand its answers to those who wait for them."""
        restarts = Restarts()
        while True:
            worker = await restarted(attend, self.arguments, restarts)
            seat.worker = worker
            try:
                await _hand_out(worker, seat, self.silence, self.computing)
            except TimeoutError:
                LOG.error("A live worker did not answer for long, and is ended.")
            except Exception as error:  # what a process sends may be anything
                LOG.error("A live worker sent what it may not (%s).", type(error).__name__)
            finally:
                seat.worker = None
                await worker.stop()
            self.metrics.restarts.inc()
            LOG.warning("A live worker %s; it is started again.", worker.how_it_ended)
            for line in seat.lines.values():
                line.answers.put_nowait(LOST)


async def _hand_out(worker: WorkerProcess, seat: _Seat, silence: float, computing: float) -> None:
    """Hand the answers of a process to those who wait for them, until it ends.

    Raises:
        TimeoutError: it has something to answer, and did not answer anything for long.
    """
    while (received := await _next(worker, seat, silence, computing)) is not None:
        line = seat.lines.get(received[0]["id"])
        if line is not None:
            if (kind := received[0]["kind"]) != "answer":
                line.pending = line.pending - 1 if kind == "taken" else 0
            line.answers.put_nowait(received)
        if place := received[0].get("place"):
            LOG.error("A live session met a fault of moodal's own in %s.", place)


async def _next(
    worker: WorkerProcess, seat: _Seat, silence: float, computing: float
) -> Received | None:
    """Return what a process sends next; None when it has gone.

    Raises:
        TimeoutError: it has something to answer, and did not answer anything for long.
    """
    receiving = asyncio.create_task(worker.channel.receive())
    try:
        while True:
            owes = any(line.pending for line in seat.lines.values())
            ending = any(line.pending and line.finishing for line in seat.lines.values())
            await asyncio.wait([receiving], timeout=computing if ending else silence)
            if receiving.done():
                return receiving.result()
            if owes and any(line.pending for line in seat.lines.values()):
                raise TimeoutError
    finally:
        receiving.cancel()
