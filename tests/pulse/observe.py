"""The modality of the pulse: how fast the heart beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from moodal.core.records import Clip, ModalityInfo
from moodal.modalities.modality import Absent, Division, Modality, Observed, Part, Window
from pulse.beats import read_beats


@dataclass(frozen=True)
class ObservedBeats(Observed):
    """The seconds [n] of the beats of an utterance."""

    def divide(self, steps: int) -> Division | None:
        """Assign each step to its interval between two beats."""
        beats = np.asarray(self.item)
        if steps != len(beats) - 1:
            return None
        pairs = zip(beats.tolist(), beats.tolist()[1:], strict=False)
        return Division(tuple(Part(*pair) for pair in pairs), np.arange(steps))


class Pulse(Modality):
    """The heartbeats during an utterance, from a table."""

    info: ClassVar[ModalityInfo] = ModalityInfo("pulse", "heartbeat", "#AA3377", "+", "table")

    def observe(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe the beats of a window; absent without a table, or with fewer than two."""
        table = window.media.get("pulse")
        if not isinstance(table, Clip):
            return Absent("no table of beats")
        start = table.start if window.start is None else window.start
        end = table.end if window.end is None else window.end
        beats = read_beats(Clip(table.path, start, end))
        if len(beats) < 2:
            return Absent("fewer than two beats")
        rate = 60 * (len(beats) - 1) / (beats[-1] - beats[0])
        return [ObservedBeats(beats, {"rate_per_minute": float(rate)})]
