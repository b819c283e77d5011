"""Encoder of sound as eGeMAPS low-level descriptors: 25 acoustic values per step, by openSMILE.

Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice
Research and Affective Computing", IEEE TAC 7(2), 2016; set eGeMAPSv02. openSMILE's
licence allows research and other non-commercial use only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.records import RATE
from moodal.modalities.encoder import Encoder, Item, package_folder, specification
from moodal.modalities.speech.samples import check_samples, samples_of

STEPS = 100.0
"""Steps per second of openSMILE."""
SHORTEST = 960
"""Samples of openSMILE's shortest input: one 60 ms window for the pitch."""


@dataclass(frozen=True)
class Egemaps(Encoder):
    """openSMILE's 25 eGeMAPSv02 low-level descriptors, averaged into ``rate`` frames per second.

    They are loudness, spectral shape, spectral flux, MFCC 1-4, F0 (semitones from 27.5 Hz),
    jitter, shimmer, HNR, harmonic differences and formants 1-3, smoothed over three steps. As in
    openSMILE, values of voiced speech are 0 (formant amplitudes -201) in unvoiced steps, and
    averages include these steps, so a frame shows how much of it was voiced. Silence is appended
    to a clip below 60 ms. Every clip has at least one frame; the last may average fewer steps.

    Attributes:
        rate: frames per second, above 0, at most 100.
    """

    rate: float = 10.0
    name: ClassVar[str] = "egemaps"
    stream: ClassVar[str] = "speech"
    width: ClassVar[int] = 25

    def __post_init__(self) -> None:
        if not 0 < self.rate <= STEPS:
            raise UsageError(
                f"Encoder egemaps: rate is in frames a second, above 0 and at most "
                f"{STEPS:g}; got {self.rate:g}."
            )

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        package_folder("opensmile")
        return specification(self, packages=["opensmile"])

    def check(self, item: Item) -> None:
        """Raise DataError if the clip is missing, unreadable, or shorter than its span."""
        check_samples(item)

    def encode(self, item: Item) -> np.ndarray:
        """Return frames [T, 25] float32 of a clip or samples [n]; T is about seconds times rate.

        Raises:
            DataError: the clip cannot be read.
        """
        audio = samples_of(item)
        audio = np.pad(audio, (0, max(0, SHORTEST - len(audio))))
        steps = _smile()(audio, RATE)[0].T
        frame = (np.arange(len(steps)) * (self.rate / STEPS) + 1e-9).astype(np.int64)
        starts = np.flatnonzero(np.diff(frame, prepend=-1))
        sums = np.add.reduceat(steps, starts, axis=0, dtype=np.float64)
        means = sums / np.diff(starts, append=len(steps))[:, None]
        return np.nan_to_num(means, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)


@cache
def _smile() -> Any:
    """Load the extractor, once per process; no state passes from one clip to the next."""
    package_folder("opensmile")
    import opensmile

    return opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors
    )
