"""The modality of the voice: how something is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from moodal.core.records import RATE, ModalityInfo
from moodal.modalities.modality import Absent, Division, Modality, Observed, Part, Window
from moodal.modalities.speech.quality import flags, sound_quality

SHORTEST = 0.02
"""Seconds of sound below which there is nothing to judge."""

QUIET = 1e-4
"""The highest sample of what is silence."""

SECOND = 1.0
"""Length of the stretches of speech whose shares are shown."""


@dataclass(frozen=True)
class ObservedSpeech(Observed):
    """The samples of an utterance, which begin at second ``start`` and last ``seconds``."""

    start: float = 0.0
    seconds: float = 0.0

    def divide(self, steps: int) -> Division | None:
        """Assign the states of a network, which are equally far apart, to seconds."""
        if not steps or not self.seconds:
            return None
        ends = np.arange(SECOND, self.seconds + SECOND, SECOND)
        middle = (np.arange(steps) + 0.5) * self.seconds / steps
        places = np.minimum(np.searchsorted(ends, middle, side="right"), len(ends) - 1)
        parts = tuple(
            Part(self.start + end - SECOND, self.start + min(end, self.seconds)) for end in ends
        )
        return Division(parts, places)


class Speech(Modality):
    """The voice in an utterance."""

    info: ClassVar[ModalityInfo] = ModalityInfo("speech", "voice", "#E69F00", "s", "sound")

    def observe(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe the sound of a window; absent where nobody speaks, or too short or quietly."""
        if window.sound is None:
            return Absent("no sound")
        if not window.spoken:
            return Absent("no speech")
        first, last = window.sound.speech or (0.0, len(window.sound.samples) / RATE)
        samples = window.sound.samples[round(first * RATE) : round(last * RATE)]
        if len(samples) < SHORTEST * RATE or np.abs(samples).max() <= QUIET:
            return Absent("too short or too quiet")
        quality = sound_quality(samples, RATE)
        remarks = tuple(f"Speech: {flag}." for flag in flags(quality))
        start = (window.start or 0.0) + first
        observed = ObservedSpeech(window.sound, quality, remarks, start=start, seconds=last - first)
        return [observed]
