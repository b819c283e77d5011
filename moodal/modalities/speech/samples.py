"""The samples themselves, for a speech network whose front-end runs within the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.records import RATE, Clip
from moodal.media.audio import check_audio, read_audio
from moodal.modalities.encoder import specification


@dataclass(frozen=True)
class Wave:
    """A clip's samples at 16 kHz, one a step: [T, 1] float32 in [-1, 1].

    Attributes:
        longest: samples that are read; the rest is cut off (MMER's paper: 210,000, 13.1 s).
    """

    longest: int = 210_000
    name: ClassVar[str] = "wave"
    stream: ClassVar[str] = "speech"
    width: ClassVar[int] = 1
    rate: ClassVar[float] = float(RATE)

    def __post_init__(self) -> None:
        if self.longest < 1:
            raise UsageError(
                f"Encoder {self.name}: longest is in samples, 1 or more; got {self.longest}."
            )

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return specification(self, packages=[])

    def check(self, item: Clip) -> None:
        """Raise DataError if the clip is missing, unreadable, or shorter than its span."""
        check_audio(item.path, item.start, item.end)

    def encode(self, item: Clip) -> np.ndarray:
        """Samples [T, 1] float32 of a clip.

        Raises:
            DataError: the clip cannot be read.
        """
        audio = read_audio(item.path, rate=RATE, start=item.start, end=item.end)
        return self.encode_samples(audio)

    def encode_samples(self, audio: np.ndarray) -> np.ndarray:
        """The same of ``audio`` [samples], 16,000 a second, in [-1, 1]."""
        return np.ascontiguousarray(audio[: self.longest, None], np.float32)
