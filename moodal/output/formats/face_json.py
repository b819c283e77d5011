"""What a face does as a part of a JSON document, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from moodal.core.errors import DataError
from moodal.core.face_action import FaceAction, FaceBox, Gaze, HeadPose, coefficients_of


def action_to_json(action: FaceAction, place: str) -> dict[str, Any]:
    """Return the object of one picture; what is derived follows from the numbers as written.

    Args:
        action: what the face does.
        place: the utterance or recording, for messages.

    Raises:
        DataError: a number is not finite.
    """
    shapes = _numbers(action.blendshapes, 4, place)
    opening = _rounded(action.mouth_opening, 4, place)
    written = replace(action, mouth_opening=opening, coefficients=coefficients_of(shapes))
    return {
        "at": _rounded(action.at, 3, place),
        "track": action.track,
        "box": _numbers(action.box._asdict(), 1, place),
        "confidence": _rounded(action.confidence, 4, place),
        "pose": _numbers(action.pose._asdict(), 2, place),
        "gaze": _numbers(action.gaze._asdict(), 2, place),
        "gaze_in_head": _numbers(action.gaze_in_head._asdict(), 2, place),
        "blink": _rounded(written.blink, 4, place),
        "mouth_opening": opening,
        "blendshapes": shapes,
        "action_units": _numbers(written.action_units, 4, place),
    }


def action_from_json(content: Mapping[str, Any]) -> FaceAction:
    """Return what a face does from the object of a checked document."""
    return FaceAction(
        content["at"],
        content["track"],
        FaceBox(**content["box"]),
        content["confidence"],
        HeadPose(**content["pose"]),
        Gaze(**content["gaze"]),
        Gaze(**content["gaze_in_head"]),
        content["mouth_opening"],
        coefficients_of(content["blendshapes"]),
    )


def _numbers(numbers: Mapping[str, float], digits: int, place: str) -> dict[str, float]:
    return {name: _rounded(number, digits, place) for name, number in numbers.items()}


def _rounded(number: float, digits: int, place: str) -> float:
    if not math.isfinite(number):
        raise DataError(
            f"{place}: a measure of the face is {number}; please report this with the recording."
        )
    return round(number, digits) + 0.0
