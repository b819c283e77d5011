"""The answer for a recording as a whole: means over time, shares of time, telling moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from moodal.core.dimensions import Dimensions, mean
from moodal.core.records import ordered

if TYPE_CHECKING:
    from moodal.core.timeline import Prediction

T = TypeVar("T")

NEUTRAL = "neutral"
MOST = 3
"""The largest number of telling moments."""


@dataclass(frozen=True, slots=True)
class DecidedMoment:
    """An utterance, or a slice of one, in which an emotion is decided.

    Attributes:
        id: the utterance or slice.
        emotion, probability: what is decided, and how probable it is.
        start, end: seconds in the recording; None for a text.
    """

    id: str
    emotion: str
    probability: float
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class ValueSummary:
    """A value over a recording: its mean, and its ends with the utterances that have them first.

    Attributes:
        mean: weighted by the utterances' seconds.
        lowest, highest: the numbers.
        lowest_id, highest_id: the utterances.
        lowest_start, highest_start: their beginnings in seconds; None for a text.
    """

    mean: float
    lowest: float
    lowest_id: str
    lowest_start: float | None
    highest: float
    highest_id: str
    highest_start: float | None


@dataclass(frozen=True)
class RecordingSummary:
    """The utterances of a recording, or of one person in it, taken together.

    Each utterance weighs as much as it lasts; utterances without times, as those of a text or a
    picture, weigh the same. Shares of time refer to the time of utterances, not to pauses.

    Attributes:
        utterances: their number.
        seconds: the sum of their lengths; None for a text.
        probabilities: emotion -> mean probability; empty where the model answers with values.
        decided: emotion -> share of the time in which it is decided, 0 to 1.
        undecided: share of the time in which the model abstains; with those of ``decided`` it
            adds up to 1. None where nothing could be decided: of values, or without utterances.
        telling: up to three utterances with the highest probability of a decided emotion other
            than neutral, the most probable first; where they have slices, the slice of each.
        first: for each decided emotion, the first utterance in which it is, in order of time.
        values: value -> its mean and ends; empty where the model answers with emotions.
        dimensions: stream, or `moodal.core.dimensions.ANSWER` -> the means over the utterances that
            have it; rows that are learned and mapped ones are never averaged together.
        intensity: stream -> the mean over the utterances that have it.
        changes: how often the decided emotion is another one than the one decided before; of
            several persons, the sum of theirs.
        track: number of the tracked face; None for the whole recording, and for a person who has
            none.
        person: the name of the person; None for the whole recording.
        tracks: a summary for each person, a speaker or a tracked face, where there are several; in
            order of appearance.
    """

    utterances: int
    seconds: float | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    decided: Mapping[str, float] = field(default_factory=dict)
    undecided: float | None = None
    telling: tuple[DecidedMoment, ...] = ()
    first: tuple[DecidedMoment, ...] = ()
    values: Mapping[str, ValueSummary] = field(default_factory=dict)
    dimensions: Mapping[str, Dimensions] = field(default_factory=dict)
    intensity: Mapping[str, float] = field(default_factory=dict)
    changes: int = 0
    track: int | None = None
    person: str | None = None
    tracks: tuple[RecordingSummary, ...] = ()


NO_FACE, NOT_NAMED = NOBODY = "no face", "not named"
"""Who was judged without a face where others have one, and who has no name where others have."""


def face_name(track: int | None) -> str:
    """Name a tracked face by its number; None is what was judged without a face.

    >>> face_name(2), face_name(None)
    ('face 2', 'no face')
    """
    return NO_FACE if track is None else f"face {track}"


def persons_of(predictions: Iterable[Prediction]) -> tuple[str, ...]:
    """Return the names of several persons, in the order in which they appear; else none."""
    names = dict.fromkeys(p.who for p in predictions)
    several = [name for name in names if name not in NOBODY]
    return tuple(names) if len(several) > 1 else ()


def faces_of(predictions: Iterable[Prediction]) -> tuple[int, ...]:
    """Return the numbers of the tracked faces, in the order in which they appear."""
    return tuple(dict.fromkeys(p.track for p in predictions if p.track is not None))


def summarise(predictions: Sequence[Prediction], emotions: Sequence[str]) -> RecordingSummary:
    """Summarise the utterances of a recording, and those of each of several persons.

    Where utterances have slices, these are summed up in their place.

    Args:
        predictions: the utterances in the order of time.
        emotions: the emotions that were asked for; none of a model of values.
    """
    names = [name for name in persons_of(predictions) if name not in NOBODY]
    tracks = tuple(
        _summary([p for p in predictions if p.who == name], emotions, name) for name in names
    )
    return _summary(predictions, emotions, tracks=tracks)


def _summary(
    predictions: Sequence[Prediction],
    emotions: Sequence[str],
    person: str | None = None,
    tracks: tuple[RecordingSummary, ...] = (),
) -> RecordingSummary:
    utterances = len(predictions)
    owners = [i for i, p in enumerate(predictions) for _ in p.slices or (p,)]
    predictions = [row for p in predictions for row in p.slices or (p,)]
    weights = _weights(predictions)
    scored = bool(predictions and emotions)
    decided = dict.fromkeys(emotions, 0.0) if scored else {}
    undecided = 0.0
    for p, weight in zip(predictions, weights, strict=True):
        if p.decided:
            decided[p.decided[0]] = decided.get(p.decided[0], 0.0) + float(weight)
        else:
            undecided += float(weight)
    moments = [_moment(p) for p in predictions if p.decided]
    telling: dict[int, DecidedMoment] = {}  # of each utterance its most telling slice
    for owner, p in sorted(zip(owners, predictions, strict=True), key=_probability):
        if p.decided and p.decided[0] != NEUTRAL:
            telling.setdefault(owner, _moment(p))
    first = {m.emotion: m for m in reversed(moments)}
    return RecordingSummary(
        utterances=utterances,
        seconds=_seconds(predictions),
        probabilities={
            e: _mean([p.probabilities[e] for p in predictions], weights)
            for e in (emotions if scored else ())
        },
        decided=decided,
        undecided=undecided if scored else None,
        telling=tuple(telling.values())[:MOST],
        first=tuple(m for m in moments if first[m.emotion] is m),
        values=_values(predictions, weights),
        dimensions=_dimensions(predictions, weights),
        intensity=_intensity(predictions, weights),
        changes=sum(own.changes for own in tracks) if tracks else _changes(predictions),
        track=next((p.track for p in predictions if p.track is not None), None) if person else None,
        person=person,
        tracks=tracks,
    )


def _changes(predictions: Sequence[Prediction]) -> int:
    """Count the changes of the decided emotion; rows without one are passed over."""
    decided = [p.decided[0] for p in predictions if p.decided]
    return sum(a != b for a, b in pairwise(decided))


def _probability(row: tuple[int, Prediction]) -> float:
    """Order rows by the probability of what is decided, the highest first."""
    return -max((row[1].probabilities[e] for e in row[1].decided[:1]), default=0.0)


def _dimensions(predictions: Sequence[Prediction], weights: np.ndarray) -> dict[str, Dimensions]:
    """Return the mean of each stream's dimensions; a stream with two scales has none."""
    weighted = _by_stream([p.dimensions for p in predictions], weights)
    return {
        name: mean(rows, own)
        for name, (rows, own) in weighted.items()
        if len({row.known for row in rows}) == 1
    }


