"""The looks of the faces of one film, by which a face that returns is known again.

The vector of a look is the aligned crop itself, coarsened to 20 x 18 pixels and freed of light and
contrast: enough for the same face in the same scene, and no more. In 800 pictures of FER2013 one
pair in a thousand is more alike than .77; looks of one person, with any expression, have a median
of .61.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

ALIKE = 0.8
"""The correlation of two looks from which on they are of one face."""

EVERY = 1.0
"""Seconds between two looks of a face that are kept."""

KEPT, FACES = 8, 50
"""Looks that are kept of a face, the latest ones, and faces whose looks are kept."""


def look_of(face: np.ndarray) -> np.ndarray:
    """Return the look of a crop [48, 48] uint8: [360] of length 1, or 0 if it is uniform."""
    inner = face[4:44, 6:42].astype(np.float32).reshape(20, 2, 18, 2).mean(axis=(1, 3))
    centred = (inner - inner.mean()).ravel()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1 else np.zeros_like(centred)


@dataclass
class Gallery:
    """The latest looks of the faces that were seen last."""

    _looks: dict[int, deque[np.ndarray]] = field(default_factory=dict)
    _last: dict[int, float] = field(default_factory=dict)

    def add(self, track: int, at: float, face: np.ndarray) -> None:
        """Keep the look of a face at second ``at``, if the last one is old enough."""
        if at - self._last.get(track, -np.inf) < EVERY:
            return
        looks = self._looks.pop(track, None) or deque(maxlen=KEPT)
        looks.append(look_of(face))
        self._looks[track], self._last[track] = looks, at  # the latest face comes last
        while len(self._looks) > FACES:
            oldest = next(iter(self._looks))
            del self._looks[oldest], self._last[oldest]

    def find(self, face: np.ndarray, *, without: set[int]) -> int | None:
        """Return the number of the face that looks most like a crop, if it is like enough.

        Args:
            face: [48, 48] uint8.
            without: numbers of faces that it cannot be.
        """
        look = look_of(face)
        likeness = {
            track: max(float(look @ own) for own in looks)
            for track, looks in self._looks.items()
            if track not in without
        }
        best = max(likeness, key=lambda track: likeness[track], default=None)
        return best if best is not None and likeness[best] >= ALIKE else None
