"""Detect faces in a picture, by MediaPipe's short-range detector (BlazeFace, Bazarevsky 2019).

The graph (Apache-2.0, the MediaPipe authors) sees 128 x 128 pixels, in which faces of about an
eighth of the side or more are found. Smaller ones are found in tiles of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from moodal.core.process_local import ProcessLocal
from moodal.modalities.face.landmarks import AROUND, FOLDER
from moodal.modalities.face.picture import Box, Square, cut, overlap, require_picture
from moodal.modalities.graphs import open_graph

INPUT = 128
"""Pixels of the square that the detector sees."""

LEAST = 0.5
"""The lowest score that counts as a face in a whole picture."""

SAME = 0.3
"""The overlap from which on two boxes are of the same face."""

TINY = 8
"""Pixels of the shorter side below which a picture is not searched."""

LAYERS = ((16, 2), (8, 6))
"""The detector's grids: cells along a side, and boxes at each cell."""

_DETECTOR = ProcessLocal(lambda: open_graph(FOLDER / "detector.onnx"))


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected face.

    Attributes:
        box: its bounding box, from the brows to the chin.
        angle: radians by which the line of the eyes is turned clockwise.
    """

    box: Box
    angle: float

    @property
    def square(self) -> Square:
        """The square in which the landmarks are found."""
        x, y = self.box.centre
        return Square(x, y, self.box.side * AROUND, self.angle)


def _centres() -> np.ndarray:
    """Return the centres [896, 2] of the detector's boxes, 0 to 1."""
    parts = []
    for cells, boxes in LAYERS:
        at = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        parts.append(np.repeat(grid, boxes, axis=0))
    return np.concatenate(parts)


CENTRES = _centres()


def detect(
    picture: np.ndarray, *, tile: int | None = None, least: float = LEAST
) -> list[Detection]:
    """Detect the faces of a picture, the surest first.

    Args:
        picture: [H, W, 3] uint8 RGB, or [H, W] grey.
        tile: side in pixels of the overlapping tiles that are searched; None: the whole picture
            at once. Faces between a tenth and a half of it are found.
        least: the lowest score.

    Raises:
        DataError: the array is no picture.
    """
    require_picture(picture)
    height, width = picture.shape[:2]
    if min(height, width) < TINY:
        return []
    squares = _squares(height, width, tile)
    detections = [d for square in squares for d in _detect_in(picture, square, least)]
    if tile is not None:
        detections = [d for d in detections if _inside(d.box, squares, height, width)]
    return distinct(detections)


def distinct(detections: list[Detection]) -> list[Detection]:
    """Keep the surest of the detections of each face, the surest face first."""
    kept: list[Detection] = []
    for one in sorted(detections, key=lambda d: -d.box.score):
        if all(overlap(one.box, other.box) < SAME for other in kept):
            kept.append(one)
    return kept


def _squares(height: int, width: int, tile: int | None) -> list[Square]:
    """Return the squares that are searched: one around the picture, or tiles that overlap by half.

    A tile that is as large as the picture's shorter side still divides a wide picture.
    """
    if tile is None:
        return [Square(width / 2, height / 2, max(height, width))]
    side = min(tile, max(height, width))

    def centres(length: int) -> list[float]:
        if length <= side:
            return [length / 2]
        count = math.ceil((length - side) / (side / 2)) + 1
        return np.linspace(side / 2, length - side / 2, count).tolist()

    return [Square(x, y, side) for y in centres(height) for x in centres(width)]


def _inside(box: Box, squares: list[Square], height: int, width: int) -> bool:
    """Return whether a box is not cut by the edge of its tile: it fits into one of the tiles."""
    for s in squares:
        half = s.side / 2
        low_x = s.x - half <= max(box.left, 0)
        low_y = s.y - half <= max(box.top, 0)
        if (
            low_x
            and low_y
            and min(box.right, width) <= s.x + half
            and min(box.bottom, height) <= s.y + half
        ):
            return True
    return False


def _detect_in(picture: np.ndarray, square: Square, least: float) -> list[Detection]:
    """Detect the faces in one square of a picture."""
    values = cut(picture, square, INPUT).astype(np.float32) / 127.5 - 1
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    boxes, logits = _DETECTOR.get().run(None, {"input": values[None]})
    scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0].astype(np.float64), -100, 100)))
    rows = np.flatnonzero(scores >= least)
    if not len(rows):
        return []
    numbers = boxes[0, rows].astype(np.float64).reshape(len(rows), 8, 2) / INPUT
    centres = CENTRES[rows]
    points = numbers + centres[:, None]  # the middle, (width, height), and six points of the face
    size = numbers[:, 1]
    return _merged(scores[rows], points, size, square)


def _merged(
    scores: np.ndarray, points: np.ndarray, size: np.ndarray, square: Square
) -> list[Detection]:
    """Average the boxes that overlap, weighted by their scores, as MediaPipe does."""
    low, high = points[:, 0] - size / 2, points[:, 0] + size / 2
    boxes = [Box(*a, *b) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    left = list(np.argsort(-scores, kind="stable"))
    detections = []
    while left:
        first = left[0]
        group = [i for i in left if overlap(boxes[first], boxes[i]) > SAME or i == first]
        left = [i for i in left if i not in group]
        weights = scores[group] / scores[group].sum()
        corners = np.stack([weights @ low[group], weights @ high[group]])
        (x0, y0), (x1, y1) = square.to_picture(corners).tolist()
        right, other = np.tensordot(weights, points[group], 1)[2:4]  # the eyes
        angle = math.atan2(other[1] - right[1], other[0] - right[0])
        detections.append(Detection(Box(x0, y0, x1, y1, float(scores[first])), angle))
    return detections
