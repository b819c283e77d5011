"""The pose of a head, and the crop of its face, upright and of one scale.

The landmarks are fitted by a canonical face in three dimensions (MediaPipe's, in centimetres), by a
rotation, a scale and a shift (Umeyama, IEEE PAMI 1991). So a crop keeps its scale when the head
turns away, where the distance of the eyes does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from moodal.modalities.face.landmarks import FOLDER, Landmarks
from moodal.modalities.face.picture import SIDE, Square, cut, luma

MARGIN = 17.0
"""The side of a crop in centimetres of the canonical face; see `benchmarks/face_framing.py`."""

CENTRE = (0.0, 0.5, 3.0)
"""The point of the canonical face that is the centre of a crop."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """The turn of a head, and its place in the picture.

    Attributes:
        rotation: [3, 3] from the canonical face (x to its left, y up, z forward) to the picture's
            axes (x to the right, y up, z to the viewer).
        scale: pixels per centimetre of the canonical face.
        shift: [3] pixels of its origin.
    """

    rotation: np.ndarray
    scale: float
    shift: np.ndarray

    @property
    def yaw(self) -> float:
        """Degrees by which the face is turned to the right of the picture, -180 to 180."""
        return math.degrees(math.atan2(self.rotation[0, 2], self.rotation[2, 2]))

    @property
    def pitch(self) -> float:
        """Degrees by which the face is turned up, -90 to 90."""
        return math.degrees(math.asin(float(np.clip(self.rotation[1, 2], -1, 1))))

    @property
    def roll(self) -> float:
        """Degrees by which the head is tilted clockwise in the picture, -180 to 180."""
        return -math.degrees(math.atan2(self.rotation[1, 0], self.rotation[1, 1]))

    def place(self, point: np.ndarray) -> np.ndarray:
        """Return where a point [..., 3] of the canonical face lies in the picture: x and y."""
        placed = self.scale * point @ self.rotation.T + self.shift
        return placed[..., :2] * np.array([1.0, -1.0])


@cache
def _canonical() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the canonical face: points [33, 3], their numbers, and their weights, summing to 1."""
    with np.load(FOLDER / "canonical_face.npz") as file:
        numbers = file["basis"]
        points = file["points"][numbers].astype(np.float64)
        weights = file["weights"].astype(np.float64)
    return points, numbers, weights / weights.sum()


def pose(face: Landmarks) -> Pose:
    """Fit the canonical face to landmarks, with the weights that MediaPipe fixes the pose by."""
    points, numbers, weights = _canonical()
    target = face.points[numbers] * np.array([1.0, -1.0, -1.0])
    middle, place = weights @ points, weights @ target
    own, other = points - middle, target - place
    u, values, vt = np.linalg.svd((other * weights[:, None]).T @ own)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((values * sign).sum() / (weights @ (own**2).sum(axis=1)))
    return Pose(rotation, scale, place - scale * rotation @ middle)


def crop_square(head: Pose) -> Square:
    """Return the square of the picture that is the crop of a face."""
    x, y = head.place(np.array(CENTRE)).tolist()
    return Square(x, y, max(1.0, MARGIN * head.scale), math.radians(head.roll))


def crop(picture: np.ndarray, head: Pose) -> np.ndarray:
    """Crop a face to [48, 48] uint8 grey, upright, and framed as FER2013's are on average."""
    return luma(cut(picture, crop_square(head), SIDE))
