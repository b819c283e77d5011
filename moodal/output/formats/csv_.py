"""Timelines as CSV tables: a row per utterance or slice of one, or a row per recording."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from moodal.core.dimensions import DIMENSIONS, INTENSITY, Dimensions
from moodal.core.guard import cell, plain
from moodal.core.records import ordered
from moodal.core.summary import DecidedMoment, RecordingSummary
from moodal.core.timeline import Prediction, Timeline
from moodal.output.style import known_shares, label, shown_emotion

_HEAD = (
    "recording",
    "id",
    "track",
    "start",
    "end",
    "text",
    "decided",
    "probability",
    "streams",
    "absent",
    "flags",
)

NOTHING = Prediction("", {})
"""Stands for the utterances of a recording that has none."""

_SUMMARY_HEAD = ("recording", "track", "utterances", "seconds", "undecided", "telling")
_VALUE_ENDS = ("mean", "lowest", "lowest_start", "highest", "highest_start")


def to_csv(timelines: Sequence[Timeline]) -> str:
    """Write a header and a row per utterance, or per slice of it, comma-separated, UTF-8.

    After the columns of docs/output.md come ``p_EMOTION``, ``share_STREAM_EMOTION`` and
    ``bias_EMOTION`` of every emotion and stream of all recordings, and ``value_NAME`` of every
    value; they are empty for a recording without that emotion, stream or value. Where a recording
    has dimensions, ``valence``, ``arousal`` and ``dominance`` of the headline, ``dimensions`` (how
    they are known, and from what), the same three of each stream, and ``intensity_STREAM`` follow.
    A recording in which there is nothing to judge keeps a row without an id, which says why. A
    text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    several = [timelines] if isinstance(timelines, Timeline) else timelines
    emotions = list(dict.fromkeys(e for t in several for e in t.emotions))
    values = list(dict.fromkeys(v.name for t in several for v in t.values))
    used = dict.fromkeys(s for t in several for p in t.rows for s in p.shares)
    streams = ordered(used)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    names = [f"p_{e}" for e in emotions]
    names += [f"share_{s}_{e}" for s in streams for e in emotions]
    names += [f"bias_{e}" for e in emotions]
    names += [f"value_{v}" for v in values]
    dimensions = DimensionColumns.of([row for t in several for row in t])
    names += dimensions.names
    table.writerow([*_HEAD, *map(plain, names)])
    for timeline in several:
        for p in timeline.rows or (NOTHING,):
            numbers = [
                *_numbers(p, emotions, streams),
                *(_number(p.values.get(v), 4) for v in values),
                *dimensions.cells(p),
            ]
            table.writerow([*_first(timeline, p), *numbers])
    return out.getvalue()


@dataclass(frozen=True)
class DimensionColumns:
    """The columns of dimensions and intensity; none where nothing has them.

    Attributes:
        rows: the streams that have dimensions, and "answer".
        streams: those that have an intensity.
    """

    rows: tuple[str, ...]
    streams: tuple[str, ...]

    @classmethod
    def of(cls, holders: Sequence[Prediction | RecordingSummary]) -> DimensionColumns:
        """Choose the columns of utterances or summaries."""
        rows = ordered(name for one in holders for name in one.dimensions)
        return cls(rows, ordered(name for one in holders for name in one.intensity))

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        headline = [*DIMENSIONS, "dimensions"] if self.rows else []
        return headline + self.by_stream

    @property
    def by_stream(self) -> list[str]:
        """The names of the columns of each stream."""
        each = [f"{name}_{row}" for row in self.rows for name in DIMENSIONS]
        return each + [f"{INTENSITY}_{stream}" for stream in self.streams]

    def cells(self, p: Prediction) -> list[str]:
        """Return the cells of an utterance, one for each of ``names``."""
        if not self.rows:
            return self.stream_cells(p)
        row = p.dimensions.get(p.headline)
        known = f"{row.known} from {p.headline}" if row else ""
        return [*_dimension_cells(row), known, *self.stream_cells(p)]

    def stream_cells(self, one: Prediction | RecordingSummary) -> list[str]:
        """Return the cells of each stream, one for each of ``by_stream``."""
        cells = [n for row in self.rows for n in _dimension_cells(one.dimensions.get(row))]
        return cells + [_number(one.intensity.get(stream), 4) for stream in self.streams]


