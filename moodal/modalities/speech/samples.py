"""Encoder of sound as its samples, for a speech network that runs within the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.records import RATE, Sound
from moodal.media.audio import check_audio, read_audio
from moodal.modalities.encoder import Encoder, Item, specification


@dataclass(frozen=True)
class SampleEncoder(Encoder):
    """The base class of encoders that compute from samples alone, without a package or weights."""

    stream: ClassVar[str] = "speech"

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return specification(self, packages=[])

    def check(self, item: Item) -> None:
        """Raise DataError if the clip is missing, unreadable, or shorter than its span."""
        check_samples(item)


@dataclass(frozen=True)
class Wave(SampleEncoder):
    """The samples of a clip at 16 kHz, one per step: [T, 1] float32 in [-1, 1].

    Attributes:
        longest: samples that are kept; the rest is cut off (MMER's paper: 210,000, 13.1 s).
    """

    longest: int = 210_000
    name: ClassVar[str] = "wave"
    width: ClassVar[int] = 1
    rate: ClassVar[float] = float(RATE)

    def __post_init__(self) -> None:
        if self.longest < 1:
            raise UsageError(
                f"Encoder {self.name}: longest is in samples, 1 or more; got {self.longest}."
            )

    def encode(self, item: Item) -> np.ndarray:
        """Return the samples [T, 1] float32 of a clip, or of samples [n].

        Raises:
            DataError: the clip cannot be read.
        """
        return np.ascontiguousarray(samples_of(item)[: self.longest, None], np.float32)


def samples_of(item: Item) -> np.ndarray:
    """Return the samples [n] of an item at 16 kHz; a clip is read, an array returned unchanged.

    Raises:
        DataError: the clip cannot be read, or the array is not [n].
        UsageError: it is a text.
    """
    if isinstance(item, str):
        raise UsageError("This encoder reads sound; got a text. Give a Clip or samples [n].")
    if isinstance(item, Sound):
        return item.samples
    if isinstance(item, np.ndarray):
        if item.ndim != 1:
            raise DataError(f"Samples of one channel are [n]; got {list(item.shape)}.")
        return item
    return read_audio(item.path, rate=RATE, start=item.start, end=item.end)


def check_samples(item: Item) -> None:
    """Raise DataError if a clip is missing, unreadable, or shorter than its span."""
    if not isinstance(item, str | Sound | np.ndarray):
        check_audio(item.path, item.start, item.end)
