"""A voice that spells: every letter is a pair of tones of its own, so sound can be read back.

Beneath the tones hums the voice of a speaker, whose pitch, loudness and tempo follow the
emotion, as those of `moodal.lookalikes.voice` do. Nothing in the tones depends on the
emotion and nothing in the hum on the words, but for the tempo, which both share.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from moodal.lookalikes.voice import RATE, Speaker
from moodal.lookalikes.words import appraisals

ALPHABET = "ETAONIHSRDLUMWCFGYPBVK'XJQZ"
"""What can be spelt; of a text, other characters are left out."""

TONES = 1150 * 1.19 ** np.arange(8)
"""Eight tones, about three semitones apart, from 1150 to 3890 Hz: 28 pairs."""

PAIRS = dict(zip(ALPHABET, combinations(range(8), 2), strict=False))
"""Letter -> its two tones."""

LETTER = 0.068
"""Seconds that a letter takes at a calm pace; a sixth of it is silent. A space is 0.8 of it."""

FAITHFUL = 0.8
"""Chance that a voice shows the emotion of the label. Voices vary enough already."""


def spelt(text: str) -> str:
    """Return the letters of ``text`` that can be spelt, and single spaces.

    >>> spelt("Well -- it’s 10!")
    "WELL IT'S"
    """
    kept = (c if c in ALPHABET else " " * (c in " -") for c in text.upper().replace("’", "'"))
    return " ".join("".join(kept).split())


def speech(
    text: str, emotion: str, who: Speaker, rng: np.random.Generator, *, intensity: float = 1.0
) -> np.ndarray:
    """Spell ``text``: [samples] float32 in [-1, 1], at 16 kHz; about 14 letters per second.

    Args:
        text: at least one letter of `ALPHABET` sounds; of a text without, a short hum is left.
        emotion: a word of `moodal.lookalikes.words.APPRAISALS`.
        who: the speaker.
        rng: makes this utterance unlike every other.
        intensity: how strongly the emotion is shown; 0 is not at all.
    """
    shown = intensity * np.array(appraisals(emotion)) + rng.normal(0, 0.25, 4)
    letters = spelt(text)
    pace = float(np.clip(who.tempo * 2 ** (0.45 * shown[1]), 0.7, 1.5))
    spans = np.array([LETTER * (0.8 if c == " " else 1.0) / pace for c in letters])
    spans *= rng.uniform(0.92, 1.08, len(spans))
    ends = np.cumsum([0.08, *spans])
    samples = int((ends[-1] + 0.08) * RATE)
    tones = _tones(letters, ends, samples, who)
    hum = _hum(letters, ends, samples, who, shown, rng)
    sound = tones + hum
    level = -26 + who.loudness + 5 * shown[1] + 2 * shown[2]  # dB below full scale
    sound *= 10 ** (level / 20) / max(1e-6, float(np.sqrt(np.mean(sound**2))))
    sound += rng.normal(0, 0.001, samples)
    return np.clip(sound, -0.99, 0.99).astype(np.float32)


def _tones(letters: str, ends: np.ndarray, samples: int, who: Speaker) -> np.ndarray:
    """Synthesise the tone pair of each letter, [samples]; the vocal tract shifts the tones."""
    sound = np.zeros(samples)
    shift = 1 + 0.1 * (who.size - 1.07)  # by a tenth of the distance between tones
    for letter, start, end in zip(letters, ends[:-1], ends[1:], strict=True):
        if letter == " ":
            continue
        first, last = int(start * RATE), int(start * RATE + (end - start) * RATE * 5 / 6)
        time = np.arange(last - first) / RATE
        swell = np.minimum(1, np.minimum(time, time[::-1]) / 0.006)
        low, high = TONES[list(PAIRS[letter])] * shift
        sound[first:last] = swell * (
            np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
        )
    return sound


def _hum(
    letters: str,
    ends: np.ndarray,
    samples: int,
    who: Speaker,
    shown: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Synthesise the first harmonics of the pitch below the tones, [samples], word by word."""
    pleasant, arousal, control, novelty = shown
    x = np.linspace(0, 1, samples, endpoint=False)
    semitones = (
        3 * arousal
        - 2 * control
        + (2 + 1.5 * pleasant) * np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * x + rng.uniform()))
        + (4 * novelty - 3) * x**2
    )
    steady = np.interp(x, np.linspace(0, 1, 40), rng.normal(0, 1, 40))
    pitch = np.clip(who.pitch * 2 ** ((semitones + (0.5 - 0.3 * control) * steady) / 12), 60, 450)
    turn = np.exp(2j * np.pi * np.cumsum(pitch) / RATE)
    tilt = 1.4 - 0.5 * arousal - 0.2 * control
    hum, harmonic = np.zeros(samples), np.ones(samples, complex)
    for k in range(1, int(np.clip(900 // float(pitch.max()), 2, 6)) + 1):
        harmonic *= turn
        hum += k**-tilt * harmonic.imag
    half = int(0.06 * RATE)
    gap = 1 - 0.7 * np.exp(-((np.arange(-half, half) / (0.02 * RATE)) ** 2))
    for letter, start in zip(letters, ends[:-1], strict=True):
        if letter == " ":
            first = int((start + 0.02) * RATE) - half
            hum[first : first + 2 * half] *= gap
    hum *= 1.2 * np.minimum(1, np.minimum(x, 1 - x) / 0.03)
    return hum
