"""Samples as they are decoded: their type, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

CHUNK = 65536
"""Samples, at the file's own rate, that are read at once."""

Track = int | str | None
"""A sound track: its number from 1, or its language as the file names it; None: the default one."""

Piece = tuple[int, np.ndarray]
"""Samples per second, and samples: [n, channels] as they are decoded, [n] when they are mixed."""


@dataclass
class Damage:
    """The damage of a recording's sound.

    Attributes:
        lost: damage that cost samples, in the order in which it was met: what is wrong, and what
            was done about it.
        remarks: damage that cost none, such as wrong time stamps.
    """

    lost: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """One sentence for each kind of damage, without a full stop."""
        return [*dict.fromkeys([f"{what}, {then}" for what, then in self.lost] + self.remarks)]

    def count_wrong(self, samples: int) -> None:
        """Record how many samples were not finite."""
        if samples:
            are = "is" if samples == 1 else "are"
            what = f"{samples} sample{'s' * (samples != 1)} {are} NaN or infinite"
            self.lost.append((what, "taken as silence"))


def as_float(values: np.ndarray) -> np.ndarray:
    """Convert samples of any type to float32, full scale 1."""
    kind = values.dtype
    if kind.kind == "f":
        return values.astype(np.float32, copy=False)
    half = float(2 ** (8 * kind.itemsize - 1))
    middle = half if kind.kind == "u" else 0.0
    return ((values.astype(np.float64) - middle) / half).astype(np.float32)


def finite(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Replace NaN and infinity in [n] or [n, channels] by zeros; return the samples and a count.

    The count is that of the sample times at which any channel was replaced.
    """
    good = np.isfinite(samples)
    if good.all():
        return samples, 0
    times = good if samples.ndim == 1 else good.all(1)
    return np.where(good, samples, 0).astype(np.float32), int((~times).sum())
