"""Acoustics: what is measured of each sound of a corpus, for audits alone; no system reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moodal.core.errors import DataError

MEASURES = ("seconds", "peak", "level", "floor", "band", "before", "after")
"""The columns of `Acoustics.measures`: the length in seconds; the highest absolute sample; the
level of the louder parts and of the quietest tenth in dB below full scale; the frequency in Hz
below which 99 % of the energy lies; seconds of quiet before and after."""

BANDS, PARTS = 24, 16
"""The bands of a print, and the parts of a sound in time."""


@dataclass(frozen=True)
class Acoustics:
    """Measures and prints of N sounds.

    Attributes:
        measures: [N, 7] float32, columns `MEASURES`; NaN for an utterance without sound.
        prints: [N, 384] float16 of length 1, or zeros: the course of 24 bands in 16 parts of the
            sound. Copies of one recording have nearly the same.
    """

    measures: np.ndarray
    prints: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.measures)
        if self.measures.shape != (n, len(MEASURES)) or self.prints.shape != (n, BANDS * PARTS):
            raise DataError(
                f"Measures of {n} sounds are [{n}, {len(MEASURES)}] with prints "
                f"[{n}, {BANDS * PARTS}]; got {self.measures.shape} and {self.prints.shape}."
            )

    def __len__(self) -> int:
        return len(self.measures)

    @classmethod
    def of(cls, rows: Sequence[np.ndarray]) -> Acoustics:
        """Collect what `moodal.features.acoustics` measured: [1, 391] each, [0, 391] without."""
        width = len(MEASURES) + BANDS * PARTS
        values = np.full((len(rows), width), np.nan, np.float32)
        for row, own in enumerate(rows):
            if len(own):
                values[row] = own[0]
        prints = np.nan_to_num(values[:, len(MEASURES) :]).astype(np.float16)
        return cls(values[:, : len(MEASURES)], prints)

    def select(self, rows: np.ndarray) -> Acoustics:
        """Return the measures of only these rows, in this order."""
        return Acoustics(self.measures[rows], self.prints[rows])

    def concatenate(self, other: Acoustics) -> Acoustics:
        """Return these measures followed by others."""
        return Acoustics(
            np.concatenate([self.measures, other.measures]),
            np.concatenate([self.prints, other.prints]),
        )
