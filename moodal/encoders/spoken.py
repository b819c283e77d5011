"""The samples of a clip from its first speech to its last, by the detector of prediction.

What a network learns from is then what it will hear: corpora leave half a second or more of
their rooms around each sentence, which tells rooms apart and nothing else. (Prediction cuts
longer recordings at pauses, too.) The detector's version is no part of the fingerprint: another
one moves the ends by hundredths of a second, and is no reason to refuse an artefact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from moodal.encoders.segment import RATE, speech_spans
from moodal.encoders.wave import Wave


@dataclass(frozen=True)
class Spoken(Wave):
    """As `moodal.encoders.wave.Wave`, [T, 1], less the silence before and after the speech."""

    name: ClassVar[str] = "spoken"

    def encode_samples(self, audio: np.ndarray) -> np.ndarray:
        """Samples [T, 1] of ``audio`` [samples], 16,000 a second, in [-1, 1]."""
        return super().encode_samples(spoken(audio))


def spoken(samples: np.ndarray) -> np.ndarray:
    """[samples] at 16 kHz from the first to the last speech in them; all of them where the
    detector finds none."""
    spans = speech_spans([(0.0, samples)])
    if not spans:
        return samples
    return samples[round(spans[0].start * RATE) : round(spans[-1].end * RATE)]
