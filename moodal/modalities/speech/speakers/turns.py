"""Turns: who speaks from one second to another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 20
"""Speakers who are told apart; further ones are the most similar one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of one speaker.

    Attributes:
        start, end: seconds.
        speaker: the speaker's number, from 1.
        sure: False where the turn is too short to tell, or fits another speaker nearly as well;
            about one turn in ten (benchmarks/speakers.py).
        overlap: whether several people may speak at once in it. This is a weak hint: in dialogues
            of unheard actors one in three such turns overlapped by 0.3 s or more, of all turns one
            in seven, and four in five overlaps were missed (benchmarks/speakers.py).
    """

    start: float
    end: float
    speaker: int
    sure: bool = True
    overlap: bool = False


def speaker_during(turns: Sequence[Turn], start: float, end: float) -> Turn | None:
    """Return the turn whose speaker has most of the time from ``start`` to ``end``.

    Args:
        turns: in the order of time, without overlaps, as of `Diariser.finish`.
        start, end: seconds.

    Returns:
        The longest turn of that speaker in that time; None where nobody speaks.
    """
    seconds: dict[int, float] = {}
    longest: dict[int, tuple[float, Turn]] = {}
    first = max(0, bisect_right(turns, start, key=lambda turn: turn.start) - 1)
    for turn in turns[first:]:
        if turn.start >= end:
            break
        shared = min(end, turn.end) - max(start, turn.start)
        if shared > 0:
            seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + shared
            if shared > longest.get(turn.speaker, (0.0, turn))[0]:
                longest[turn.speaker] = (shared, turn)
    return longest[max(seconds, key=lambda s: seconds[s])][1] if seconds else None
