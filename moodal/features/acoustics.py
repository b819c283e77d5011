"""Acoustics of sounds: level, band, quiet before and after, and a print that copies share.

They are measured while a corpus is encoded (`moodal.features.encode`) and kept in the feature
store; an encoder that reads many clips at once leaves them to a second reading.

The print follows the course of 24 bands between 100 and 3,400 Hz, as a telephone lets through,
in 16 parts of the sound without the quiet around it. The mean of each band is taken off, so that
level, microphone and band of a copy make little difference.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from moodal.core.acoustics import BANDS, MEASURES, PARTS
from moodal.core.records import RATE
from moodal.modalities.encoder import Item
from moodal.modalities.speech.samples import SampleEncoder, samples_of

WINDOW, HOP = 512, 160
"""Samples of a frame, and between the beginnings of two."""

LOWEST, HIGHEST = 100.0, 3400.0
"""Hz between which the bands of a print lie."""

QUIET = 3e-3
"""The part of the loudest frame's energy below which a frame before or after is quiet (-25 dB)."""

FLOOR = 1e-3
"""The share of the loudest part's energy that is added: noise in quiet ones counts little."""

LONGEST = 600
"""Seconds that are read of a sound."""


@dataclass(frozen=True)
class SoundMeasures(SampleEncoder):
    """The measures and the print of a sound, see `moodal.core.acoustics`: one step [1, 391]."""

    name: ClassVar[str] = "acoustics"
    width: ClassVar[int] = len(MEASURES) + BANDS * PARTS
    rate: ClassVar[None] = None

    def encode(self, item: Item) -> np.ndarray:
        """Measure a clip or samples [n] at 16 kHz.

        Raises:
            DataError: the clip cannot be read.
        """
        return measured(samples_of(item))[None]


def measured(samples: np.ndarray) -> np.ndarray:
    """Measure a sound [n] at 16 kHz: [391] float32."""
    peak = float(np.abs(samples).max(initial=0.0))
    frames = _frames(samples[: LONGEST * RATE])
    power = np.square(frames, dtype=np.float64).mean(1)
    loud = np.flatnonzero(power > power.max() * QUIET) if peak else np.arange(len(power))
    spectra = np.abs(np.fft.rfft(frames * np.hanning(WINDOW))) ** 2
    energy = np.cumsum(spectra[loud[0] : loud[-1] + 1].sum(0))
    band = float(np.searchsorted(energy, 0.99 * energy[-1])) * RATE / WINDOW if peak else 0.0
    measures = (
        len(samples) / RATE,
        peak,
        _decibels(power[loud].mean()),
        _decibels(np.quantile(power, 0.1)),
        band,
        loud[0] * HOP / RATE,
        (len(power) - 1 - loud[-1]) * HOP / RATE,
    )
    own = _print(spectra[loud[0] : loud[-1] + 1])
    return np.concatenate([measures, own]).astype(np.float32)


def _frames(samples: np.ndarray) -> np.ndarray:
    """Cut a sound into overlapping frames [T, WINDOW]; a short one is padded."""
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]


def _decibels(power: float) -> float:
    return float(10 * np.log10(power + 1e-10))


def _print(spectra: np.ndarray) -> np.ndarray:
    """Return the print [BANDS * PARTS] of spectra [T, F]; zeros of silence and of a steady tone."""
    energy = spectra @ _bands().T
    part = np.minimum(np.arange(len(energy)) * PARTS // len(energy), PARTS - 1)
    sums = np.zeros((PARTS, BANDS))
    np.add.at(sums, part, energy)
    count = np.bincount(part, minlength=PARTS)[:, None]
    means = np.where(count > 0, sums / np.maximum(count, 1), energy.mean(0))
    if not means.max():
        return np.zeros(PARTS * BANDS)
    course = np.log(means + FLOOR * means.max())
    course -= course.mean(0)
    size = np.linalg.norm(course)
    return course.ravel() / size if size > 1e-3 else np.zeros(PARTS * BANDS)


@cache
def _bands() -> np.ndarray:
    """Return the bins [BANDS, F] of bands that are equally wide on the mel scale."""
    low, high = (1127 * np.log1p(f / 700) for f in (LOWEST, HIGHEST))
    edges = 700 * np.expm1(np.linspace(low, high, BANDS + 1) / 1127)
    at = np.fft.rfftfreq(WINDOW, 1 / RATE)
    return np.array([(at >= a) & (at < b) for a, b in itertools.pairwise(edges)], float)
