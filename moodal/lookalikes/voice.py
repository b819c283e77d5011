"""A voice that is not speech but can be heard, and whose sound depends on the emotion.

Arousal raises pitch, loudness and tempo and brightens the spectrum; pleasantness
widens the melody and shortens the vocal tract, as a smile does; control lowers the
pitch and steadies it; novelty lets the melody rise at the end. Directions follow the
reviews of vocal emotion (Scherer, Speech Communication 40, 2003); sizes are made up.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moodal.core.errors import writing
from moodal.lookalikes.words import appraisals

RATE = 16000
"""Samples per second."""

# first three resonances of five vowels, Hz
_VOWELS = np.array(
    [
        [730, 1090, 2440],
        [530, 1840, 2480],
        [270, 2290, 3010],
        [570, 840, 2410],
        [300, 870, 2240],
    ]
)


class Speaker(NamedTuple):
    """A speaker's pitch in Hz, relative vocal tract size, loudness in dB and relative tempo."""

    pitch: float
    size: float
    loudness: float
    tempo: float


def speaker(rng: np.random.Generator, *, female: bool) -> Speaker:
    """Draw a speaker with a low or high voice."""
    pitch = (200.0 if female else 115.0) * 2 ** rng.normal(0, 0.15)
    size = (1.15 if female else 1.0) * (1 + rng.normal(0, 0.04))
    return Speaker(pitch, size, rng.normal(0, 1.5), 2 ** rng.normal(0, 0.1))


def voice(
    emotion: str, who: Speaker, rng: np.random.Generator, *, intensity: float = 1.0
) -> np.ndarray:
    """Synthesise an utterance of about 1 to 2 s: [samples] float32 in [-1, 1], at 16 kHz.

    Args:
        emotion: a word of `moodal.lookalikes.words.APPRAISALS`.
        who: the speaker.
        rng: makes this utterance unlike every other.
        intensity: how strongly the emotion is shown; 0 is not at all.
    """
    noisy = intensity * np.array(appraisals(emotion)) + rng.normal(0, 0.25, 4)
    pleasant, arousal, control, novelty = noisy
    syllables = int(rng.integers(4, 8))
    beat = np.clip(4.2 * who.tempo * 2 ** (0.5 * arousal), 3, 7)  # syllables per second
    samples = int(np.clip(syllables / beat, 0.9, 2.0) * RATE)
    x = np.linspace(0, 1, samples, endpoint=False)

    semitones = (
        3 * arousal
        - 2 * control
        + (2 + 1.5 * pleasant) * np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * x + rng.uniform()))
    )
    semitones += (4 * novelty - 3) * x**2
    steady = np.interp(x, np.linspace(0, 1, 40), rng.normal(0, 1, 40))
    pitch = who.pitch * 2 ** ((semitones + (0.5 - 0.3 * control) * steady) / 12)
    turn = np.exp(2j * np.pi * np.cumsum(pitch) / RATE)

    tilt = 1.6 - 0.5 * arousal - 0.2 * control
    vowels = _VOWELS[rng.integers(0, len(_VOWELS), syllables)] * who.size * (1 + 0.06 * pleasant)
    sound, harmonic = np.zeros(samples), np.ones(samples, complex)
    centres = (np.arange(syllables) + 0.5) / syllables
    for k in range(1, int(np.clip(4000 / pitch.mean(), 8, 24)) + 1):
        near = np.exp(-(((k * pitch.mean() - vowels) / 180) ** 2)).sum(1) + 0.15
        harmonic *= turn
        sound += k**-tilt * np.interp(x, centres, near) * harmonic.imag
    sound *= (0.5 - 0.5 * np.cos(2 * np.pi * syllables * x)) ** 0.7

    level = -26 + who.loudness + 5 * arousal + 2 * control  # dB below full scale
    sound *= 10 ** (level / 20) / max(1e-6, float(np.sqrt(np.mean(sound**2))))
    sound += rng.normal(0, 0.0015, samples)
    return np.clip(sound, -0.99, 0.99).astype(np.float32)


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write [samples] float as 16-bit PCM at 16 kHz."""
    import soundfile

    content = io.BytesIO()  # a full disk is told by the file, not by the codec
    soundfile.write(content, samples, RATE, subtype="PCM_16", format="WAV")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.getvalue())