def _dimension_cells(row: Dimensions | None) -> list[str]:
    return [""] * len(DIMENSIONS) if row is None else [_number(n, 4) for n in row.numbers]


def _first(timeline: Timeline, p: Prediction) -> list[object]:
    absent = "; ".join(f"{s}: {why}" for s, why in {**timeline.absent, **p.absent}.items())
    return [
        cell(timeline.path),
        cell(p.id),
        "" if p.track is None else p.track,
        _number(p.start, 3),
        _number(p.end, 3),
        cell(p.text or ""),
        cell(label(p) if p.probabilities else ""),
        _number(p.probabilities.get(shown_emotion(p)), 4),
        "+".join(p.streams),
        cell(absent),
        cell("; ".join(p.flags)),
    ]


def _numbers(p: Prediction, emotions: Sequence[str], streams: Sequence[str]) -> list[str]:
    columns = [_number(p.probabilities.get(e), 4) for e in emotions]
    columns += [_number(known_shares(p, s).get(e), 5) for s in streams for e in emotions]
    return columns + [_number(p.bias.get(e), 5) for e in emotions]


def to_summary_csv(timelines: Sequence[Timeline]) -> str:
    """Write a header and a row per recording, and one per tracked face where there are several.

    After the columns of docs/output.md come ``p_EMOTION``, ``decided_EMOTION`` and
    ``first_EMOTION`` of every emotion of all recordings, ``value_NAME_END`` of every value, and
    means of the dimensions and intensity of each stream, such as ``valence_text``; they are empty
    for a recording without that emotion, value or stream.
    """
    several = [timelines] if isinstance(timelines, Timeline) else timelines
    emotions = list(dict.fromkeys(e for t in several for e in t.emotions))
    values = list(dict.fromkeys(v.name for t in several for v in t.values))
    names = [f"{kind}_{e}" for kind in ("p", "decided", "first") for e in emotions]
    names += [f"value_{v}_{end}" for v in values for end in _VALUE_ENDS]
    summaries = [timeline.summary() for timeline in several]
    dimensions = DimensionColumns.of(summaries)
    names += dimensions.by_stream
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([*_SUMMARY_HEAD, *map(plain, names)])
    for timeline, whole in zip(several, summaries, strict=True):
        for summary in (whole, *whole.tracks):
            cells = _summary_cells(summary, emotions, values)
            cells += dimensions.stream_cells(summary)
            table.writerow([cell(timeline.path), *cells])
    return out.getvalue()


def _summary_cells(
    summary: RecordingSummary, emotions: Sequence[str], values: Sequence[str]
) -> list[object]:
    telling = (f"{m.emotion} {_number(m.probability, 4)} at {_place(m)}" for m in summary.telling)
    first = {m.emotion: _place(m) for m in summary.first}
    cells: list[object] = [
        "" if summary.track is None else summary.track,
        summary.utterances,
        _number(summary.seconds, 3),
        _number(summary.undecided, 4),
        cell("; ".join(telling)),
        *(_number(summary.probabilities.get(e), 4) for e in emotions),
        *(_number(summary.decided.get(e), 4) for e in emotions),
        *(cell(first.get(e, "")) for e in emotions),
    ]
    for name in values:
        if (value := summary.values.get(name)) is None:
            cells += [""] * len(_VALUE_ENDS)
            continue
        cells += [_number(value.mean, 4), _number(value.lowest, 4)]
        cells += [_number(value.lowest_start, 3), _number(value.highest, 4)]
        cells.append(_number(value.highest_start, 3))
    return cells


def _place(moment: DecidedMoment) -> str:
    """Return where an utterance begins, in seconds; its id if it has no times."""
    return moment.id if moment.start is None else _number(moment.start, 3)


def _number(value: float | None, digits: int) -> str:
    return (
        "" if value is None or not math.isfinite(value) else str(round(float(value), digits) + 0.0)
    )
