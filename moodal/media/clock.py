"""Clock: where the pieces of a decoded sound lie in time, and which time stamps are believed.

Containers round time stamps, and damaged ones invent them. A piece whose stamp is not believed
follows the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass

STUTTER = 0.01
"""Seconds by which time stamps may be off, since containers round them: pieces lie end to end."""

OVERLAP = 1.0
"""Seconds by which a piece may begin before the end of the last one. A time stamp further back is
wrong."""

LONGEST_GAP = 3600.0
"""Seconds without sound, all gaps of a file together, that are believed."""


@dataclass
class Tally:
    """Counts of the faults met while a container is decoded."""

    packets: int = 0
    damaged: int = 0
    broken: int = 0
    leaps: int = 0
    gaps: float = 0.0


@dataclass
class Clock:
    """The place of each piece on the recording's time line, in samples from its beginning.

    Attributes:
        rate: samples per second.
        begin: second from which decoding was asked for.
        tally: counts gaps, and time stamps that are not believed.
        end: where the last piece ended; None before the first.
        shift: correction of all following time stamps.
    """

    rate: int
    begin: float
    tally: Tally
    end: int | None = None
    shift: int = 0

    def place(self, stamp: float | None, length: int) -> int:
        """Return the first sample of the next piece, whose time stamp (in seconds) may be wrong."""
        expected = self.end or 0
        at = expected if stamp is None else round(stamp * self.rate) + self.shift
        leap = (at - expected) / self.rate
        believed = LONGEST_GAP + (self.begin if self.end is None else 0.0)
        if self.end is not None and abs(leap) <= STUTTER:
            at = expected
        elif leap < -OVERLAP or self.tally.gaps + leap > believed:
            at, self.shift = expected, self.shift + expected - at
            self.tally.leaps += 1
        elif self.end is not None:
            self.tally.gaps += max(0.0, leap)
        self.end = at + length
        return at
