"""What only drawings need as a part of a JSON document, and back: the waveform, and face places."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.core.face_action import FacePlace
from moodal.core.timeline import Timeline

_FULL = 127
_COLUMNS = len(FacePlace._fields)


def drawn_to_json(t: Timeline) -> dict[str, str]:
    """Return the fields of a recording that drawings need; those without content are left out.

    The waveform has a signed byte each for the lowest and highest sample of a span; a face has
    six float32 numbers, see `moodal.core.face_action.FacePlace`. Both are in base64, since as
    lists of numbers they would be most of the document.
    """
    fields = {}
    if t.waveform is not None and t.waveform.size:
        samples = np.nan_to_num(np.clip(t.waveform, -1.0, 1.0))
        fields["waveform"] = _encoded(np.round(samples * _FULL).astype(np.int8))
    if t.face_places:
        fields["face_places"] = _encoded(np.array(t.face_places, "<f4"))
    return fields


def drawn_from_json(recording: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a timeline that drawings need, from a checked recording.

    Raises:
        DataError: a field is cut off, or holds numbers that are not finite.
    """
    samples = np.frombuffer(_decoded(recording, "waveform", 2), np.int8)
    places = np.frombuffer(_decoded(recording, "face_places", 4 * _COLUMNS), "<f4")
    if not np.isfinite(places).all():
        raise DataError(f"{recording['path']}: face_places holds numbers that are not finite.")
    return {
        "waveform": samples.reshape(-1, 2).astype(np.float32) / _FULL if len(samples) else None,
        "face_places": tuple(
            FacePlace(at, int(track), *place)
            for at, track, *place in places.reshape(-1, _COLUMNS).tolist()
        ),
    }


def _encoded(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def _decoded(recording: Mapping[str, Any], name: str, row: int) -> bytes:
    """Return the bytes of a field, which are whole rows of ``row`` bytes."""
    try:
        content = base64.b64decode(recording[name], validate=True)
    except binascii.Error:
        content = b"\0"
    if len(content) % row:
        raise DataError(f"{recording['path']}: {name} is cut off or no base64.")
    return content
