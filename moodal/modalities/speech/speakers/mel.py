"""Mel spectrograms as the speaker encoder was trained on: power in 40 bands, every 10 ms.

They equal ``librosa.feature.melspectrogram(y, sr=16000, n_fft=400, hop_length=160, n_mels=40)`` of
librosa 0.11 within 1e-5 of the largest value of a spectrogram (`tests`), without that package.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from moodal.core.records import RATE

BANDS = 40
WINDOW = 400
"""Samples of one frame, 25 ms."""

HOP = 160
"""Samples from frame to frame, 10 ms."""


def mel_spectrogram(samples: np.ndarray) -> np.ndarray:
    """Compute the mel spectrogram of samples [n] at 16 kHz: power [1 + n // 160, 40] float32.

    Frame i is centred on sample 160 i; there is silence before the first sample and after the last.
    """
    padded = np.pad(np.asarray(samples, np.float32), WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * _hann(), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.asarray(power.astype(np.float32) @ _filters().T, np.float32)


@cache
def _hann() -> np.ndarray:
    """Return the periodic Hann window [400]."""
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


@cache
def _filters() -> np.ndarray:
    """Return Slaney's triangular filters of equal area [40, 201]."""
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)
    edges = _hertz(np.linspace(0.0, _mel(RATE / 2), BANDS + 2))
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles * (2 / (edges[2:] - edges[:-2]))[:, None], np.float32)


LINEAR = 200 / 3
"""Hertz of one mel below 1000 Hz, which are 15 mel; above, 27 mel are a factor of 6.4."""

LOGARITHMIC = np.log(6.4) / 27


def _mel(hertz: float) -> float:
    """Convert a frequency of 1000 Hz or more to Slaney's mel."""
    return float(1000 / LINEAR + np.log(hertz / 1000) / LOGARITHMIC)


def _hertz(mel: np.ndarray) -> np.ndarray:
    """Convert Slaney's mel to frequencies."""
    above = 1000 * np.exp(LOGARITHMIC * (mel - 1000 / LINEAR))
    return np.where(mel < 1000 / LINEAR, mel * LINEAR, above)
