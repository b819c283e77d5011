"""Where faces are in a picture, and what of it the face stream sees.

dlib's frontal HOG detector (King 2009; dlib-bin brings it, weights and all) finds them. Its boxes
come in steps of a fifth of their size, so each is looked at again in its own window at a few
sizes, and the mean of these is the box. The crop is framed as FER2013 frames its faces.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError

SAVED = Path(__file__).with_name("frontal_faces.dat")
"""What ``dlib.get_frontal_face_detector().save(...)`` wrote (Boost Software License, as dlib)."""

SIDE = 48
"""Pixels of a crop's side, those of FER2013."""

MARGIN = 1.15
"""A crop's side by its box's: see `crop`."""

LIFT = 0.08
"""How far a crop's centre lies above its box's, by the box's side: see `crop`."""

FOUND = 0.3
"""The detector's score from which a box in a whole picture is believed to be a face."""

KEPT = -0.1
"""The same where a face is expected, since it was there a moment ago."""

WIDE, DEEP = 480, 960
"""The longer side to which whole pictures are scaled, to find faces from about 1/6 of it on, and
for the smaller ones, from about 1/12 on."""

ENLARGED = 4
"""Small pictures are scaled up by this at most; beyond, there is nothing to see."""

TINY = 8
"""Pixels of the shorter side below which a picture is not searched."""

SIZES = (84, 92)
"""Pixels to which a box's side is scaled when it is looked at again: half a step apart, and a
little above the 72 that the detector needs. Repeated from boxes that are off by a tenth, the
mean's side has a standard deviation of 4%, its centre of 2% of the side."""

REACH = 0.5
"""How far neighbouring pixels of a crop share what they average, by their distance. With 0.5 the
crops of large faces are as sharp as FER2013's images (`sharpness` 0.72 to 0.87 in three videos;
FER2013's quartiles are 0.70 and 0.98); with 1, which aliases least, they have 0.53 to 0.62."""

STILL = (80, 83, 86, 89, 92)
"""The same for single pictures, where there is time: 2% and 1%."""

WINDOW = 2.0
"""Side of that window, by the box's."""


@dataclass(frozen=True, slots=True)
class Box:
    """A face's place, in pixels of the picture (fractions of them, and beyond its edges, allowed).

    ``score`` is the detector's: 0 at its own threshold, 1 to 3 for a clear frontal face.
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0.0

    @property
    def side(self) -> float:
        """Mean of width and height, in pixels."""
        return (self.right - self.left + self.bottom - self.top) / 2

    @property
    def centre(self) -> tuple[float, float]:
        """x and y in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def overlap(a: Box, b: Box) -> float:
    """Intersection by union, 0 to 1."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((x.right - x.left) * (x.bottom - x.top) for x in (a, b))
    return width * height / (areas - width * height)


def luma(picture: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 RGB -> [H, W] uint8 grey (ITU-R 601, as JPEG and FER2013); grey as it is.

    Raises:
        DataError: of another shape or type, or without pixels.
    """
    if picture.dtype != np.uint8 or not picture.size:
        raise DataError(f"A picture is uint8 with pixels; got {picture.dtype} {picture.shape}.")
    if picture.ndim == 2:
        return np.ascontiguousarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise DataError(f"A picture is [H, W] or [H, W, 3]; got {picture.shape}.")
    wide = picture.astype(np.uint16)
    return ((wide[..., 0] * 77 + wide[..., 1] * 150 + wide[..., 2] * 29 + 128) >> 8).astype("u1")


def detect(picture: np.ndarray, *, deep: bool = True) -> list[Box]:
    """The faces of one picture, the surest first; each looked at again in its window.

    Args:
        picture: [H, W, 3] RGB or [H, W] grey, uint8.
        deep: where nothing is found, look for smaller faces, and such as the edges cut.
    """
    grey = luma(picture)
    boxes = search(grey, WIDE) or (search(grey, DEEP, edge=True) if deep else [])
    return apart([near(grey, box, sizes=STILL) or box for box in boxes])


