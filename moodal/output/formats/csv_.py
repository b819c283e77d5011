"""Timelines as a CSV table for spreadsheets: a row per utterance."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from moodal.core.records import ordered
from moodal.core.timeline import Prediction, Timeline
from moodal.output.style import known_shares, label, plain, shown_emotion

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


def to_csv(timelines: Sequence[Timeline]) -> str:
    """Write a header and a row per utterance, comma-separated, UTF-8.

    After the columns of docs/output.md come ``p_EMOTION``, ``share_STREAM_EMOTION`` and
    ``bias_EMOTION`` of every emotion and stream of all recordings, and ``value_NAME`` of every
    value; they are empty for a recording without that emotion, stream or value. A text that a
    spreadsheet would take for a formula begins with an apostrophe.
    """
    several = [timelines] if isinstance(timelines, Timeline) else timelines
    emotions = list(dict.fromkeys(e for t in several for e in t.emotions))
    values = list(dict.fromkeys(v.name for t in several for v in t.values))
    used = dict.fromkeys(s for t in several for p in t for s in p.shares)
    streams = ordered(used)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    names = [f"p_{e}" for e in emotions]
    names += [f"share_{s}_{e}" for s in streams for e in emotions]
    names += [f"bias_{e}" for e in emotions]
    names += [f"value_{v}" for v in values]
    table.writerow([*_HEAD, *map(plain, names)])
    for timeline in several:
        for p in timeline:
            numbers = [
                *_numbers(p, emotions, streams),
                *(_number(p.values.get(v), 4) for v in values),
            ]
            table.writerow([*_first(timeline, p), *numbers])
    return out.getvalue()


def _first(timeline: Timeline, p: Prediction) -> list[object]:
    absent = "; ".join(f"{s}: {why}" for s, why in {**timeline.absent, **p.absent}.items())
    return [
        _text(timeline.path),
        _text(p.id),
        "" if p.track is None else p.track,
        _number(p.start, 3),
        _number(p.end, 3),
        _text(p.text or ""),
        _text(label(p) if p.probabilities else ""),
        _number(p.probabilities.get(shown_emotion(p)), 4),
        "+".join(p.streams),
        _text(absent),
        _text("; ".join(p.flags)),
    ]


def _numbers(p: Prediction, emotions: Sequence[str], streams: Sequence[str]) -> list[str]:
    columns = [_number(p.probabilities.get(e), 4) for e in emotions]
    columns += [_number(known_shares(p, s).get(e), 5) for s in streams for e in emotions]
    return columns + [_number(p.bias.get(e), 5) for e in emotions]


def _number(value: float | None, digits: int) -> str:
    return (
        "" if value is None or not math.isfinite(value) else str(round(float(value), digits) + 0.0)
    )


def _text(value: str) -> str:
    value = plain(value)
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else value
