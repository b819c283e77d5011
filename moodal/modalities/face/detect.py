"""Detect faces in a picture and crop them for the face stream.

dlib's frontal HOG detector (King 2009; included with its weights in dlib-bin) detects them. Its
boxes are quantised to a fifth of their size, so each face is detected again in a window at a few
scales, and the mean of these boxes is used. Crops are framed as in FER2013.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError

SAVED = Path(__file__).with_name("frontal_faces.dat")
"""The detector that ``dlib.get_frontal_face_detector().save()`` wrote (Boost licence, as dlib)."""

SIDE = 48
"""Pixels of a crop's side, as in FER2013."""

MARGIN = 1.15
"""The side of a crop divided by the side of its box; see `crop`."""

LIFT = 0.08
"""The height of a crop's centre above its box's centre, in sides of the box; see `crop`."""

FOUND = 0.3
"""The lowest score of the detector that counts as a face in a whole picture."""

KEPT = -0.1
"""The lowest score near the place where a face was detected a moment ago."""

WIDE, DEEP = 480, 960
"""The longer side in pixels to which whole pictures are scaled, to detect faces of about 1/6 of it
or more, and in the deeper search of about 1/12 or more."""

ENLARGED = 4
"""The largest factor by which small pictures are enlarged; beyond it no detail is gained."""

TINY = 8
"""Pixels of the shorter side below which a picture is not searched."""

SIZES = (84, 92)
"""Pixels to which a box's side is scaled for the second detection: half a quantisation step from
each other, and a little above the 72 that the detector needs. From boxes displaced by a tenth, the
mean box's side has a standard deviation of 4%, its centre of 2% of the side."""

REACH = 0.5
"""Half width of the resampling kernel, in distances between the pixels of a crop. With 0.5 the
crops of large faces are as sharp as FER2013's images (`sharpness` 0.72 to 0.87 in three videos;
FER2013's quartiles are 0.70 and 0.98); with 1, which aliases least, they have 0.53 to 0.62."""

STILL = (80, 83, 86, 89, 92)
"""The scales for single pictures, where time matters less: deviations of 2% and 1%."""

WINDOW = 2.0
"""The side of the window of the second detection, in sides of the box."""


@dataclass(frozen=True, slots=True)
class Box:
    """The bounding box of a face in pixels of the picture; fractional, and may exceed its edges.

    ``score`` is the detector's: 0 at its default threshold, 1 to 3 for a clear frontal face.
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


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes, 0 to 1."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((x.right - x.left) * (x.bottom - x.top) for x in (a, b))
    return width * height / (areas - width * height)


def luma(picture: np.ndarray) -> np.ndarray:
    """Convert [H, W, 3] uint8 RGB to [H, W] uint8 grey (ITU-R 601, as in JPEG and FER2013).

    A grey picture is returned unchanged.

    Raises:
        DataError: the picture has another shape or type, or no pixels.
    """
    if picture.dtype != np.uint8 or not picture.size:
        raise DataError(
            f"A picture must be a non-empty uint8 array; got {picture.dtype} {picture.shape}."
        )
    if picture.ndim == 2:
        return np.ascontiguousarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise DataError(f"A picture must be [H, W] or [H, W, 3]; got {picture.shape}.")
    wide = picture.astype(np.uint16)
    return ((wide[..., 0] * 77 + wide[..., 1] * 150 + wide[..., 2] * 29 + 128) >> 8).astype("u1")


def search(
    grey: np.ndarray, longest: int, *, edge: bool = False, least: float = FOUND
) -> list[Box]:
    """Detect faces in the whole picture, scaled to ``longest``; boxes are quantised.

    Args:
        grey: [H, W] uint8.
        longest: longer side in pixels of the scaled picture; larger ones show smaller faces.
        edge: pad the picture by repeating its outermost pixels, for faces that fill it.
        least: the lowest score.
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


def detect_near(
    grey: np.ndarray, box: Box, *, sizes: tuple[int, ...] = SIZES, least: float = KEPT
) -> Box | None:
    """Detect the face in a window around ``box``; None if there is none.

    Args:
        grey: [H, W] uint8.
        box: the box of a face in this or the previous picture.
        sizes: pixels to which the box's side is scaled; the result is the mean over them.
        least: the lowest score.
    """
    x, y = box.centre
    side = max(8, round(box.side * WINDOW))
    left, top = round(x - side / 2), round(y - side / 2)
    window = _cut(grey, left, top, side)
    boxes: list[Box] = []
    for size in sizes:
        small, ratio = _scaled(window, size * WINDOW / side)
        candidates = [b for b in _run(small, 1 / ratio, left, top) if same_face(b, box)]
        if candidates:
            boxes.append(max(candidates, key=lambda b: b.score))
    boxes = [b for b in boxes if b.score >= least]
    if not boxes:
        return None
    values = np.array([(b.left, b.top, b.right, b.bottom, b.score) for b in boxes]).mean(axis=0)
    return Box(*(float(v) for v in values))


