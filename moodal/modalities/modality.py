"""What a modality tells of an utterance, and what reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Part:
    """A word, a stretch of speech or a seen face: its part [C] of a reading's logits."""

    logits: np.ndarray
    start: float | None = None
    end: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Reading:
    """One modality's logits of one utterance.

    Attributes:
        logits: [C], with the words' constants.
        parts: whose logits add up to them, but for the constants and what no part has (the
            special word pieces of a text).
        quality: what was measured of the stream.
        flags: what a reader should know, a sentence each.
    """

    logits: np.ndarray
    parts: tuple[Part, ...] = ()
    quality: dict[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


class FaceReader(Protocol):
    """A branch that reads faces for the words that are asked."""

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        """Logits [n, C] of pictures [n, 2304] of faces, without the words' constants."""
        ...

    def face(self, seen: Sequence[tuple[float, float, np.ndarray]]) -> Reading:
        """The reading of one face over an utterance: (start, end, logits) of each picture."""
        ...