def search(
    grey: np.ndarray, longest: int, *, edge: bool = False, least: float = FOUND
) -> list[Box]:
    """Faces of the whole picture, scaled to ``longest``, as the detector frames them.

    Args:
        grey: [H, W] uint8.
        longest: pixels of the longer side to search at; the more, the smaller faces are found.
        edge: repeat the pictures' outermost pixels around it, for faces that fill it.
        least: score.
    """
    height, width = grey.shape
    if min(height, width) < TINY:
        return []
    pad = round(max(height, width) / 6) if edge and max(height, width) <= WIDE else 0
    if pad:
        grey = np.pad(grey, pad, mode="edge")
    ratio = min(longest / max(grey.shape), ENLARGED)
    small, ratio = _scaled(grey, ratio)
    boxes = _run(small, 1 / ratio, -pad, -pad)
    return sorted((b for b in boxes if b.score >= least), key=lambda b: -b.score)


def near(
    grey: np.ndarray, box: Box, *, sizes: tuple[int, ...] = SIZES, least: float = KEPT
) -> Box | None:
    """The face in the window around ``box``, None where there is none.

    Args:
        grey: [H, W] uint8.
        box: where a face is or was a moment ago.
        sizes: pixels to which its side is scaled; the answer is the mean over them.
        least: score.
    """
    x, y = box.centre
    side = max(8, round(box.side * WINDOW))
    left, top = round(x - side / 2), round(y - side / 2)
    window = _cut(grey, left, top, side)
    found: list[Box] = []
    for size in sizes:
        small, ratio = _scaled(window, size * WINDOW / side)
        here = [b for b in _run(small, 1 / ratio, left, top) if alike(b, box)]
        if here:
            found.append(max(here, key=lambda b: b.score))
    found = [b for b in found if b.score >= least]
    if not found:
        return None
    values = np.array([(b.left, b.top, b.right, b.bottom, b.score) for b in found]).mean(axis=0)
    return Box(*(float(v) for v in values))


def alike(a: Box, b: Box) -> bool:
    """Whether two boxes may be of one face."""
    distance = max(abs(p - q) for p, q in zip(a.centre, b.centre, strict=True))
    return distance < 0.6 * max(a.side, b.side) and 0.55 < a.side / b.side < 1.8


