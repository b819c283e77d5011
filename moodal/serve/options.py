"""Options: the fields of a form as options of a prediction, of those that a stranger may set.

No field names a path: what is a file of the client (subtitles, turns) comes with the form, and a
model is asked for by a name that the server offers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodal.core.errors import MoodalError, UsageError
from moodal.model.options import PredictOptions
from moodal.model.priors import LEVEL, TALK, TRAINING
from moodal.model.speakers import AUTO, CHANNELS
from moodal.serve.failure import Failure, sentence_of

FILES = ("file", "subtitles", "rttm")
"""The files that a form may have."""

TRANSCRIBERS = ("auto", "tiny.en", "base")
TRUTHS = {"true": True, "1": True, "yes": True, "on": True}
TRUTHS |= {"false": False, "0": False, "no": False, "off": False}
LONGEST = 4096
"""Characters of a field other than the text."""


def _truth(name: str, value: str) -> bool:
    if value.lower() not in TRUTHS:
        raise Failure(400, f"{name} is true or false; got {_shown(value)}.")
    return TRUTHS[value.lower()]


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Failure(400, f"{name} is a number; got {_shown(value)}.")
    return number


def _text(name: str, value: str) -> str:
    return value


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if value not in choices:
            raise Failure(400, f"{name} is {' or '.join(choices)}; got {_shown(value)}.")
        return value

    return check


def _speakers(name: str, value: str) -> str:
    if value not in (AUTO, CHANNELS) and not value.isdecimal():
        raise Failure(
            400,
            f"{name} is {AUTO}, {CHANNELS} or a number; got {_shown(value)} "
            "(an RTTM file comes as the file rttm).",
        )
    return value


def _prior(name: str, value: str) -> str | dict[str, float]:
    if value in (LEVEL, TALK, TRAINING):
        return value
    try:
        table = json.loads(value)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict) or not all(_is_share(own) for own in table.values()):
        raise Failure(
            400,
            f"{name} is {LEVEL}, {TALK}, {TRAINING} or a JSON object of emotion and share; got "
            f"{_shown(value)}.",
        )
    return {emotion: float(share) for emotion, share in table.items()}


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _track(name: str, value: str) -> int | str:
    return int(value) if value.isdecimal() and len(value) < 6 else value


FIELDS: dict[str, tuple[Callable[[str, str], Any], str]] = {
    "emotions": (_text, "emotion words with commas between; default: the model's own"),
    "text": (_text, "the words of the recording, or in place of a file a text"),
    "language": (_text, "language of all that is said, such as de; default: it is found"),
    "streams": (_text, "modalities to use with commas between, such as text,face"),
    "whole": (_truth, "true: the recording is one utterance"),
    "faces": (_one_of("main", "all"), "main or all"),
    "speakers": (_speakers, "auto, channels, or the number of speakers"),
    "step": (_number, "seconds of the slices of each utterance, 0.25 to 5"),
    "fps": (_number, "pictures that are analysed in a second"),
    "face_actions": (_truth, "true: tell what faces do"),
    "track": (_track, "sound track of a file with several: its number from 1, or its language"),
    "asr": (_truth, "true: transcribe; false: never"),
    "asr_model": (_one_of(*TRANSCRIBERS), " or ".join(TRANSCRIBERS)),
    "prior": (_prior, "level, talk, training, or a JSON object of emotion and share"),
    "level": (_truth, "true: take the constant of the channel off"),
    "level_strength": (_number, "the part of it that is taken off, above 0 and at most 1"),
}
"""Field -> how it is read, and what it may be."""

OTHERS = {"artefact": "the name of a model, see /v1/models", "format": "of the answer"}
"""Fields that are no options of a prediction."""


@dataclass(frozen=True)
class FormQuestion:
    """The question that a form asks.

    Attributes:
        artefact: the name of the model.
        options: option -> value, JSON-ready.
        format: the name of a format; "" where none is asked for.
    """

    artefact: str
    options: Mapping[str, Any] = field(default_factory=dict)
    format: str = ""


def question(fields: Mapping[str, str], artefacts: Sequence[str]) -> FormQuestion:
    """Read the fields of a form.

    Raises:
        Failure: a field is unknown or has a wrong value.
    """
    known = {**FIELDS, **OTHERS}
    if unknown := [name for name in fields if name not in known]:
        raise Failure(400, f"There is no field {_shown(unknown[0])}; there are {', '.join(known)}.")
    for name, value in fields.items():
        if name != "text" and len(value) > LONGEST:
            raise Failure(400, f"{name} has more than {LONGEST} characters.")
    artefact = fields.get("artefact") or artefacts[0]
    if artefact not in artefacts:
        raise Failure(
            400, f"There is no model {_shown(artefact)}; there are {', '.join(artefacts)}."
        )
    # an empty field of a form is one that was left empty
    options = {
        name: FIELDS[name][0](name, value)
        for name, value in fields.items()
        if name in FIELDS and value != ""
    }
    predict_options(options)
    return FormQuestion(artefact, options, fields.get("format", ""))


def predict_options(
    options: Mapping[str, Any], *, subtitles: Path | None = None, rttm: Path | None = None
) -> PredictOptions:
    """Return the options of a prediction.

    Args:
        options: checked options, see `question`.
        subtitles, rttm: files of the server's own naming.

    Raises:
        Failure: values that contradict each other, or are out of range.
    """
    if unknown := [name for name in options if name not in FIELDS]:
        raise Failure(400, f"There is no option {_shown(unknown[0])}.")
    files = {"subtitles": subtitles, "speakers": rttm}
    more = {name: path for name, path in files.items() if path is not None}
    try:
        return PredictOptions(**{**options, **more})
    except UsageError as error:
        raise Failure(400, sentence_of(error, {})) from None
    except MoodalError as error:
        raise Failure(422, sentence_of(error, {})) from None


def _shown(value: str) -> str:
    return repr(value if len(value) <= 60 else f"{value[:57]}...")