def same_face(a: Box, b: Box) -> bool:
    """Return whether two boxes are close and similar enough to show the same face."""
    distance = max(abs(p - q) for p, q in zip(a.centre, b.centre, strict=True))
    return distance < 0.6 * max(a.side, b.side) and 0.55 < a.side / b.side < 1.8


def crop(picture: np.ndarray, box: Box) -> np.ndarray:
    """Crop a face to [48, 48] uint8 grey, framed as in FER2013.

    `MARGIN` and `LIFT` were measured by benchmarks/face_framing.py: in 2,000 of FER2013's training
    images (drawn with seed 0, padded by 16 repeated pixels on each side) `detect_near` detects the
    face in 84%, from a start displaced by a tenth at random. Over those with a score of 0.5 or more
    an image's side is 1.15 boxes at the median (quartiles 1.10 and 1.22), and its centre lies 0.08
    boxes above the box's. Beyond the edges of a picture its outermost pixels are repeated.
    """
    x, y = box.centre
    side = max(1.0, box.side * MARGIN)
    return resample(luma(picture), x - side / 2, y - LIFT * box.side - side / 2, side, side)


def resample(
    grey: np.ndarray, left: float, top: float, width: float, height: float, side: int = SIDE
) -> np.ndarray:
    """Resample a rectangle of a grey picture to [side, side] uint8.

    Interpolation is linear, with averaging when shrinking. Beyond the edges of the picture its
    outermost pixels are repeated.
    """
    region, rows = _weights(top, height, grey.shape[0], side)
    across, columns = _weights(left, width, grey.shape[1], side)
    values = rows @ grey[region, across].astype(np.float32) @ columns.T
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _weights(start: float, length: float, pixels: int, side: int) -> tuple[slice, np.ndarray]:
    """Return the n pixels that contribute to ``side`` samples, and their weights [side, n]."""
    step = length / side
    reach = max(1.0, REACH * step)  # half width of the triangular kernel, at least one pixel
    centres = start + (np.arange(side) + 0.5) * step - 0.5
    first = int(np.floor(centres[0] - reach))
    places = np.arange(first, int(np.ceil(centres[-1] + reach)) + 1)
    weights = np.maximum(0.0, 1 - np.abs(places[None] - centres[:, None]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    clipped = np.clip(places, 0, pixels - 1)
    low, high = int(clipped[0]), int(clipped[-1])
    summing = (clipped[:, None] == np.arange(low, high + 1)).astype(np.float32)
    return slice(low, high + 1), weights.astype(np.float32) @ summing


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


def _cut(grey: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """Cut a square out of the picture, repeating its outermost pixels beyond its edges."""
    height, width = grey.shape
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return grey[top : top + side, left : left + side]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return grey[rows[:, None], columns[None]]


def _scaled(grey: np.ndarray, ratio: float) -> tuple[np.ndarray, float]:
    """Scale a picture by about ``ratio``; return it with the exact ratio of its longer side."""
    longest = max(grey.shape)
    rows, columns = (max(1, round(n * ratio)) for n in grey.shape)
    # dlib's interpolation reads two neighbours only: halve first when shrinking further.
    while min(grey.shape[0] / rows, grey.shape[1] / columns) >= 2:
        even = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2].astype(np.uint16)
        quads = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
        grey = (quads >> 2).astype(np.uint8)
    small = _dlib().resize_image(np.ascontiguousarray(grey), rows, columns)
    return np.ascontiguousarray(small), max(small.shape) / longest


def _run(grey: np.ndarray, unit: float, left: float, top: float) -> list[Box]:
    """Run the detector; scale its boxes by ``unit`` and move them by ``left`` and ``top``."""
    rectangles, scores, _ = _detector().run(grey, 0, KEPT)
    return [
        Box(
            left + r.left() * unit,
            top + r.top() * unit,
            left + (r.right() + 1) * unit,
            top + (r.bottom() + 1) * unit,
            float(score),
        )
        for r, score in zip(rectangles, scores, strict=True)
    ]


def _dlib() -> Any:
    try:
        import _dlib_pybind11
    except ModuleNotFoundError:
        raise MissingDependencyError(
            "Detecting faces needs the package dlib-bin, which is not installed; "
            "run `pip install dlib-bin`."
        ) from None
    return _dlib_pybind11


_of_thread = threading.local()


def _detector() -> Any:
    """Return this thread's detector.

    dlib releases Python's lock while a detector works in its internal buffers, so two threads that
    share one corrupt its memory. A detector per thread costs 2 ms and runs in parallel, whereas
    with a lock threads would wait for each other.
    """
    if not hasattr(_of_thread, "detector"):
        _of_thread.detector = _load_detector()
    return _of_thread.detector


def _load_detector() -> Any:
    """Load dlib's saved detector, since building it takes 0.65 s."""
    dlib = _dlib()
    try:
        return dlib.fhog_object_detector(str(SAVED))
    except RuntimeError:  # missing, or saved by an incompatible version
        return dlib.get_frontal_face_detector()