def apart(boxes: list[Box]) -> list[Box]:
    """Without those that overlap a surer one; the surest first."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if all(overlap(box, other) < 0.4 for other in kept):
            kept.append(box)
    return kept


def crop(picture: np.ndarray, box: Box) -> np.ndarray:
    """[48, 48] uint8 grey of a face, framed as FER2013's faces are.

    `MARGIN` and `LIFT` were measured by benchmarks/face_framing.py: of 2,000 of FER2013's training
    images (drawn with seed 0; their outermost pixels repeated by 16 on each side) `near` finds
    the face in 84%, from a start that is off by a tenth at random. Over those with a score of 0.5
    or more an image's side is 1.15 boxes at the median (quartiles 1.10 and 1.22), and its centre
    lies 0.08 boxes above the box's.
    Beyond a picture's edges its outermost pixels are repeated.
    """
    x, y = box.centre
    side = max(1.0, box.side * MARGIN)
    return resample(luma(picture), x - side / 2, y - LIFT * box.side - side / 2, side, side)


def resample(
    grey: np.ndarray, left: float, top: float, width: float, height: float, side: int = SIDE
) -> np.ndarray:
    """A rectangle of a grey picture as [side, side] uint8: linear, averaged where it
    shrinks; beyond the picture's edges its outermost pixels are repeated."""
    region, rows = _weights(top, height, grey.shape[0], side)
    across, columns = _weights(left, width, grey.shape[1], side)
    values = rows @ grey[region, across].astype(np.float32) @ columns.T
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _weights(begin: float, length: float, pixels: int, side: int) -> tuple[slice, np.ndarray]:
    """Which pixels make ``side`` samples of a stretch, and with what weights [side, n]."""
    step = length / side
    reach = max(1.0, REACH * step)  # of a triangle: to the next pixel, or over some of them
    centres = begin + (np.arange(side) + 0.5) * step - 0.5
    first = int(np.floor(centres[0] - reach))
    places = np.arange(first, int(np.ceil(centres[-1] + reach)) + 1)
    weights = np.maximum(0.0, 1 - np.abs(places[None] - centres[:, None]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    inside = np.clip(places, 0, pixels - 1)
    low, high = int(inside[0]), int(inside[-1])
    pile = (inside[:, None] == np.arange(low, high + 1)).astype(np.float32)
    return slice(low, high + 1), weights.astype(np.float32) @ pile


def sharpness(face: np.ndarray) -> float:
    """How much detail a crop [48, 48] uint8 has: spread of its Laplacian by that of its values.

    FER2013's images have 0.84 at the median and 0.45 at the 1st percentile; enlarged or moved faces
    have less. 0 for an empty crop.
    """
    values = face.astype(np.float32)
    spread = float(values.std())
    if spread < 1:
        return 0.0
    inner = values[1:-1, 1:-1] * 4
    edges = inner - values[:-2, 1:-1] - values[2:, 1:-1] - values[1:-1, :-2] - values[1:-1, 2:]
    return float(edges.std()) / spread


def _cut(grey: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square of the picture, its outermost pixels repeated beyond its edges."""
    height, width = grey.shape
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return grey[top : top + side, left : left + side]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return grey[rows[:, None], columns[None]]


def _scaled(grey: np.ndarray, ratio: float) -> tuple[np.ndarray, float]:
    """Scaled by about ``ratio``, and by how much indeed (the longer side tells)."""
    before = max(grey.shape)
    rows, columns = (max(1, round(n * ratio)) for n in grey.shape)
    # dlib's interpolation reads two neighbours: halve first where more pixels fall together.
    while min(grey.shape[0] / rows, grey.shape[1] / columns) >= 2:
        even = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2].astype(np.uint16)
        sums = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
        grey = (sums >> 2).astype(np.uint8)
    small = _dlib().resize_image(np.ascontiguousarray(grey), rows, columns)
    return np.ascontiguousarray(small), max(small.shape) / before


def _run(grey: np.ndarray, unit: float, left: float, top: float) -> list[Box]:
    """The detector's boxes; ``unit`` pixels to its pixel, from ``left`` and ``top`` on."""
    found, scores, _ = _detector().run(grey, 0, KEPT)
    return [
        Box(
            left + r.left() * unit,
            top + r.top() * unit,
            left + (r.right() + 1) * unit,
            top + (r.bottom() + 1) * unit,
            float(score),
        )
        for r, score in zip(found, scores, strict=True)
    ]


def _dlib() -> Any:
    try:
        import _dlib_pybind11
    except ModuleNotFoundError:
        raise MissingDependencyError(
            "Faces are found by the package dlib-bin, which is not installed; "
            "`pip install dlib-bin` brings it."
        ) from None
    return _dlib_pybind11


_of_thread = threading.local()


def _detector() -> Any:
    """Return this thread's detector.

    dlib releases Python's lock while a detector works in buffers of its own, so two threads that
    share one corrupt its memory. One for each thread costs 2 ms and lets them work side by side,
    where a lock would make them wait for each other.
    """
    if not hasattr(_of_thread, "detector"):
        _of_thread.detector = _load_detector()
    return _of_thread.detector


def _load_detector() -> Any:
    """Read dlib's detector as it saved itself: to make it from scratch takes 0.65 s."""
    dlib = _dlib()
    try:
        return dlib.fhog_object_detector(str(SAVED))
    except RuntimeError:  # not there, or another dlib's
        return dlib.get_frontal_face_detector()
