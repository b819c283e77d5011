"""Write and read timelines as JSON: everything except thumbnails.

``moodal.output.formats.schema`` and docs/output.md describe the fields and their units.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from typing import Any

from moodal.core.dimensions import DIMENSIONS, Dimensions, headline
from moodal.core.emotions import Value, Values
from moodal.core.errors import DataError
from moodal.core.guard import escaped
from moodal.core.records import BUILT_IN, ModalityInfo
from moodal.core.summary import RecordingSummary
from moodal.core.timeline import Moment, Prediction, Timeline, Word
from moodal.output.footnotes import footnotes
from moodal.output.formats.drawn_json import drawn_from_json, drawn_to_json
from moodal.output.formats.face_json import action_from_json, action_to_json
from moodal.output.style import streams_of
from moodal.output.summary_lines import summary_lines

NAME = "moodal-timeline/1"

_DERIVED = ("utterances", "summary", "remarks", "language")
"""Fields of a recording that are read in another way, or follow from the others."""

TOLERANCE = 1e-4
"""Nats by which shares + bias of a document may differ from the logit, because of rounding."""


def to_json(timelines: Sequence[Timeline]) -> str:
    """Write all recordings into one document.

    Raises:
        DataError: a time, probability, share or value is not finite.
    """
    several = [timelines] if isinstance(timelines, Timeline) else timelines
    units = {"time": "seconds", "shares": "nats"}
    document = _dumped({"schema": NAME, "units": units, "recordings": []}, 1)
    parts = _filled(document, (_recording_text(t, {}, 1) for t in several), 1)
    return "".join(chain(parts, "\n"))


def json_line(timeline: Timeline) -> list[str]:
    """Write one recording into one line, in parts, with the schema before it.

    Raises:
        DataError: a time, probability, share or value is not finite.
    """
    return [*_recording_text(timeline, {"schema": NAME}, None), "\n"]


def from_json(text: str, name: str = "The document") -> list[Timeline]:
    """Read the timelines of a document, which holds no thumbnails.

    Args:
        text: the document.
        name: the file's name, for messages.

    Raises:
        DataError: the document is not JSON, has another schema, lacks a field, its shares and
            bias do not add up to its logits, or a value has no range or lies outside of it.
    """
    from pydantic import ValidationError

    from moodal.output.formats import schema

    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not JSON: {error}.") from None
    schema_name = content.get("schema") if isinstance(content, dict) else None
    if schema_name != NAME:
        problem = f"has the schema {schema_name!r}" if schema_name else "has no schema"
        raise DataError(f"{name} {problem}; this version of moodal reads {NAME!r}.")
    try:
        document = schema.Document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{name} is not a {NAME} document: {place}: {first['msg']}.") from None
    for recording in document.recordings:
        ranges = {value.name: value for value in recording.values}
        for u in (row for one in recording.utterances for row in (one, *one.slices)):
            _check_sum(u.id, u.logits, u.shares, u.bias, name)
            _check_values(u.id, u.values, ranges, name)
    return [_timeline(r.model_dump()) for r in document.recordings]


def _recording_text(t: Timeline, before: Mapping[str, Any], indent: int | None) -> Iterator[str]:
    """Write a recording utterance by utterance: as objects, those of hours are large."""
    words = _word_stream(t)
    utterances = ([_dumped(_utterance(p, words), indent)] for p in t)
    return _filled(_dumped({**before, **_recording(t)}, indent), utterances, indent)


def _dumped(content: Mapping[str, Any], indent: int | None) -> str:
    text = json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False)
    return escaped(text.encode("utf-8", "replace").decode("utf-8"))


def _filled(text: str, items: Iterable[Iterable[str]], indent: int | None) -> Iterator[str]:
    """Put items, each in parts, into the empty list with which the text of an object ends."""
    end = "]}" if indent is None else "]\n}"
    assert text.endswith(f"[{end}"), "the list is the last field"
    yield text.removesuffix(end)
    count = 0
    for count, parts in enumerate(items, 1):
        if indent is None:
            yield ", " if count > 1 else ""
            yield from parts
            continue
        yield ",\n  " if count > 1 else "\n  "
        # strings hold no line ends, so that each is one of the layout
        yield from (part.replace("\n", "\n  ") for part in parts)
    yield f"\n {end}" if count and indent is not None else end


def _recording(t: Timeline) -> dict[str, Any]:
    """Return a recording without its utterances, for which it has an empty list at the end."""
    written = _as_written(t)
    return {
        "path": t.path,
        "kind": t.kind,
        "duration": _seconds(t.duration, t.path),
        "emotions": list(t.emotions),
        "absent": dict(t.absent),
        "notes": list(t.notes),
        "artefact": dict(t.artefact),
        **_others(t),
        **({"language": t.language} if t.language else {}),
        **({"prior": t.prior} if t.prior else {}),
        **({} if t.step is None else {"step": t.step}),
        **({"values": Values(t.values).ranges()} if t.values else {}),
        **_faces(t),
        **drawn_to_json(t),
        "summary": _summary(written.summary()),
        "remarks": [*summary_lines(written), *footnotes(written)],
        "utterances": [],
    }


def _faces(t: Timeline) -> dict[str, Any]:
    """Return what faces do between utterances, and when none is seen, where that is known."""
    between = [action_to_json(action, t.path) for action in t.face_between]
    faceless = [_seconds(at, t.path) for at in t.faceless]
    return {
        **({"face_between": between} if between else {}),
        **({"faceless": faceless} if faceless else {}),
    }


def _as_written(t: Timeline) -> Timeline:
    """Round times, probabilities and values, so that the summary follows from what is written."""
    return replace(t, predictions=tuple(_rounded_prediction(p) for p in t))


def _rounded_prediction(p: Prediction) -> Prediction:
    return replace(
        p,
        start=_seconds(p.start, p.id),
        end=_seconds(p.end, p.id),
        probabilities=_rounded(p.probabilities, 4, p.id),
        values=_rounded(p.values, 4, p.id),
        dimensions={s: _round_row(row) for s, row in p.dimensions.items()},
        intensity=_rounded(p.intensity, 4, p.id),
        slices=tuple(map(_rounded_prediction, p.slices)),
    )


def _round_row(row: Dimensions) -> Dimensions:
    valence, arousal, dominance = (round(number, 4) + 0.0 for number in row.numbers)
    return Dimensions(valence, arousal, dominance, row.known)


def _summary(summary: RecordingSummary) -> dict[str, Any]:
    values = {
        name: {**asdict(value), "mean": round(value.mean, 4) + 0.0}
        for name, value in summary.values.items()
    }
    tracks = [_summary(track) for track in summary.tracks]
    return {
        "utterances": summary.utterances,
        "seconds": None if summary.seconds is None else round(summary.seconds, 3),
        "probabilities": {e: round(p, 4) for e, p in summary.probabilities.items()},
        "decided": {e: round(share, 4) for e, share in summary.decided.items()},
        "undecided": None if summary.undecided is None else round(summary.undecided, 4),
        "telling": [asdict(moment) for moment in summary.telling],
        "first": [asdict(moment) for moment in summary.first],
        **({"values": values} if values else {}),
        **_summary_dimensions(summary),
        **({"changes": summary.changes} if summary.decided else {}),
        **({} if summary.track is None else {"track": summary.track}),
        **({} if summary.person is None else {"person": summary.person}),
        **({"tracks": tracks} if tracks else {}),
    }


def _summary_dimensions(summary: RecordingSummary) -> dict[str, Any]:
    """Return the mean dimensions and intensity of each stream, of a model that has them."""
    rows = _dimensions(summary.dimensions, "summary")
    means = {"dimensions": rows["dimensions"]} if rows else {}
    intensity = {s: round(number, 4) for s, number in summary.intensity.items()}
    return {**means, **({"intensity": intensity} if intensity else {})}


def _others(t: Timeline) -> dict[str, Any]:
    """Return the data of the streams that are not built in, which readers cannot know."""
    others = [info for s, info in streams_of(t).items() if info != BUILT_IN.get(s)]
    return {"modalities": [asdict(info) for info in others]} if others else {}


def _word_stream(t: Timeline) -> str:
    """Return the name of the stream whose parts are words."""
    return next((s for s, info in streams_of(t).items() if info.medium == "text"), "text")


def _utterance(p: Prediction, word_stream: str) -> dict[str, Any]:
    shares = {s: _rounded(p.known_shares(s), 5, p.id) for s in p.shares}
    words: list[dict[str, Any]] = [
        {
            "text": w.text,
            "start": _seconds(w.start, p.id),
            "end": _seconds(w.end, p.id),
            "shares": _rounded(p.known_shares(word_stream, w.shares), 6, p.id),
        }
        for w in p.words
    ]
    moments: list[dict[str, Any]] = [
        {
            "start": _seconds(m.start, p.id),
            "end": _seconds(m.end, p.id),
            "stream": m.stream,
            "shares": _rounded(p.known_shares(m.stream, m.shares), 6, p.id),
        }
        for m in p.moments
    ]
    bias = _rounded(p.bias, 5, p.id)
    logits = {  # sums of the rounded values, so that the document adds up
        e: math.fsum([bias.get(e, 0.0), *(s.get(e, 0.0) for s in shares.values())])
        for e in p.probabilities
    }
    parts: dict[str, list[Mapping[str, float]]] = {word_stream: [w["shares"] for w in words]}
    for moment in moments:
        parts.setdefault(moment["stream"], []).append(moment["shares"])
    return {
        "id": p.id,
        "start": _seconds(p.start, p.id),
        "end": _seconds(p.end, p.id),
        "track": p.track,
        "text": p.text,
        **({"speaker": p.speaker} if p.speaker else {}),
        **({"person": p.person} if p.person else {}),
        **({"language": p.language} if p.language else {}),
        **({"untrained": list(p.untrained)} if p.untrained else {}),
        "decided": list(p.decided),
        "probabilities": _rounded(p.probabilities, 4, p.id),
        "logits": _rounded(logits, 5, p.id),
        "shares": shares,
        "bias": bias,
        "streams": list(p.streams),
        "absent": dict(p.absent),
        "sources": {e: dict(s) for e, s in p.sources.items()},
        "quality": {
            s: {k: round(v, 3) if math.isfinite(v) else None for k, v in measures.items()}
            for s, measures in p.quality.items()
        },
        "flags": list(p.flags),
        "words": words,
        "moments": moments,
        "rest": {s: _remainder(v, parts.get(s, ())) for s, v in shares.items() if s in p.rest},
        **({"values": _rounded(p.values, 4, p.id)} if p.values else {}),
        **({"alone": {s: _rounded(v, 4, p.id) for s, v in p.alone.items()}} if p.alone else {}),
        **({"slices": [_utterance(s, word_stream) for s in p.slices]} if p.slices else {}),
        **_dimensions(p.dimensions, p.id),
        **({"intensity": _rounded(p.intensity, 4, p.id)} if p.intensity else {}),
        **({"face": [action_to_json(action, p.id) for action in p.face]} if p.face else {}),
    }


def _dimensions(rows: Mapping[str, Dimensions], place: str) -> dict[str, Any]:
    """Return the dimensions by stream, and the name of the row that stands for all."""
    if not rows:
        return {}
    written = {
        name: {**_rounded(dict(zip(DIMENSIONS, row.numbers, strict=True)), 4, place)}
        | {"known": row.known}
        for name, row in rows.items()
    }
    return {"dimensions": written, "headline": headline(rows)}


def _remainder(
    share: Mapping[str, float], parts: Iterable[Mapping[str, float]]
) -> dict[str, float]:
    """Subtract the parts from a share, all rounded, so that the written values add up."""
    parts = list(parts)
    return {e: round(v - math.fsum(p.get(e, 0.0) for p in parts), 6) for e, v in share.items()}


def _rounded(values: Mapping[str, float], digits: int, place: str) -> dict[str, float]:
    return {e: round(_finite(v, f"{place}, {e}"), digits) + 0.0 for e, v in values.items()}


def _seconds(value: float | None, place: str) -> float | None:
    return None if value is None else round(_finite(value, f"{place}, time"), 3)


def _finite(value: float, place: str) -> float:
    value = float(value)
    if not math.isfinite(value):
        raise DataError(
            f"{place}: the value {value} is not finite; please report this with the recording."
        )
    return value


def _check_sum(
    utterance: str,
    logits: Mapping[str, float],
    shares: Mapping[str, Mapping[str, float]],
    bias: Mapping[str, float],
    name: str,
) -> None:
    for emotion, logit in logits.items():
        total = bias.get(emotion, 0.0) + sum(s.get(emotion, 0.0) for s in shares.values())
        if abs(total - logit) > TOLERANCE:
            raise DataError(
                f"{name}: {utterance}: shares and bias of {emotion} add up to {total:.4f}, "
                f"but its logit is {logit:.4f}."
            )


def _check_values(
    utterance: str, values: Mapping[str, float], ranges: Mapping[str, Any], name: str
) -> None:
    if set(values) != set(ranges):
        raise DataError(
            f"{name}: {utterance} has the values {', '.join(values) or 'none'}, but its recording "
            f"names {', '.join(ranges) or 'none'}."
        )
    for value, number in values.items():
        low, high = ranges[value].low, ranges[value].high
        if not low - TOLERANCE <= number <= high + TOLERANCE:
            raise DataError(
                f"{name}: {utterance}: {value} is {number:g}, outside of {low:g} to {high:g}."
            )


def _timeline(recording: Mapping[str, Any]) -> Timeline:
    fields = {k: v for k, v in recording.items() if k not in _DERIVED}
    fields |= {k: tuple(fields[k]) for k in ("emotions", "notes")}
    fields["modalities"] = tuple(ModalityInfo(**m) for m in fields["modalities"])
    fields["values"] = tuple(Value(**v) for v in fields["values"])
    fields["face_between"] = tuple(map(action_from_json, fields["face_between"]))
    fields["faceless"] = tuple(fields["faceless"])
    fields |= drawn_from_json(recording)
    return Timeline(predictions=tuple(_prediction(u) for u in recording["utterances"]), **fields)


def _prediction(utterance: Mapping[str, Any]) -> Prediction:
    fields = {k: v for k, v in utterance.items() if k not in ("logits", "headline")}
    fields["dimensions"] = {s: Dimensions(**row) for s, row in fields["dimensions"].items()}
    fields |= {k: tuple(fields[k]) for k in ("decided", "streams", "flags", "untrained")}
    fields["slices"] = tuple(_prediction(s) for s in fields["slices"])
    fields["face"] = tuple(map(action_from_json, fields["face"]))
    fields["words"] = tuple(Word(**w) for w in fields["words"])
    fields["moments"] = tuple(Moment(**m) for m in fields["moments"])
    fields["quality"] = {
        s: {k: math.nan if v is None else v for k, v in measures.items()}
        for s, measures in fields["quality"].items()
    }
    return Prediction(**fields)
