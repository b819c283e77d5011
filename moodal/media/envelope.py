"""Envelope: the outline of a sound for drawing, gathered block by block."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from moodal.core.records import RATE

ENVELOPE = 100
"""Stretches a second of the drawn waveform, at most."""
DRAWN = 4000
"""Stretches of the drawn waveform of a whole recording, at most."""


@dataclass
class Envelope:
    """The lowest and highest sample of short stretches of a sound, gathered block by block."""

    parts: list[np.ndarray] = field(default_factory=list)
    samples: int = 0
    peak: float = 0.0

    def add(self, samples: np.ndarray) -> None:
        """Take in the next samples [n]."""
        self.samples += len(samples)
        if not len(samples):
            return
        step = RATE // ENVELOPE
        self.peak = max(self.peak, float(np.abs(samples).max()))
        padded = np.pad(samples, (0, -len(samples) % step), mode="edge").reshape(-1, step)
        self.parts.append(np.stack([padded.min(1), padded.max(1)], 1))

    @property
    def seconds(self) -> float:
        """The length of the sound so far."""
        return self.samples / RATE

    @property
    def drawn(self) -> np.ndarray | None:
        """[n, 2] float32, n at most `DRAWN`; None for no sound."""
        if not self.parts:
            return None
        whole = np.concatenate(self.parts)
        count = min(DRAWN, len(whole))
        first = np.arange(count) * len(whole) // count  # of even length, as they are drawn
        low, high = np.minimum.reduceat(whole[:, 0], first), np.maximum.reduceat(whole[:, 1], first)
        return np.stack([low, high], 1).astype(np.float32)
