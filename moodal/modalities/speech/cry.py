"""Cries: voices that the detector of speech misses, in recordings that are short and loud.

A scream is higher than speech, and the detector learned speech. Played slower, its pitch lies
where the detector hears voices; noise, music and tones stay none. So a recording without speech
that is short and loud is tried again a fifth and an octave lower.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from moodal.core.records import RATE
from moodal.modalities.speech.segment import CHUNK, PAD, STEP, Span, speech_spans

LONGEST = 8.0
"""The longest recording, in seconds, that may be one cry; longer ones hold music and machines."""

LOUD = 0.03
"""The least root mean square of the loudest `CHUNK`, -30 dB of full scale."""

LOWER = (1.5, 2.0)
"""How many times slower the sound is tried: a fifth and an octave lower."""

LEAST = 0.4
"""Seconds of voice, as recorded, that make a cry: a steady tone may pass for less."""


RANGE = 25.0
"""dB below the loudest `CHUNK` within which sound belongs to the cry."""


def cry_extent(samples: np.ndarray) -> Span | None:
    """Find the cry in samples [n] at 16 kHz in which no speech was found.

    Returns:
        The seconds from its first loud sound to its last, with `PAD` around; None if the sound is
        longer than `LONGEST`, quieter than `LOUD`, or no voice at a lower pitch either.
    """
    if not CHUNK <= len(samples) <= LONGEST * RATE:
        return None
    loudness = _loudness(samples)
    if loudness.max() < LOUD or not any(_is_voice(samples, factor) for factor in LOWER):
        return None
    loud = np.flatnonzero(loudness >= loudness.max() * 10 ** (-RANGE / 20))
    first, last = float(loud[0]) * STEP, float(loud[-1] + 1) * STEP
    return Span(max(0.0, first - PAD), min(last + PAD, len(samples) / RATE))


def _is_voice(samples: np.ndarray, factor: float) -> bool:
    """Return whether sound is a voice when it is played so many times slower."""
    spans = speech_spans([(0.0, _slower(samples, factor))])
    return sum(span.end - span.start for span in spans) >= LEAST * factor


def _loudness(samples: np.ndarray) -> np.ndarray:
    """Return the root mean square of each whole chunk."""
    chunks = samples[: len(samples) // CHUNK * CHUNK].reshape(-1, CHUNK)
    return np.sqrt(np.square(chunks, dtype=np.float64).mean(1))


def _slower(samples: np.ndarray, factor: float) -> np.ndarray:
    """Resample sound so that it lasts ``factor`` times as long at the same rate."""
    count = round(len(samples) * factor)
    places = np.arange(count) / factor
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


@dataclass
class CryFinder:
    """The beginning of a streamed recording, as long as it may be a cry.

    Attributes:
        possible: whether all of the sound so far may be one cry.
    """

    possible: bool = True
    _blocks: list[np.ndarray] = field(default_factory=list)
    _reached: int = 0

    def hear(self, start: float, samples: np.ndarray) -> None:
        """Keep samples [n] at 16 kHz from second ``start``; a gap or too long a sound ends it."""
        if not self.possible:
            return
        self._blocks.append(samples)
        gap = abs(start * RATE - self._reached) > CHUNK
        self._reached += len(samples)
        if gap or self._reached > LONGEST * RATE:
            self.end()

    def end(self) -> None:
        """Give up, because speech was found."""
        self.possible = False
        self._blocks.clear()

    def finish(self) -> Span | None:
        """Return the cry at the end of the sound, if it is one."""
        samples = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)
        self.end()
        return cry_extent(samples)
