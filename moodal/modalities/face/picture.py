"""Pictures as arrays: boxes in them, grey values, sharpness, and squares cut out of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from moodal.core.errors import DataError

SIDE = 48
"""Pixels of a face crop's side, as in FER2013."""


@dataclass(frozen=True, slots=True)
class Box:
    """The bounding box of a face in pixels of the picture; fractional, and may exceed its edges.

    ``score`` is the probability that it is a face, 0 to 1.
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0.0

    @property
    def side(self) -> float:
        """The mean of width and height, in pixels."""
        return (self.right - self.left + self.bottom - self.top) / 2

    @property
    def centre(self) -> tuple[float, float]:
        """The centre's x and y, in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Square:
    """A turned square in a picture.

    Attributes:
        x, y: its centre in pixels; pixel (0, 0) covers 0 to 1.
        side: in pixels.
        angle: radians by which its upper edge is turned clockwise from the picture's.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Map points [..., 2] from the square, 0 to 1, to pixels of the picture."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[cos, sin], [-sin, cos]])
        return (points - 0.5) * self.side @ turn + np.array([self.x, self.y])


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes, 0 to 1."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((x.right - x.left) * (x.bottom - x.top) for x in (a, b))
    return width * height / (areas - width * height)


def require_picture(picture: np.ndarray) -> None:
    """Check that an array is a picture: [H, W] or [H, W, 3] uint8 with at least one pixel.

    Raises:
        DataError: it is not.
    """
    if picture.dtype != np.uint8 or not picture.size:
        raise DataError(
            f"A picture must be a non-empty uint8 array; got {picture.dtype} {picture.shape}."
        )
    if picture.ndim != 2 and (picture.ndim != 3 or picture.shape[2] != 3):
        raise DataError(f"A picture must be [H, W] or [H, W, 3]; got {picture.shape}.")


def luma(picture: np.ndarray) -> np.ndarray:
    """Convert [H, W, 3] uint8 RGB to [H, W] uint8 grey (ITU-R 601, as in JPEG and FER2013).

    A grey picture is returned unchanged.

    Raises:
        DataError: the picture has another shape or type, or no pixels.
    """
    require_picture(picture)
    if picture.ndim == 2:
        return np.ascontiguousarray(picture)
    wide = picture.astype(np.uint16)
    return ((wide[..., 0] * 77 + wide[..., 1] * 150 + wide[..., 2] * 29 + 128) >> 8).astype("u1")


def cut(picture: np.ndarray, square: Square, side: int) -> np.ndarray:
    """Cut a turned square out of a picture, and scale it to ``side`` pixels.

    Interpolation is linear, with averaging when shrinking. Beyond the edges of the picture its
    outermost pixels are repeated.

    Args:
        picture: [H, W] or [H, W, 3] uint8.
        square: what is cut out.
        side: pixels of the result.

    Returns:
        [side, side] or [side, side, 3] uint8.
    """
    from PIL import Image

    part, left, top = _surroundings(picture, square)
    if not square.angle:
        x, y, half = square.x - left, square.y - top, square.side / 2
        box = (x - half, y - half, x + half, y + half)
        upright = Image.fromarray(part).resize((side, side), Image.Resampling.BILINEAR, box)
        return np.asarray(upright)
    fine = min(8, max(1, round(square.side / side)))  # samples per pixel and axis
    corners = square.to_picture(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    corners -= np.array([left, top])
    across, down = (corners[1:] - corners[0]) / (side * fine)
    matrix = (across[0], down[0], corners[0, 0], across[1], down[1], corners[0, 1])
    size = (side * fine, side * fine)
    image = Image.fromarray(part).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    if fine > 1:
        image = image.reduce(fine)
    return np.asarray(image)


def _surroundings(picture: np.ndarray, square: Square) -> tuple[np.ndarray, int, int]:
    """Return the upright part of a picture around a square, with repeated pixels beyond the edges.

    Also return the column and the row of the picture at which it begins.
    """
    reach = square.side / 2 * (abs(math.cos(square.angle)) + abs(math.sin(square.angle))) + 2
    left, right = math.floor(square.x - reach), math.ceil(square.x + reach)
    top, bottom = math.floor(square.y - reach), math.ceil(square.y + reach)
    height, width = picture.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return np.ascontiguousarray(picture[top:bottom, left:right]), left, top
    rows = np.clip(np.arange(top, bottom), 0, height - 1)
    columns = np.clip(np.arange(left, right), 0, width - 1)
    return np.ascontiguousarray(picture[rows[:, None], columns[None]]), left, top


def coarse(picture: np.ndarray, side: int = 16) -> np.ndarray:
    """Scale a whole picture to [side, side] float32 grey, by averaging."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture)).reduce(
        max(1, min(picture.shape[:2]) // (4 * side))
    )
    small = np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32)
    return small if small.ndim == 2 else small.mean(axis=2)


def sharpness(face: np.ndarray) -> float:
    """Measure the sharpness of a crop [48, 48] uint8: deviation of its Laplacian by its own.

    FER2013's images have 0.84 at the median and 0.45 at the 1st percentile; enlarged or moving
    faces have less. A uniform crop has 0.
    """
    values = face.astype(np.float32)
    spread = float(values.std())
    if spread < 1:
        return 0.0
    inner = values[1:-1, 1:-1] * 4
    edges = inner - values[:-2, 1:-1] - values[2:, 1:-1] - values[1:-1, :-2] - values[1:-1, 2:]
    return float(edges.std()) / spread
