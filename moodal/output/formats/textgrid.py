"""A timeline as a Praat TextGrid (long text format, UTF-8): interval tiers without gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from moodal.core.guard import plain
from moodal.core.timeline import Timeline
from moodal.output.formats import timed

Interval = tuple[int, int, str]


def to_textgrid(timelines: Sequence[Timeline]) -> str:
    """Write the tiers utterance, text, word (if words have times), emotion and P(EMOTION).

    A model of values gives a tier per value, called as the value, instead of emotions. Of
    utterances with slices, the tiers of emotions and values have an interval per slice.
    The tiers of dimensions and intensity follow, see `timed.dimension_tiers`, and those of what the
    face does come before the emotions, see `timed.face_tiers`. Where they are known, the tiers
    speaker and language come after the text.

    Overlapping utterances, such as those of several faces, get separate tiers, whose names end
    in "(face 2)" or "(layer 2)".

    Raises:
        UsageError: there are several recordings, or the recording has no times.
    """
    timeline = timed.only(timelines, "textgrid")
    annotations = timed.annotate(timeline, "textgrid")
    end = timed.end_of(timeline, annotations)
    tiers = [
        (f"{name} ({lane.name})" if lane.name else name, list(_filled(intervals, end)))
        for lane in timed.lanes(annotations)
        for name, intervals in _tiers(lane, timeline)
    ]
    head = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_time(end)}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    lines = [line for i, tier in enumerate(tiers, 1) for line in _lines(i, *tier, end)]
    return "\n".join([*head, *lines]) + "\n"


def _tiers(lane: timed.Lane, timeline: Timeline) -> Iterator[tuple[str, list[Interval]]]:
    annotations = lane.annotations
    yield "utterance", [(c.start, c.end, c.prediction.id) for c in annotations]
    yield "text", [(c.start, c.end, c.prediction.text or "") for c in annotations]
    for name, texts in timed.label_tiers(timeline, lane):
        spans = zip(annotations, texts, strict=True)
        yield name, [(c.start, c.end, text) for c, text in spans]
    if words := timed.words(lane):
        yield "word", words
    annotations = timed.rows(lane).annotations
    for value in timeline.values:
        numbers = [f"{c.prediction.values[value.name]:.2f}" for c in annotations]
        spans = zip(annotations, numbers, strict=True)
        yield timed.value_tier(value), [(c.start, c.end, number) for c, number in spans]
    for name, texts in timed.face_tiers(timeline, lane):
        spans = zip(annotations, texts, strict=True)
        yield name, [(c.start, c.end, text) for c, text in spans]
    if timeline.values:
        return
    yield "emotion", [(c.start, c.end, c.prediction.label) for c in annotations]
    for e in timeline.emotions:
        yield (
            f"P({e})",
            [(c.start, c.end, f"{c.prediction.probabilities[e]:.2f}") for c in annotations],
        )
    for name, texts in timed.dimension_tiers(timeline, lane):
        spans = zip(annotations, texts, strict=True)
        yield name, [(c.start, c.end, text) for c, text in spans]


def _filled(intervals: Iterable[Interval], end: int) -> Iterator[Interval]:
    """Fill the gaps from 0 to the end with empty intervals, since Praat allows no gaps."""
    last = 0
    for start, stop, text in intervals:
        if start > last:
            yield last, start, ""
        yield start, stop, text
        last = stop
    if last < end:
        yield last, end, ""


def _lines(number: int, name: str, intervals: Sequence[Interval], end: int) -> Iterator[str]:
    yield f"    item [{number}]:"
    yield '        class = "IntervalTier"'
    yield f"        name = {_quoted(name)}"
    yield "        xmin = 0"
    yield f"        xmax = {_time(end)}"
    yield f"        intervals: size = {len(intervals)}"
    for i, (start, stop, text) in enumerate(intervals, 1):
        yield f"        intervals [{i}]:"
        yield f"            xmin = {_time(start)}"
        yield f"            xmax = {_time(stop)}"
        yield f"            text = {_quoted(text)}"


def _quoted(text: str) -> str:
    doubled = plain(text).replace('"', '""')
    return f'"{doubled}"'


def _time(ms: int) -> str:
    """Format seconds; equal times give equal text, so that neighbouring intervals meet."""
    return f"{ms // 1000}.{ms % 1000:03d}".rstrip("0").rstrip(".")
