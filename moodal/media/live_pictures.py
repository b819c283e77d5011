"""Live pictures: those of a camera or a network, chosen and shrunk as those of a film are."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.media.video import LARGEST, Picture, cell_of, shrunk


class LivePictures:
    """The pictures of a stream: of each cell of 1/fps seconds the first, see `frames`.

    Attributes:
        last: the second of the latest picture, chosen or not; None before the first.
        finished: whether no more pictures come.
    """

    def __init__(self) -> None:
        self.last: float | None = None
        self.finished = False
        self._waiting: deque[Picture] = deque()
        self._fps, self._longest = math.inf, 0
        self._cell = -1

    @property
    def are_wanted(self) -> bool:
        """True if anything reads the pictures."""
        return self._longest > 0

    def read(
        self, fps: float, longest: int, on_damage: Callable[[str], None]
    ) -> Iterator[Picture | None]:
        """Yield the chosen pictures; None where the next one has not come yet.

        Args:
            fps: pictures per second at most.
            longest: pixels of the longer side at most.
            on_damage: is not called, since the pictures are decoded.
        """
        self._fps, self._longest = fps, longest
        return self._read()

    def _read(self) -> Iterator[Picture | None]:
        while self._waiting or not self.finished:
            yield self._waiting.popleft() if self._waiting else None

    def add(self, rgb: np.ndarray, at: float, scale: float = 1.0) -> None:
        """Add the next picture.

        Args:
            rgb: [height, width, 3] uint8.
            at: its second, not before that of the latest picture.
            scale: pixels per pixel of the camera, at most 1.

        Raises:
            DataError: the shape or type is another.
            UsageError: the second is none, or lies before the latest one.
        """
        values = np.asarray(rgb)
        if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != 3 or not values.size:
            raise DataError(
                "A picture is an array [height, width, 3] of uint8 (RGB); got "
                f"{list(values.shape)} of {values.dtype}."
            )
        if values.shape[0] * values.shape[1] > LARGEST:
            raise DataError(f"A picture has at most {LARGEST} pixels; got {list(values.shape)}.")
        if not isinstance(at, float | int | np.number) or not 0 <= at < math.inf:
            raise UsageError(f"The time of a picture is in seconds from 0 on; got {at!r}.")
        if self.last is not None and at < self.last:
            raise UsageError(
                f"Pictures come in the order of their times; got {at:g} s after {self.last:g} s."
            )
        self.last = float(at)
        if self._longest and (cell := cell_of(at, self._fps)) > self._cell:
            self._cell = cell
            picture = shrunk(values, self._longest, float(at))
            self._waiting.append(replace(picture, scale=scale * picture.scale))