def _intensity(predictions: Sequence[Prediction], weights: np.ndarray) -> dict[str, float]:
    """Return the mean intensity of each stream."""
    weighted = _by_stream([p.intensity for p in predictions], weights)
    return {
        name: _mean(numbers, np.array(own) / (sum(own) or 1.0))
        for name, (numbers, own) in weighted.items()
    }


def _by_stream(
    rows: Sequence[Mapping[str, T]], weights: np.ndarray
) -> dict[str, tuple[list[T], list[float]]]:
    """Gather what utterances tell of each stream, and the weights of those that do."""
    return {
        name: (
            [row[name] for row in rows if name in row],
            [float(weight) for row, weight in zip(rows, weights, strict=True) if name in row],
        )
        for name in ordered(stream for row in rows for stream in row)
    }


def _seconds(predictions: Sequence[Prediction]) -> float | None:
    """Add up the lengths of utterances; None if any has no times."""
    spans = [(p.start, p.end) for p in predictions]
    lengths = [end - start for start, end in spans if start is not None and end is not None]
    return float(sum(lengths)) if lengths and len(lengths) == len(spans) else None


def _weights(predictions: Sequence[Prediction]) -> np.ndarray:
    """Return the share of each utterance in the time of all [N]; equal shares without times."""
    if not _seconds(predictions):
        return np.full(len(predictions), 1 / max(1, len(predictions)))
    lengths = np.array([(p.end or 0.0) - (p.start or 0.0) for p in predictions])
    return np.asarray(lengths / lengths.sum())


def _mean(numbers: Sequence[float], weights: np.ndarray) -> float:
    """Return the weighted mean, within the numbers' range despite rounding."""
    return float(np.clip(np.dot(numbers, weights), min(numbers), max(numbers)))


def _moment(p: Prediction) -> DecidedMoment:
    emotion = p.decided[0]
    return DecidedMoment(p.id, emotion, p.probabilities[emotion], p.start, p.end)


def _values(predictions: Sequence[Prediction], weights: np.ndarray) -> dict[str, ValueSummary]:
    summaries = {}
    for name in predictions[0].values if predictions else ():
        numbers = [p.values[name] for p in predictions]
        low, high = predictions[int(np.argmin(numbers))], predictions[int(np.argmax(numbers))]
        summaries[name] = ValueSummary(
            mean=_mean(numbers, weights),
            lowest=low.values[name],
            lowest_id=low.id,
            lowest_start=low.start,
            highest=high.values[name],
            highest_id=high.id,
            highest_start=high.start,
        )
    return summaries
