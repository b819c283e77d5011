"""Annotations in whole milliseconds, without overlaps, for subtitle and annotation formats."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from moodal.core.dimensions import DIMENSIONS, INTENSITY
from moodal.core.emotions import Value
from moodal.core.errors import UsageError
from moodal.core.face_action import UNITS, FaceAction, mean_action
from moodal.core.guard import plain
from moodal.core.records import ordered
from moodal.core.summary import persons_of
from moodal.core.timeline import Prediction, Timeline


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


def distinct_names(timelines: Sequence[Timeline]) -> list[str]:
    """Choose distinct names: interview, else interview.mp4, else interview.mp4-2."""
    names = [PurePath(t.path).name if t.path not in ("", "-") else "recording" for t in timelines]
    stems = [PurePath(n).stem for n in names]
    chosen: list[str] = []
    taken: set[str] = set()
    for name, stem in zip(names, stems, strict=True):
        base = stem if sum(s.lower() == stem.lower() for s in stems) == 1 else name
        number, unique = 1, base
        while unique.lower() in taken:
            number += 1
            unique = f"{base}-{number}"
        taken.add(unique.lower())
        chosen.append(unique)
    return chosen


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
    """Sort annotations into lanes without overlaps: one per person, or more if needed.

    Persons who are only faces share a lane where they do not overlap.
    """
    predictions = [c.prediction for c in annotations]
    layers = _layers(annotations)
    names = persons_of(predictions)
    if not names or (len(layers) <= 1 and not any(p.person for p in predictions)):
        if len(layers) <= 1:
            return [Lane("", list(annotations))]
        return [Lane(f"layer {i}", layer) for i, layer in enumerate(layers, 1)]
    sorted_lanes = []
    for name in sorted(names, key=lambda name: _order(name, predictions)):
        own_layers = _layers([c for c in annotations if c.prediction.who == name])
        for i, layer in enumerate(own_layers):
            layer_name = f", layer {i + 1}" if len(own_layers) > 1 else ""
            sorted_lanes.append(Lane(plain(name) + layer_name, layer))
    return sorted_lanes


def _order(name: str, predictions: Sequence[Prediction]) -> tuple[bool, int, int]:
    """Order named persons by their first utterance, then faces by their number, then the rest."""
    first = next(i for i, p in enumerate(predictions) if p.who == name)
    p = predictions[first]
    if p.person:
        return False, 0, first
    return p.track is None, 1, p.track or 0


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


def face_tiers(timeline: Timeline, lane: Lane) -> Iterator[tuple[str, list[str]]]:
    """Yield the tiers of what the face does: name, and a text for each annotation.

    The numbers are means over the pictures of an utterance or slice. Nothing is yielded where no
    utterance has any.
    """
    if not any(p.face for p in timeline):
        return
    predictions = [c.prediction for c in rows(lane).annotations]
    means = [mean_action(p.face, p.face[0].at) if p.face else None for p in predictions]
    for name, (number, digits) in _FACE_TIERS.items():
        yield name, ["" if mean is None else f"{number(mean):.{digits}f}" for mean in means]
    for unit in UNITS:
        numbers = [None if mean is None else mean.action_units[unit] for mean in means]
        yield f"{unit} (derived)", ["" if n is None else f"{n:.2f}" for n in numbers]


_FACE_TIERS: dict[str, tuple[Callable[[FaceAction], float], int]] = {
    "head yaw": (lambda a: a.pose.yaw, 1),
    "head pitch": (lambda a: a.pose.pitch, 1),
    "head roll": (lambda a: a.pose.roll, 1),
    "gaze yaw": (lambda a: a.gaze.yaw, 1),
    "gaze pitch": (lambda a: a.gaze.pitch, 1),
    "blink": (lambda a: a.blink, 2),
    "mouth opening": (lambda a: a.mouth_opening, 2),
}
"""Tier -> its number and decimals."""


def value_tier(value: Value) -> str:
    """Name the tier of a value; another tier's name is not taken twice.

    >>> value_tier(Value.of("valence")), value_tier(Value("word", 0, 1))
    ('valence', 'word (value)')
    """
    taken = value.name in ("utterance", "text", "speaker", "language", "word", *_FACE_TIERS)
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
