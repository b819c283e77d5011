"""The part of a recording that is heard as one utterance: from its first speech to its last.

Training and evaluation (`Spoken`, `spoken`) and prediction (`utterance_extent`, since it streams)
share this definition and the detector of speech. So a network learns from what it will hear:
corpora leave half a second or more of their rooms around each sentence, which tells rooms apart
and nothing else. Where no speech is found, a cry is heard in its place (`cry_extent`), and if there
is none either, all of the sound. (Prediction cuts longer recordings at pauses, too.) The detector's
version is no part of the fingerprint: another one moves the ends by hundredths of a second, and is
no reason to refuse an artefact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from moodal.core.records import RATE, Sound
from moodal.modalities.encoder import Item
from moodal.modalities.speech.cry import cry_extent
from moodal.modalities.speech.samples import Wave, samples_of
from moodal.modalities.speech.segment import Span, speech_spans

SHORTEST = 0.02
"""Seconds of sound below which there is nothing to judge."""

QUIET = 1e-4
"""The highest sample of what is silence."""


@dataclass(frozen=True)
class Spoken(Wave):
    """Samples [T, 1] without the silence before and after the speech."""

    name: ClassVar[str] = "spoken"

    def encode(self, item: Item) -> np.ndarray:
        """Return the samples [T, 1] float32 of a clip's speech, or of the speech in samples [n].

        Raises:
            DataError: the clip cannot be read.
        """
        samples = samples_of(item)
        if isinstance(item, Sound) and item.speech is not None:
            return super().encode(cut(samples, item.speech))
        return super().encode(spoken(samples))


def utterance_extent(speech: Sequence[Span], seconds: float) -> Span:
    """Return the part of one utterance that is heard: from its first speech to its last.

    Args:
        speech: what `moodal.modalities.speech.segment.speech_spans` finds in it.
        seconds: its length; all of it is heard where no speech is found.
    """
    return Span(speech[0].start, speech[-1].end) if speech else Span(0.0, seconds)


def voice_extent(samples: np.ndarray) -> tuple[tuple[float, float], bool]:
    """Find the part of samples [n] at 16 kHz that is heard, in seconds, and whether it is a cry."""
    spans = speech_spans([(0.0, samples)])
    cry = None if spans else cry_extent(samples)
    extent = cry or utterance_extent(spans, len(samples) / RATE)
    return (extent.start, extent.end), cry is not None


def spoken(samples: np.ndarray) -> np.ndarray:
    """Cut samples [n] at 16 kHz to the part that `voice_extent` gives."""
    return cut(samples, voice_extent(samples)[0])


def cut(samples: np.ndarray, seconds: tuple[float, float]) -> np.ndarray:
    """Cut samples [n] at 16 kHz to those from one second to another."""
    first, last = seconds
    return samples[round(first * RATE) : round(last * RATE)]


def audible(samples: np.ndarray) -> bool:
    """Return whether samples [n] at 16 kHz are long and loud enough to be judged."""
    if len(samples) < SHORTEST * RATE:
        return False
    return not is_silent(max(float(samples.max()), -float(samples.min())))


def is_silent(peak: float) -> bool:
    """Return whether a sound is silence, by its highest absolute sample."""
    return peak <= QUIET
