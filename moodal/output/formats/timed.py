"""What formats of subtitles and annotation need: whole milliseconds, and no overlaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import NamedTuple

from moodal.core.errors import UsageError
from moodal.core.timeline import Prediction, Timeline


class Cell(NamedTuple):
    """An annotation: ``start`` < ``end`` in ms from the recording's beginning."""

    start: int
    end: int
    of: Prediction


class Lane(NamedTuple):
    """Cells one after the other; ``name`` tells lanes apart, "" where there is one."""

    name: str
    cells: list[Cell]


def only(timelines: Sequence[Timeline], format: str) -> Timeline:
    """The one recording that a file of this format holds.

    Raises:
        UsageError: there are several, or none.
    """
    if isinstance(timelines, Timeline):
        return timelines
    if len(timelines) != 1:
        raise UsageError(
            f"A file of {format} holds one recording and there are {len(timelines)}: "
            "give a folder to write them to, such as out/."
        )
    return timelines[0]


def cells(timeline: Timeline, format: str) -> list[Cell]:
    """Every utterance in the order of time, at least 1 ms long.

    Raises:
        UsageError: some have no time, as those of a text or a still image.
    """
    made = []
    for p in timeline:
        if p.start is None or p.end is None or timeline.kind == "image":
            name = PurePath(timeline.path).name or "This"
            raise UsageError(
                f"{name} has no times, which {format} needs: write it as json or csv instead."
            )
        start = max(0, round(p.start * 1000))
        made.append(Cell(start, max(start + 1, round(p.end * 1000)), p))
    return sorted(made, key=lambda c: (c.start, c.end))


def end_of(timeline: Timeline, cells: Iterable[Cell]) -> int:
    """The recording's end in ms, not before the last utterance's; at least 1."""
    return max([1, round((timeline.duration or 0) * 1000), *(c.end for c in cells)])


def lanes(cells: Sequence[Cell]) -> list[Lane]:
    """Cells by lanes within which none overlap: by the followed face, then as many as it takes."""
    whole = _apart(cells)
    if len(whole) <= 1:
        return [Lane("", list(cells))]
    made = []
    tracks = sorted({c.of.track for c in cells}, key=lambda t: (t is None, t or 0))
    for track in tracks:
        name = "no face" if track is None else f"face {track}"
        parts = _apart([c for c in cells if c.of.track == track])
        for i, part in enumerate(parts):
            alone = name if len(tracks) > 1 else ""
            more = f"layer {i + 1}" if len(parts) > 1 else ""
            made.append(Lane(", ".join(x for x in (alone, more) if x), part))
    return made


def words(lane: Lane) -> list[tuple[int, int, str]]:
    """(start ms, end ms, word) of the words that have times, cut to their utterance."""
    made: list[tuple[int, int, str]] = []
    for cell in lane.cells:
        last = cell.start
        for word in cell.of.words:
            if word.start is None or word.end is None:
                continue
            start = max(last, round(word.start * 1000))
            end = min(cell.end, round(word.end * 1000))
            if start < end:
                made.append((start, end, word.text))
                last = end
    return made


def _apart(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The fewest lists without overlaps."""
    made: list[list[Cell]] = []
    for cell in cells:
        free = next((part for part in made if part[-1].end <= cell.start), None)
        if free is None:
            made.append([cell])
        else:
            free.append(cell)
    return made
