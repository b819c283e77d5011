"""The modality of the voice: how something is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from moodal.core.records import BUILT_IN, RATE, ModalityInfo, Sound
from moodal.modalities.modality import Absent, Division, Modality, Observed, Part, Window
from moodal.modalities.speech.quality import flags, sound_quality
from moodal.modalities.speech.spoken import audible, cut, speech_extent

SECOND = 1.0
"""Length of the stretches of speech whose shares are shown."""


@dataclass(frozen=True)
class ObservedSpeech(Observed):
    """The samples of an utterance, which begin at second ``start`` and last ``seconds``."""

    start: float = 0.0
    seconds: float = 0.0

    def divide(self, steps: int) -> Division | None:
        """Assign the states of a network, which are equally far apart, to seconds.

        A network that gives fewer, such as one for the whole utterance, says nothing of seconds.
        """
        if not self.seconds or steps * SECOND < self.seconds:
            return None
        rate = max(1, round(SECOND * steps / self.seconds))
        parts = tuple(
            Part(
                self.start + min(first / rate, self.seconds),
                self.start + min((first + rate) / rate, self.seconds),
            )
            for first in range(0, steps, rate)
        )
        return Division(parts, np.arange(steps) // rate)


class Speech(Modality):
    """The voice in an utterance."""

    info: ClassVar[ModalityInfo] = BUILT_IN["speech"]
    encoder: ClassVar[str] = "egemaps"

    def observe(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe the sound of a window; absent where nobody speaks, or too short or quietly."""
        if window.sound is None:
            return Absent("no sound")
        if not window.spoken:
            return Absent("no speech")
        extent = window.sound.speech or speech_extent(window.sound.samples)
        samples = cut(window.sound.samples, extent)
        if not audible(samples):
            return Absent("too short or too quiet")
        quality = sound_quality(samples, RATE)
        remarks = tuple(f"Speech: {flag}." for flag in flags(quality))
        start = (window.start or 0.0) + extent[0]
        sound = Sound(window.sound.samples, extent)
        seconds = len(samples) / RATE
        return [ObservedSpeech(sound, quality, remarks, start=start, seconds=seconds)]
