"""Pace: when a live session gives provisional answers, so that they never delay final ones."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

EVERY = 0.5
"""Seconds of the recording between two provisional answers."""

SHARE = 0.1
"""The part of the time that provisional answers may take, at most; slower ones come more rarely."""

BEHIND = 0.1
"""Seconds by which a session that still has work to do is behind, and gives none."""


class Pace:
    """The times of provisional answers.

    A session whose work takes longer than the sound that it is given falls behind; it gives no
    provisional answers until it has caught up.

    Args:
        clock: returns seconds of processing time.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock = clock
        self._behind = 0.0
        self._cost = 0.0
        self._next = 0.0

    @contextlib.contextmanager
    def working(self, seconds: Callable[[], float]) -> Iterator[None]:
        """Measure the work on what a session is given.

        Args:
            seconds: returns how many seconds of the recording were given so far.
        """
        began, before = self._clock(), seconds()
        try:
            yield
        finally:
            worked, given = self._clock() - began, seconds() - before
            self._behind = max(0.0, self._behind + worked - given)

    def is_due(self, at: float) -> bool:
        """Return whether a provisional answer is due at second ``at`` of the recording."""
        return at >= self._next and self._behind <= BEHIND

    @contextlib.contextmanager
    def answering(self, at: float) -> Iterator[None]:
        """Measure a provisional answer at second ``at``."""
        began = self._clock()
        yield
        cost = self._clock() - began
        # the first one loads networks, and any one may be interrupted
        usual, self._cost = min(cost, self._cost), cost
        self._next = at + max(EVERY, usual / SHARE)
