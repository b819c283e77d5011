"""Feed: what happens to one job while it runs, for all who follow it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

Event = tuple[str, dict[str, Any]]
"""The name of an event, and its data."""

ENDS = ("done", "failed", "cancelled")


@dataclass
class Feed:
    """The events of a job; a reader who is slow, or never reads, holds nobody up.

    Attributes:
        answers: the events so far, without those of progress.
        duration: seconds of the recording, where its header tells.
        seconds: seconds of it that are answered.
        begun: when the work began, by the monotonic clock; None while it waits.
    """

    answers: list[Event] = field(default_factory=list)
    duration: float | None = None
    seconds: float = 0.0
    begun: float | None = None
    _changes: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def progress(self) -> dict[str, Any] | None:
        """The progress: "seconds", "duration" and "eta"; None before the work began."""
        if self.begun is None:
            return None
        eta = None
        if self.duration and self.seconds:
            left = max(0.0, self.duration - self.seconds)
            eta = round(left * (time.monotonic() - self.begun) / self.seconds, 1)
        return {"seconds": round(self.seconds, 3), "duration": self.duration, "eta": eta}

    @property
    def has_ended(self) -> bool:
        """True when nothing more will happen."""
        return bool(self.answers) and self.answers[-1][0] in ENDS

    async def begin(self) -> None:
        """Say that the work begins."""
        self.begun = time.monotonic()
        await self._tell()

    async def add(self, name: str, data: dict[str, Any]) -> None:
        """Add an event."""
        self.answers.append((name, data))
        await self._tell()

    async def tell_duration(self, seconds: float | None) -> None:
        """Say how long the recording is."""
        self.duration = seconds
        await self._tell()

    async def _tell(self) -> None:
        self._changes += 1
        async with self._changed:
            self._changed.notify_all()

    async def wait(self) -> Event:
        """Wait for the last event."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.has_ended)
        return self.answers[-1]

    async def follow(self, place: int = 0) -> AsyncIterator[tuple[int, Event]]:
        """Yield the events with their places, from a place on, and progress between them.

        Progress has the place of the event before it. The last event is always yielded, also to
        one who had it, or who had more events of an earlier attempt.
        """
        seen, ended = -1, False
        while True:
            is_new, seen = seen != self._changes, self._changes
            if is_new and self.progress is not None:
                yield place, ("progress", self.progress)
            while place < len(self.answers):
                place += 1
                ended = self.answers[place - 1][0] in ENDS
                yield place, self.answers[place - 1]
            if self.has_ended:
                if not ended:
                    yield len(self.answers), self.answers[-1]
                return
            await self._news(seen, place)

    async def _news(self, seen: int, place: int) -> None:
        """Wait for something that a reader has not had."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._changes != seen or place < len(self.answers))
