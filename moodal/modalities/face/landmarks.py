"""478 landmarks of a face, by MediaPipe's face mesh with attention (Grishchenko et al. 2020).

The graph (Apache-2.0, the MediaPipe authors) sees a square of 256 x 256 pixels around the face, in
which the face is upright. It is given by a detection, or by the landmarks of the picture before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moodal.core.process_local import ProcessLocal
from moodal.modalities.face.picture import Box, Square, cut
from moodal.modalities.graphs import open_graph

FOLDER = Path(__file__).with_name("mediapipe")
"""The graphs that moodal/train/export/face_graphs.py wrote."""

INPUT = 256
"""Pixels of the square that the graph sees."""

AROUND = 1.5
"""The side of the square divided by the longer side of the landmarks' box."""

RIGHT_EYE, LEFT_EYE = 33, 263
"""The outer corners of the person's eyes; their line gives the angle of the square."""

PRESENT = 0.5
"""The score below which landmarks are of no face."""

UPRIGHT = 15.0
"""The logit of landmarks that are surely not upside down: upright faces have 20 and more, faces
in a square that is turned by 90 or 180 degrees up to 14 (three videos and drawings)."""

_MESH = ProcessLocal(lambda: open_graph(FOLDER / "landmarks.onnx"))


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of one face.

    Attributes:
        points: [478, 3] x and y in pixels of the picture, and z in the same unit, smaller towards
            the camera; the last ten are of the irises.
        logit: that of the probability that it is a face.
    """

    points: np.ndarray
    logit: float

    @property
    def score(self) -> float:
        """The probability that it is a face, 0 to 1."""
        return 1 / (1 + math.exp(-max(self.logit, -700.0)))

    @property
    def box(self) -> Box:
        """The bounding box of the landmarks."""
        left, top = self.points[:, :2].min(axis=0)
        right, bottom = self.points[:, :2].max(axis=0)
        return Box(float(left), float(top), float(right), float(bottom), self.score)

    @property
    def square(self) -> Square:
        """The square in which the face is looked for in the next picture."""
        right, left = self.points[RIGHT_EYE, :2], self.points[LEFT_EYE, :2]
        angle = math.atan2(left[1] - right[1], left[0] - right[0])
        # the box of the upright face
        cos, sin = math.cos(angle), math.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        upright = self.points[:, :2] @ turn
        low, high = upright.min(axis=0), upright.max(axis=0)
        x, y = (low + high) / 2 @ turn.T
        return Square(float(x), float(y), float((high - low).max()) * AROUND, angle)


def landmarks(picture: np.ndarray, squares: Sequence[Square]) -> list[Landmarks]:
    """Find the landmarks of the face in each square of a picture.

    Args:
        picture: [H, W, 3] uint8 RGB, or [H, W] grey.
        squares: where faces are expected.

    Returns:
        One for each square, also where its ``score`` says that there is no face.
    """
    if not squares:
        return []
    cuts = np.stack([cut(picture, square, INPUT) for square in squares])
    if cuts.ndim == 3:
        cuts = np.repeat(cuts[..., None], 3, axis=3)
    values, logits, _ = _MESH.get().run(None, {"input_12": cuts.astype(np.float32) / 255})
    values = values.reshape(len(squares), -1, 3).astype(np.float64) / INPUT
    return [
        _in_picture(own, square, float(logit))
        for own, square, logit in zip(values, squares, logits.ravel(), strict=True)
    ]


def first_landmarks(
    picture: np.ndarray, squares: Sequence[Square], *, turned: bool = False
) -> list[Landmarks]:
    """Find landmarks in two steps: the first ones tell where the second ones are looked for.

    Takes and returns what `landmarks` does.

    Args:
        turned: whether a face may be upside down, which the detector does not tell: where the
            landmarks are not sure, they are also looked for so.
    """
    faces = landmarks(picture, squares)
    if turned:
        unsure = [i for i, face in enumerate(faces) if face.logit < UPRIGHT]
        over = [replace(squares[i], angle=squares[i].angle + math.pi) for i in unsure]
        for i, face in zip(unsure, landmarks(picture, over), strict=True):
            faces[i] = max(faces[i], face, key=_logit)
    sure = [i for i, face in enumerate(faces) if face.score >= PRESENT]
    again = landmarks(picture, [faces[i].square for i in sure])
    for i, face in zip(sure, again, strict=True):
        faces[i] = face
    return faces


def _logit(face: Landmarks) -> float:
    return face.logit


def _in_picture(values: np.ndarray, square: Square, logit: float) -> Landmarks:
    """Map landmarks [478, 3] from a square, 0 to 1, to the picture."""
    depth = values[:, 2:] * square.side
    return Landmarks(np.concatenate([square.to_picture(values[:, :2]), depth], axis=1), logit)
