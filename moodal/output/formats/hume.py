"""Timelines as JSON of the shape that batch predictions of Hume's Expression Measurement had.

That interface ended in June 2026. Programs that read its files find here what moodal knows, in the
same places; docs/hume.md goes through the fields, and names those that are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from moodal.core.errors import UsageError
from moodal.core.face_action import FaceAction
from moodal.core.guard import escaped
from moodal.core.timeline import Prediction, Timeline
from moodal.output.style import streams_of

MODELS = {"pictures": "face", "sound": "prosody", "text": "language"}
"""What a stream is read from -> the name of Hume's model of it."""

BURST = "burst"
"""Hume's model of sounds that are no speech; here that of cries."""

CRY = "judged as a cry"
"""A part of the flag of an utterance in which a cry, and no speech, was heard."""

NAMES = {"happiness": "Joy", "calm": "Calmness"}
"""Emotions that Hume calls by another word; others are only capitalised."""

UNKNOWN = "unknown"
"""The name of a group where persons are not told apart."""


def to_hume(timelines: Sequence[Timeline]) -> str:
    """Write a list with one entry per recording.

    Raises:
        UsageError: a recording was asked for values, for which Hume's shape has no place.
    """
    several = [timelines] if isinstance(timelines, Timeline) else timelines
    entries = [_entry(timeline) for timeline in several]
    text = json.dumps(entries, ensure_ascii=False, indent=1, allow_nan=False)
    return escaped(text.encode("utf-8", "replace").decode("utf-8")) + "\n"


def hume_name(emotion: str) -> str:
    """Write an emotion as Hume does where both have it, else capitalised.

    >>> hume_name("happiness"), hume_name("empathic pain"), hume_name("surprise (positive)")
    ('Joy', 'Empathic Pain', 'Surprise (positive)')
    """
    return NAMES.get(emotion) or " ".join(w[:1].upper() + w[1:] for w in emotion.split(" "))


def _entry(timeline: Timeline) -> dict[str, Any]:
    if timeline.values:
        raise UsageError(
            f"{PurePath(timeline.path).name or 'This'} has values and no emotions, for which the "
            "format hume has no place; write json or csv instead."
        )
    name = PurePath(timeline.path).name if timeline.path not in ("", "-") else ""
    source = {"type": "file", "filename": name} if name else {"type": "text"}
    errors = [
        {"message": f"{stream}: {why}", "file": name} for stream, why in timeline.absent.items()
    ]
    predictions = [{"file": name, "file_type": _file_type(timeline), "models": _models(timeline)}]
    return {
        "source": source,
        "results": {"predictions": predictions if len(timeline) else [], "errors": errors},
    }


def _file_type(timeline: Timeline) -> str:
    return "text" if timeline.kind == "subtitles" else timeline.kind


def _models(timeline: Timeline) -> dict[str, Any]:
    """Return the models whose streams were read, each with its predictions by person."""
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    media = {stream: info.medium for stream, info in streams_of(timeline).items()}
    position = 0
    for p in timeline:
        for stream in p.streams:
            model = _model(media.get(stream, ""), p)
            if model is not None:
                own = groups.setdefault(model, {}).setdefault(_group(p, model), [])
                own += _predictions(model, stream, timeline, p, position)
        position += len(p.text) + 1 if p.text else 0
    return {
        model: {
            "metadata": None,
            "grouped_predictions": [
                {"id": name, "predictions": own} for name, own in groups[model].items() if own
            ],
        }
        for model in (*MODELS.values(), BURST)
        if any(groups.get(model, {}).values())
    }


def _predictions(
    model: str, stream: str, timeline: Timeline, p: Prediction, position: int
) -> Iterator[dict[str, Any]]:
    """Yield an utterance's predictions of one model: of each slice; of words, one.

    Args:
        model, stream: Hume's name and ours.
        timeline, p: the recording and the utterance.
        position: where the utterance's words begin in those of the recording, in characters.
    """
    rows = (p,) if model == "language" else p.slices or (p,)
    for row in rows:
        emotions = _emotions(row, stream)
        if emotions:
            content = _content(model, timeline, p, row, position)
            yield {**content, "emotions": emotions}


def _model(medium: str, p: Prediction) -> str | None:
    """Return Hume's model of a stream; None of a stream that Hume did not have."""
    model = MODELS.get(medium)
    return BURST if model == "prosody" and any(CRY in flag for flag in p.flags) else model


def _group(p: Prediction, model: str) -> str:
    """Return the name of the person; of a face without a name, "face_2"."""
    if p.person or p.speaker:
        return p.person or p.speaker or UNKNOWN
    return f"face_{p.track}" if model == "face" and p.track is not None else UNKNOWN


def _content(
    model: str, timeline: Timeline, p: Prediction, row: Prediction, position: int
) -> dict[str, Any]:
    """Return a prediction of a row, the utterance or its slice, without its emotions."""
    if model == "face":
        return _picture(timeline, row)
    time = {} if row.start is None or row.end is None else {"time": _span(row.start, row.end)}
    if model == BURST:
        return time
    text = {} if p.text is None else {"text": p.text}
    if model == "prosody":
        return {**text, **time}
    place = {} if p.text is None else {"position": _place(position, p.text)}
    return {**text, **place, **time}


def _picture(timeline: Timeline, row: Prediction) -> dict[str, Any]:
    """Return the picture that stands for an utterance: the one nearest to its middle."""
    if timeline.kind == "image" or row.start is None or row.end is None:
        return {"frame": 0, "time": 0.0, **(_box(row.face[0]) if row.face else {})}
    middle = (row.start + row.end) / 2
    if not row.face:
        return {"time": round(middle, 3)}
    nearest = min(row.face, key=lambda action: abs(action.at - middle))
    return {"time": round(nearest.at, 3), **_box(nearest)}


def _box(action: FaceAction) -> dict[str, Any]:
    left, top, width, height = (round(number, 2) for number in action.box)
    return {
        "prob": round(action.confidence, 4),
        "box": {"x": left, "y": top, "w": width, "h": height},
    }


def _span(start: float, end: float) -> dict[str, float]:
    return {"begin": round(start, 3), "end": round(end, 3)}


def _place(position: int, text: str) -> dict[str, int]:
    return {"begin": position, "end": position + len(text)}


def _emotions(row: Prediction, stream: str) -> list[dict[str, Any]]:
    """Return the probabilities from one stream alone, in the order of their names."""
    return sorted(_scores(_alone(row, stream), row, stream), key=lambda one: str(one["name"]))


def _alone(row: Prediction, stream: str) -> Mapping[str, float]:
    if stream in row.alone:
        return row.alone[stream]
    return row.probabilities if row.streams == (stream,) else {}


def _scores(
    probabilities: Mapping[str, float], row: Prediction, stream: str
) -> Iterator[dict[str, Any]]:
    for emotion, probability in probabilities.items():
        if row.sources.get(emotion, {}).get(stream) != "absent":
            yield {"name": hume_name(emotion), "score": round(float(probability), 4)}
