"""Answers: predictions and timelines as the JSON and the other formats that clients receive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from moodal.core.errors import MoodalError
from moodal.core.timeline import Prediction, Timeline
from moodal.model.model import Model
from moodal.output import formats
from moodal.serve.failure import Failure, sentence_of
from moodal.serve.privacy import ServedPrivacy

TYPES: dict[str, str] = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
    "srt": "application/x-subrip",
    "textgrid": "text/x-praat-textgrid; charset=utf-8",
    "eaf": "application/eaf+xml",
    "rttm": "text/x-rttm; charset=utf-8",
}
"""Format -> its media type; others are plain text."""


def document(timeline: Timeline) -> str:
    """Return the JSON document of one recording."""
    return formats.render([timeline], "json")


def answer_of(
    prediction: Prediction, model: Model, privacy: ServedPrivacy, name: str = ""
) -> dict[str, Any]:
    """Return one prediction as it stands in the JSON document of its recording.

    Args:
        prediction: of an utterance.
        model: that predicted.
        privacy: of the server.
        name: of the recording.
    """
    modalities = tuple(model.info.modality(m) for m in model.modalities)
    emotions = tuple(prediction.probabilities)
    timeline = Timeline(name, (prediction,), emotions, modalities=modalities)
    text = document(privacy.timeline(timeline))
    answer: dict[str, Any] = json.loads(text)["recordings"][0]["utterances"][0]
    return answer


def format_of(asked: str, accept: str) -> str:
    """Choose the format of an answer.

    Args:
        asked: the name of a format; "" where none is named.
        accept: the header `Accept`.

    Raises:
        Failure: there is no such format.
    """
    if asked:
        if asked not in formats.FORMATS:
            raise Failure(
                400, f"There is no format {asked[:40]!r}; there are {', '.join(formats.FORMATS)}."
            )
        return asked
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    types = {TYPES[name].partition(";")[0]: name for name in formats.FORMATS if name in TYPES}
    for kind in wanted:
        if kind in types:
            return types[kind]
        if kind in ("*/*", "application/*", ""):
            return "json"
    raise Failure(406, f"An answer is one of {', '.join(types)}.")


def rendered(result: str, format: str) -> str:
    """Convert the JSON document of a result to another format.

    Raises:
        Failure: the format cannot hold it, as one of times cannot hold a text.
    """
    if format == "json":
        return result
    try:
        return formats.render(formats.from_json(result), format)
    except MoodalError as error:
        raise Failure(422, sentence_of(error, {})) from None


def utterances(result: str) -> Sequence[dict[str, Any]]:
    """Return the predictions in the JSON document of a result."""
    rows: Sequence[dict[str, Any]] = json.loads(result)["recordings"][0]["utterances"]
    return rows
