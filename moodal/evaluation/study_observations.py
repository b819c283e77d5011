"""Observations of a study: what is measured of each row of its design, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from moodal.core.dimensions import DIMENSIONS
from moodal.core.summary import face_name
from moodal.core.timeline import Prediction, Timeline
from moodal.evaluation.design import Design, DesignRow

UNDECIDED = "undecided"
"""The measure that is the share of the time in which the model abstains."""


@dataclass(frozen=True, slots=True)
class StudyMeasure:
    """A measure of a recording, averaged over the time of its utterances.

    Attributes:
        name: its key, such as "p_anger", "time_anger", "valence_mapped" or "value_trust".
        label: its name for readers.
        kind: "probability", "time" (a share of it), "dimension" or "value".
        low, high: the ends of its range.
    """

    name: str
    label: str
    kind: str
    low: float
    high: float


@dataclass(frozen=True)
class StudyObservation:
    """The measures of one row of the design.

    Attributes:
        row: the recording, or the channel of one, and whose it is.
        utterances: their number.
        seconds: the sum of their lengths; None for a text or a picture.
        values: measure -> mean over the utterances, weighted by their seconds.
    """

    row: DesignRow
    utterances: int
    seconds: float | None
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class MissingRecording:
    """A recording that is in the design or among the timelines, and not in both.

    Attributes:
        recording: its name, with the channel.
        reason: "not given", "not in the design", "no such channel" or "nothing to judge".
        participant, condition: of the design; "" if it is not there.
    """

    recording: str
    reason: str
    participant: str = ""
    condition: str = ""


def observe(
    design: Design, timelines: Sequence[Timeline], matched: Mapping[str, int]
) -> tuple[tuple[StudyObservation, ...], tuple[MissingRecording, ...]]:
    """Measure each row of the design, and name what is missing.

    Args:
        design: the design.
        timelines: all that were given.
        matched: recording of the design -> number of its timeline.
    """
    observations: list[StudyObservation] = []
    missing: list[MissingRecording] = []
    for row in design.rows:
        timeline = timelines[matched[row.recording]] if row.recording in matched else None
        own = [] if timeline is None else [p for p in timeline.rows if _is_of(p, row.channel)]
        if timeline is not None and own:
            utterances = sum(_is_of(p, row.channel) for p in timeline)
            observations.append(StudyObservation(row, utterances, _seconds(own), _means(own)))
            continue
        reason = "not given" if timeline is None else "nothing to judge"
        if timeline is not None and len(timeline):
            reason = "no such channel"
        missing.append(MissingRecording(row.name, reason, row.participant, row.condition))
    unused = set(range(len(timelines))) - set(matched.values())
    missing += [MissingRecording(timelines[i].path, "not in the design") for i in sorted(unused)]
    return tuple(observations), tuple(missing)


def _is_of(p: Prediction, channel: str) -> bool:
    """Return whether an utterance is of a channel: its number, or a speaker, person or face."""
    names = {p.person or p.speaker, face_name(p.track)}
    return not channel or not names.isdisjoint({channel, f"channel {channel}"})


def _seconds(rows: Sequence[Prediction]) -> float | None:
    """Add up the lengths of utterances; None if any has no times."""
    lengths = [_length(p) for p in rows]
    return None if None in lengths else sum(length or 0.0 for length in lengths)


def _length(p: Prediction) -> float | None:
    return None if p.start is None or p.end is None else p.end - p.start


def _means(rows: Sequence[Prediction]) -> dict[str, float]:
    """Return the mean of each measure, weighted by the time of the rows that have it."""
    whole = _seconds(rows)
    sums: dict[str, float] = {}
    weights: dict[str, float] = {}
    for p in rows:
        weight = (_length(p) or 0.0) if whole else 1.0
        for name, number in _numbers(p):
            sums[name] = sums.get(name, 0.0) + weight * number
            weights[name] = weights.get(name, 0.0) + weight
    return {name: total / weights[name] for name, total in sums.items() if weights[name]}


def _numbers(p: Prediction) -> Iterator[tuple[str, float]]:
    """Yield the measures of one utterance or slice.

    Dimensions that are learned and mapped ones are two measures, since their scales differ.
    """
    for emotion, probability in p.probabilities.items():
        yield f"p_{emotion}", probability
        yield f"time_{emotion}", float(emotion == p.top)
    if p.probabilities:
        yield UNDECIDED, float(not p.decided)
    row = p.dimensions.get(p.headline)
    if row is not None:
        for name, number in zip(DIMENSIONS, row.numbers, strict=True):
            yield f"{name}_{row.known}", number
    for name, number in p.values.items():
        yield f"value_{name}", number


def measures_of(
    timelines: Sequence[Timeline], observations: Sequence[StudyObservation]
) -> tuple[StudyMeasure, ...]:
    """List the measures that any recording has, in the order of tables."""
    emotions = timelines[0].emotions
    listed = [StudyMeasure(f"p_{e}", f"probability of {e}", "probability", 0, 1) for e in emotions]
    listed += [
        StudyMeasure(f"time_{e}", f"share of time with {e} on top", "time", 0, 1) for e in emotions
    ]
    listed += [StudyMeasure(UNDECIDED, "share of time undecided", "time", 0, 1)]
    listed += [
        StudyMeasure(f"{name}_{known}", f"{name} ({known})", "dimension", -1, 1)
        for known in ("learned", "mapped")
        for name in DIMENSIONS
    ]
    listed += [
        StudyMeasure(f"value_{v.name}", v.name, "value", v.low, v.high) for v in timelines[0].values
    ]
    present = {name for o in observations for name in o.values}
    return tuple(m for m in listed if m.name in present)
