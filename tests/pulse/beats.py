"""Beats: the times of heartbeats as features, one step for each interval between two beats."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.records import Clip
from moodal.modalities.encoder import Encoder, Item, specification


def read_beats(clip: Clip) -> np.ndarray:
    """Read the seconds [n] of the beats within a clip of a csv file with a column ``seconds``.

    Raises:
        DataError: it is no such file.
    """
    try:
        with open(clip.path, newline="", encoding="utf-8") as file:
            seconds = np.array([float(row["seconds"]) for row in csv.DictReader(file)])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{clip.path} is no table of beats ({error}).") from None
    low = -np.inf if clip.start is None else clip.start
    high = np.inf if clip.end is None else clip.end
    return np.sort(seconds[(seconds >= low) & (seconds < high)])


@dataclass(frozen=True)
class Beats(Encoder):
    """The rate between two beats, in hundreds a minute, and its change: [T, 2]."""

    name: ClassVar[str] = "beats"
    stream: ClassVar[str] = "pulse"
    width: ClassVar[int] = 2
    rate: ClassVar[None] = None

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return specification(self, packages=[])

    def encode(self, item: Item) -> np.ndarray:
        """Encode a clip of a table, or the seconds [n] of beats.

        Raises:
            DataError: the table cannot be read.
            UsageError: the item is neither.
        """
        if isinstance(item, Clip):
            item = read_beats(item)
        if not isinstance(item, np.ndarray):
            raise UsageError(f"Encoder beats reads beats; got {type(item).__name__}.")
        rates = 0.6 / np.diff(item)
        changes = np.diff(rates, prepend=rates[:1])
        return np.stack([rates, changes], 1).astype(np.float32)
