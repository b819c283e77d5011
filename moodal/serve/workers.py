"""Workers: the processes of the server, started again when they end."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

from moodal.core.errors import DataError, MoodalError
from moodal.serve.channel import ServerEnd

LOG = logging.getLogger("moodal.serve")

Target = Callable[..., None]
"""The function that a process runs; its first argument is a socket."""

LONGEST_PAUSE = 30.0


class UnableError(MoodalError):
    """A worker that cannot load a model.

    Attributes:
        exit_code: of the error that it met.
    """

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


@dataclass
class WorkerProcess:
    """One process that is ready.

    Attributes:
        process: of the operating system.
        channel: to it.
        models: the descriptions of its models.
    """

    process: BaseProcess
    channel: ServerEnd
    models: list[Mapping[str, Any]] = field(default_factory=list)

    @classmethod
    async def start(cls, target: Target, arguments: tuple[Any, ...]) -> WorkerProcess:
        """Start a process, and wait until it has loaded its models.

        Raises:
            UnableError: it cannot load them.
            DataError: it ended before.
        """
        own, other = socket.socketpair()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=target, args=(other, *arguments), daemon=True)
        process.start()
        other.close()
        worker = cls(process, await ServerEnd.of(own))
        received = await worker.channel.receive()
        if received is None:
            await worker.stop()
            raise DataError("A worker ended while it loaded the model; memory may be short.")
        message, _ = received
        if message["kind"] == "unable":
            await worker.stop()
            raise UnableError(message["error"], message["code"])
        worker.models = message["models"]
        return worker

    async def stop(self) -> None:
        """End the process at once."""
        self.channel.close()
        if self.process.is_alive():
            self.process.kill()
        await asyncio.to_thread(self.process.join, 10)

    @property
    def how_it_ended(self) -> str:
        """The way in which the process ended, for the log."""
        code = self.process.exitcode
        if code is None:
            return "is gone"
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


@dataclass
class Restarts:
    """A count of the times that a worker was started again, with a pause before the next."""

    count: int = 0
    pause: float = 0.0
    last: float = field(default_factory=time.monotonic)

    async def wait(self) -> None:
        """Wait before a worker is started again: longer when it ends again and again."""
        if not self.count:
            self.count = 1
            return
        lived = time.monotonic() - self.last
        self.pause = 0.0 if lived > 60 else min(LONGEST_PAUSE, max(0.5, 2 * self.pause))
        self.count += 1
        await asyncio.sleep(self.pause)
        self.last = time.monotonic()


async def restarted(
    target: Target, arguments: tuple[Any, ...], restarts: Restarts
) -> WorkerProcess:
    """Start a worker again, however often it takes."""
    while True:
        await restarts.wait()
        try:
            return await WorkerProcess.start(target, arguments)
        except Exception as error:  # memory or processes are short: later there may be more
            LOG.error("A worker could not be started again (%s).", type(error).__name__)
