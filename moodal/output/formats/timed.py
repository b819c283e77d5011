"""Annotations in whole milliseconds, without overlaps, for subtitle and annotation formats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from moodal.core.dimensions import DIMENSIONS, INTENSITY
from moodal.core.emotions import Value
from moodal.core.errors import UsageError
from moodal.core.records import ordered
from moodal.core.summary import faces_of
from moodal.core.timeline import Prediction, Timeline
from moodal.output.style import face_name


class Annotation(NamedTuple):
    """A prediction with its times: ``start`` < ``end`` in ms from the recording's beginning."""

    start: int
    end: int
    prediction: Prediction


class Lane(NamedTuple):
    """A sequence of annotations that do not overlap; ``name`` is "" where there is one lane."""

    name: str
    annotations: list[Annotation]


def only(timelines: Sequence[Timeline], format: str) -> Timeline:
    """Return the one recording that a file of this format holds.

    Raises:
        UsageError: there are several timelines, or none.
    """
    if isinstance(timelines, Timeline):
        return timelines
    if len(timelines) != 1:
        raise UsageError(
            f"A file of {format} holds one recording, but there are {len(timelines)}: "
            "name a folder to write them to, such as out/."
        )
    return timelines[0]


def annotate(timeline: Timeline, format: str) -> list[Annotation]:
    """Return an annotation for every utterance in the order of time, each at least 1 ms long.

    Raises:
        UsageError: an utterance has no times, as in a text or a still image.
    """
    timed = []
    for p in timeline:
        if p.start is None or p.end is None or timeline.kind == "image":
            name = PurePath(timeline.path).name or "This"
            raise UsageError(
                f"{name} has no times, but {format} needs them: write json or csv instead."
            )
        if not (math.isfinite(p.start) and math.isfinite(p.end)):
            raise UsageError(f"{p.id} has the times {p.start:g} to {p.end:g}, which are none.")
        timed.append(_annotation(p, p.start, p.end))
    return sorted(timed, key=lambda c: (c.start, c.end))


def rows(lane: Lane) -> Lane:
    """Return the lane in the finest time: the slices of utterances that have slices."""
    fine: list[Annotation] = []
    for annotation in lane.annotations:
        slices = [
            _annotation(s, s.start, s.end)
            for s in annotation.prediction.slices
            if s.start is not None and s.end is not None
        ]
        fine += slices or [annotation]
    return Lane(lane.name, fine)


def _annotation(p: Prediction, first: float, last: float) -> Annotation:
    start = max(0, round(first * 1000))
    return Annotation(start, max(start + 1, round(last * 1000)), p)


def end_of(timeline: Timeline, annotations: Iterable[Annotation]) -> int:
    """Return the end of the recording in ms: at least 1, and not before the last utterance's."""
    seconds = timeline.duration or 0.0
    length = round(seconds * 1000) if math.isfinite(seconds) else 1
    return max([1, length, *(c.end for c in annotations)])


def lanes(annotations: Sequence[Annotation]) -> list[Lane]:
    """Sort annotations into lanes without overlaps: one per tracked face, or more if needed."""
    layers = _layers(annotations)
    if len(layers) <= 1:
        return [Lane("", list(annotations))]
    if len(faces_of(c.prediction for c in annotations)) < 2:
        return [Lane(f"layer {i}", layer) for i, layer in enumerate(layers, 1)]
    sorted_lanes = []
    tracks = sorted({c.prediction.track for c in annotations}, key=lambda t: (t is None, t or 0))
    for track in tracks:
        name = face_name(track)
        track_layers = _layers([c for c in annotations if c.prediction.track == track])
        for i, layer in enumerate(track_layers):
            layer_name = f", layer {i + 1}" if len(track_layers) > 1 else ""
            sorted_lanes.append(Lane(name + layer_name, layer))
    return sorted_lanes


def words(lane: Lane) -> list[tuple[int, int, str]]:
    """Return (start ms, end ms, word) of the words with times, cut to their utterance."""
    timed_words: list[tuple[int, int, str]] = []
    for annotation in lane.annotations:
        last = annotation.start
        for word in annotation.prediction.words:
            if word.start is None or word.end is None:
                continue
            start = max(last, round(word.start * 1000))
            end = min(annotation.end, round(word.end * 1000))
            if start < end:
                timed_words.append((start, end, word.text))
                last = end
    return timed_words


def label_tiers(timeline: Timeline, lane: Lane) -> Iterator[tuple[str, list[str]]]:
    """Yield the tiers that name something of each utterance: who speaks, and the language.

    A tier is there if any utterance of the timeline has such a name.
    """
    predictions = [c.prediction for c in lane.annotations]
    if any(p.speaker for p in timeline):
        yield "speaker", [p.speaker or "" for p in predictions]
    if any(p.language for p in timeline):
        yield "language", [p.spoken for p in predictions]


def dimension_tiers(timeline: Timeline, lane: Lane) -> Iterator[tuple[str, list[str]]]:
    """Yield the tiers of dimensions and intensity: name, and a text for each annotation.

    The tiers of the dimensions hold the headline's numbers, and "dimensions" tells how they are
    known, such as "learned from text". Nothing is yielded where no utterance has any.
    """
    predictions = [c.prediction for c in rows(lane).annotations]
    if any(p.dimensions for p in timeline):
        headlines = [p.dimensions.get(p.headline) for p in predictions]
        for i, name in enumerate(DIMENSIONS):
            yield name, [f"{row.numbers[i]:.2f}" if row else "" for row in headlines]
        known = zip(headlines, predictions, strict=True)
        yield "dimensions", [f"{row.known} from {p.headline}" if row else "" for row, p in known]
    for stream in ordered(s for p in timeline for s in p.intensity):
        numbers = [p.intensity.get(stream) for p in predictions]
        yield f"{INTENSITY} ({stream})", ["" if n is None else f"{n:.2f}" for n in numbers]


def value_tier(value: Value) -> str:
    """Name the tier of a value; another tier's name is not taken twice.

    >>> value_tier(Value.of("valence")), value_tier(Value("word", 0, 1))
    ('valence', 'word (value)')
    """
    taken = value.name in ("utterance", "text", "speaker", "language", "word")
    return f"{value.name} (value)" if taken else value.name


def _layers(annotations: Sequence[Annotation]) -> list[list[Annotation]]:
    """Divide annotations in the order of time into the fewest lists without overlaps."""
    layers: list[list[Annotation]] = []
    for annotation in annotations:
        layer = next((layer for layer in layers if layer[-1].end <= annotation.start), None)
        if layer is None:
            layers.append([annotation])
        else:
            layer.append(annotation)
    return layers
