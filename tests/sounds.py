"""Sounds that several tests make."""

from __future__ import annotations

import numpy as np

from moodal.core.records import RATE


def bursts(*times: tuple[float, float], total: float) -> np.ndarray:
    """Sound that `ear` takes for speech from each second to another, silent elsewhere."""
    samples = np.zeros(round(total * RATE), np.float32)
    for first, last in times:
        span = slice(round(first * RATE), round(last * RATE))
        samples[span] = np.random.default_rng(0).normal(0, 0.3, span.stop - span.start).clip(-1, 1)
    return samples
