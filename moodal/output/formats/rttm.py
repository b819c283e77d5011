"""A timeline as RTTM (NIST, Rich Transcription 2009): who speaks when, for scoring tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moodal.core.errors import UsageError
from moodal.core.guard import plain
from moodal.core.records import BUILT_IN
from moodal.core.timeline import Prediction, Timeline
from moodal.output.formats import timed


def to_rttm(timelines: Sequence[Timeline]) -> str:
    """Write a line for each turn, or else for each utterance whose speaker is known, in seconds.

    RTTM separates fields by spaces, so names are written with "_" in place of spaces. An utterance
    of several speakers has a line for each; one that is there for several faces is written once.

    Raises:
        UsageError: a recording has no times, or nobody in it is named.
    """
    if isinstance(timelines, Timeline):
        timelines = [timelines]
    names = timed.distinct_names(timelines)
    lines = (
        line
        for timeline, name in zip(timelines, names, strict=True)
        for line in dict.fromkeys(_lines(timeline, _field(name) or "recording"))
    )
    return "".join(lines)


def _lines(timeline: Timeline, recording: str) -> Iterator[str]:
    annotations = timed.annotate(timeline, "rttm")
    spoken = [c.prediction for c in annotations if c.prediction.text or _is_voice(c.prediction)]
    if spoken and not any(p.speaker for p in spoken):
        raise UsageError(
            f"Nobody is named in {recording}, but RTTM tells who speaks: predict the recording "
            "again, for example with --speakers auto."
        )
    for turn in timeline.turns:
        yield _line(recording, turn.start, turn.end, _field(turn.speaker))
    if timeline.turns:
        return
    for annotation in annotations:
        for speaker in (annotation.prediction.speaker or "").split(","):
            if name := _field(speaker):
                yield _line(recording, annotation.start / 1000, annotation.end / 1000, name)


def _is_voice(p: Prediction) -> bool:
    """Return whether an utterance was judged by a voice."""
    return any(stream in BUILT_IN and BUILT_IN[stream].medium == "sound" for stream in p.streams)


def _line(recording: str, start: float, end: float, name: str) -> str:
    return f"SPEAKER {recording} 1 {start:.3f} {end - start:.3f} <NA> <NA> {name} <NA> <NA>\n"


def _field(text: str) -> str:
    """Return a name without spaces; ";" and "<" at its beginning would be a comment or no name."""
    return "_".join(plain(text).split()).lstrip(";<")
