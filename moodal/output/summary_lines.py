"""The summary of a recording in sentences, for the foot of the terminal's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from moodal.core.dimensions import DIMENSIONS
from moodal.core.emotions import Value
from moodal.core.guard import plain
from moodal.core.summary import DecidedMoment, RecordingSummary, ValueSummary
from moodal.core.timeline import UNSURE, Timeline
from moodal.output.style import clock, numbered, numeral, percent

SHOWN = 0.005
"""The smallest share that is named; a smaller one would be shown as 0 %."""


def summary_lines(timeline: Timeline) -> Iterator[str]:
    """Yield sentences on the recording as a whole, then on each of several persons.

    A single utterance needs no summary.
    """
    if len(timeline) < 2:
        return
    whole = timeline.summary()
    # the faces of a picture are its utterances already
    tracks = () if timeline.kind == "image" else whole.tracks
    for summary in (whole, *tracks):
        name = _capitalised(plain(summary.person)) if summary.person else "Overall"
        if timeline.values:
            for value in timeline.values:
                ends = summary.values[value.name]
                yield f"{name}: {plain(value.name)} {_ends(timeline, value, ends)}."
        else:
            yield from _emotions(timeline, summary, name)


def _emotions(timeline: Timeline, summary: RecordingSummary, name: str) -> Iterator[str]:
    """Yield what is decided and for how long, the mean probabilities, and telling utterances."""
    whole = "the utterances" if summary.seconds is None else f"{summary.seconds:.1f} s"
    decided = _percentages({**summary.decided, UNSURE: summary.undecided or 0.0})
    yield f"{name}, of {whole}: {decided}."
    shares = _percentages(summary.probabilities) or "all below 1 %"
    yield f"{name}, mean probability: {shares}."
    headlines = {p.headline for p in timeline}
    for row, means in summary.dimensions.items():
        if row not in headlines:
            continue
        numbers = zip(DIMENSIONS, means.numbers, strict=True)
        texts = (f"{value} {numeral(Value.of(value), number)}" for value, number in numbers)
        yield f"{name}, mean dimensions ({row}, {means.known}): {', '.join(texts)}."
    for stream, number in summary.intensity.items():
        yield f"{name}, mean intensity ({stream}): {number:.2f}."
    if summary.telling:
        moments = ", ".join(_moment(timeline, moment) for moment in summary.telling)
        yield f"{name}, most telling: {moments}."


def _capitalised(name: str) -> str:
    """Return a name with a capital at its beginning: "speaker 2" -> "Speaker 2"."""
    return name[:1].upper() + name[1:]


def _percentages(shares: Mapping[str, float]) -> str:
    """Name shares, the largest first: "anger 62 %, fear 31 %"."""
    named = sorted(((-share, name) for name, share in shares.items() if share >= SHOWN))
    return ", ".join(f"{plain(name)} {percent(-share)}" for share, name in named)


def _moment(timeline: Timeline, moment: DecidedMoment) -> str:
    place = _place(timeline, moment.id, moment.start)
    return f"{plain(moment.emotion)} {percent(moment.probability)} ({place})"


def _ends(timeline: Timeline, value: Value, ends: ValueSummary) -> str:
    """Describe a value: "+0.10 on average, from −0.42 (utterance 3, 0:07) to ..."."""
    lowest = _place(timeline, ends.lowest_id, ends.lowest_start)
    highest = _place(timeline, ends.highest_id, ends.highest_start)
    return (
        f"{numeral(value, ends.mean)} on average, from {numeral(value, ends.lowest)} ({lowest}) "
        f"to {numeral(value, ends.highest)} ({highest})"
    )


def _place(timeline: Timeline, utterance: str, start: float | None) -> str:
    """Name an utterance or slice by its number in the table, and when it begins."""
    number = next((number for number, p in numbered(timeline) if p.id == utterance), "0")
    kind = "slice" if "." in number else "utterance"
    return f"{kind} {number}" + ("" if start is None else f", {clock(start)}")
