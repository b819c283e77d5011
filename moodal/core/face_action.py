"""What a face does in one picture: blendshapes, action units, head pose, gaze, blink and mouth.

docs/face-actions.md explains each measure, its unit, its sign and its limits.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_NAMES = """
    _neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
    cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight
    eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight
    eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight
    mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel
    mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker
    mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft
    mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight
    noseSneerLeft noseSneerRight
"""
BLENDSHAPES = tuple(_NAMES.split())
"""The names of MediaPipe's 52 coefficients, in their order; they are Apple's ARKit's names, and
left and right are the person's."""

ACTION_UNITS: dict[str, tuple[str, ...]] = {
    "AU01": ("browInnerUp",),
    "AU02": ("browOuterUpLeft", "browOuterUpRight"),
    "AU04": ("browDownLeft", "browDownRight"),
    "AU05": ("eyeWideLeft", "eyeWideRight"),
    "AU06": ("cheekSquintLeft", "cheekSquintRight"),
    "AU07": ("eyeSquintLeft", "eyeSquintRight"),
    "AU09": ("noseSneerLeft", "noseSneerRight"),
    "AU10": ("mouthUpperUpLeft", "mouthUpperUpRight"),
    "AU12": ("mouthSmileLeft", "mouthSmileRight"),
    "AU14": ("mouthDimpleLeft", "mouthDimpleRight"),
    "AU15": ("mouthFrownLeft", "mouthFrownRight"),
    "AU16": ("mouthLowerDownLeft", "mouthLowerDownRight"),
    "AU17": ("mouthShrugLower",),
    "AU18": ("mouthPucker",),
    "AU20": ("mouthStretchLeft", "mouthStretchRight"),
    "AU22": ("mouthFunnel",),
    "AU24": ("mouthPressLeft", "mouthPressRight"),
    "AU26": ("jawOpen",),
    "AU28": ("mouthRollLower", "mouthRollUpper"),
    "AU43": ("eyeBlinkLeft", "eyeBlinkRight"),
    "AU45": ("eyeBlinkLeft", "eyeBlinkRight"),
}
"""Action unit of FACS (Ekman, Friesen and Hager 2002) -> the blendshapes whose mean it is, by what
both say of the movement. AU25 (lips part), for which there is no blendshape, follows from the gap
between the lips."""

PARTED = 0.5
"""The mouth opening from which on AU25 is 1."""

UNITS = tuple(sorted([*ACTION_UNITS, "AU25"]))
"""The names of all action units that are derived, in the order of their numbers."""

_PLACES = {name: place for place, name in enumerate(BLENDSHAPES)}


class FaceBox(NamedTuple):
    """The bounding box of a face's landmarks, in pixels of the file, which is turned upright."""

    left: float
    top: float
    width: float
    height: float


class FacePlace(NamedTuple):
    """The place of a face in one picture.

    Attributes:
        at: seconds in the recording.
        track: number of the tracked face.
        left, top, width, height: parts of the picture's width and height, 0 to 1, of the picture
            turned upright; a face at its edge may exceed them.
    """

    at: float
    track: int
    left: float
    top: float
    width: float
    height: float


class HeadPose(NamedTuple):
    """The turn of a head, in degrees.

    Attributes:
        yaw: positive to the right of the picture, -180 to 180.
        pitch: positive up, -90 to 90.
        roll: positive clockwise in the picture, -180 to 180.
    """

    yaw: float
    pitch: float
    roll: float


class Gaze(NamedTuple):
    """The direction of both eyes together, in degrees.

    Attributes:
        yaw: positive to the right of the picture or, relative to a head, to the head's own left.
        pitch: positive up.
    """

    yaw: float
    pitch: float


@dataclass(frozen=True, slots=True)
class FaceAction:
    """The action of one face in one picture, or its mean over the pictures of a slice.

    Attributes:
        at: seconds in the recording; of a slice, those of its beginning.
        track: number of the tracked face.
        box: where the face is.
        confidence: the probability that the landmarks are of a face, 0 to 1.
        pose: how the head is turned.
        gaze: where the eyes look, relative to the camera: (0, 0) is into it.
        gaze_in_head: the same relative to the head: (0, 0) is straight ahead.
        mouth_opening: the height of the gap between the lips by the width of an average mouth.
        coefficients: the numbers of the blendshapes, 0 to 1, in the order of `BLENDSHAPES`.
    """

    at: float
    track: int
    box: FaceBox
    confidence: float
    pose: HeadPose
    gaze: Gaze
    gaze_in_head: Gaze
    mouth_opening: float
    coefficients: array[float]

    @property
    def blendshapes(self) -> dict[str, float]:
        """Blendshape -> 0 to 1."""
        return dict(zip(BLENDSHAPES, self.coefficients, strict=True))

    @property
    def action_units(self) -> dict[str, float]:
        """Action unit -> 0 to 1, derived by `ACTION_UNITS`; AU25 = mouth opening / 0.5, at most 1.

        They are in the order of their numbers.
        """
        units = {name: self._mean(sources) for name, sources in ACTION_UNITS.items()}
        units["AU25"] = min(1.0, self.mouth_opening / PARTED)
        return {name: units[name] for name in UNITS}

    @property
    def blink(self) -> float:
        """The mean closure of both eyes, 0 (open) to 1 (closed)."""
        return self._mean(ACTION_UNITS["AU45"])

    def _mean(self, names: Sequence[str]) -> float:
        return sum(self.coefficients[_PLACES[name]] for name in names) / len(names)


def coefficients_of(blendshapes: Mapping[str, float]) -> array[float]:
    """Return the numbers of blendshapes in the order of `BLENDSHAPES`.

    Raises:
        KeyError: one of them is missing.
    """
    return array("f", [blendshapes[name] for name in BLENDSHAPES])


def mean_action(actions: Sequence[FaceAction], at: float) -> FaceAction:
    """Return the mean of what a face does in several pictures.

    The means of angles are those of their directions, so that -179 and 179 degrees give 180.

    Args:
        actions: one or more of them, of one face.
        at: seconds at which the mean stands.
    """
    count = len(actions)
    columns = zip(*(a.coefficients for a in actions), strict=True)
    return FaceAction(
        at,
        actions[0].track,
        FaceBox(*(sum(own) / count for own in zip(*(a.box for a in actions), strict=True))),
        sum(a.confidence for a in actions) / count,
        HeadPose(*_mean_angles(a.pose for a in actions)),
        Gaze(*_mean_angles(a.gaze for a in actions)),
        Gaze(*_mean_angles(a.gaze_in_head for a in actions)),
        sum(a.mouth_opening for a in actions) / count,
        array("f", [sum(column) / count for column in columns]),
    )


def _mean_angles(rows: Iterable[tuple[float, ...]]) -> list[float]:
    """Return the mean direction of each column of angles, in degrees."""
    return [_mean_angle(list(map(math.radians, column))) for column in zip(*rows, strict=True)]


def _mean_angle(radians: Sequence[float]) -> float:
    return math.degrees(math.atan2(sum(map(math.sin, radians)), sum(map(math.cos, radians))))
