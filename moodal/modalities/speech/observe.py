"""The modality of the voice: how something is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from moodal.core.records import BUILT_IN, RATE, ModalityInfo, Sound
from moodal.modalities.modality import Absent, Division, Modality, Observed, Part, Window
from moodal.modalities.speech.quality import flags, sound_quality
from moodal.modalities.speech.spoken import audible, cut, voice_extent

SECOND = 1.0
"""Length of the stretches of speech whose shares are shown."""


WINDOW = 2.0
"""Seconds of sound around the middle of a part of an utterance by which the part is judged."""

INDEPENDENT = 1.0
"""Seconds of voice that count as much as one window by itself: windows of 2 s overlap, but not all
in them is the same. Learned together with `moodal.model.chain.SWITCH` (benchmarks/slices.py)."""

CRY = "No speech was found; the sound was judged as a cry."
"""The flag of an utterance without detected speech."""


@dataclass(frozen=True)
class ObservedSpeech(Observed):
    """The samples of an utterance, which begin at second ``start`` and last ``seconds``."""

    start: float = 0.0
    seconds: float = 0.0

    def divide(self, steps: int, places: Sequence[int] | None = None) -> Division | None:
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

    @property
    def windows(self) -> float | None:
        """The number of windows that the utterance is worth, 1 or more."""
        return max(1.0, self.seconds / INDEPENDENT)

    def during(self, start: float, end: float) -> Observed | Absent:
        """Observe `WINDOW` seconds of the voice around the middle of a part of the utterance.

        The window ends where the voice ends. Quality and flags stay the utterance's.
        """
        assert isinstance(self.item, Sound)
        assert self.item.speech is not None
        first, last = self.item.speech
        zero = self.start - first
        if start >= zero + last or end <= self.start:
            return Absent("no speech")
        middle = (start + end) / 2 - zero
        extent = (max(first, middle - WINDOW / 2), min(last, middle + WINDOW / 2))
        samples = cut(self.item.samples, extent)
        if not audible(samples):
            return Absent("too short or too quiet")
        seconds = len(samples) / RATE
        sound = Sound(samples, (0.0, seconds), self.item.cry)
        return replace(self, item=sound, start=zero + extent[0], seconds=seconds)


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
        extent, cry = window.sound.speech, window.sound.cry
        if extent is None:
            extent, cry = voice_extent(window.sound.samples)
        samples = cut(window.sound.samples, extent)
        if not audible(samples):
            return Absent("too short or too quiet")
        quality = sound_quality(samples, RATE)
        remarks = (CRY,) * cry + tuple(f"Speech: {flag}." for flag in flags(quality))
        start = (window.start or 0.0) + extent[0]
        sound = Sound(window.sound.samples, extent, cry)
        seconds = len(samples) / RATE
        return [ObservedSpeech(sound, quality, remarks, start=start, seconds=seconds)]
