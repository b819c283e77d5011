"""CMU-MultimodalSDK's computational sequences (``.csd``), and their alignment to words.

Zadeh et al., "Multi-attention Recurrent Network for Human Communication Comprehension", AAAI 2018;
github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK. A .csd file is an HDF5 file of one group, the name
of the sequence, with the groups ``data`` and ``metadata``. ``data`` has a group for each video
with ``features`` [T, D] and ``intervals`` [T, 2] in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from moodal.core.errors import DataError
from moodal.corpora.published.h5 import DataSets

EPSILON = 1e-5
"""Seconds: intervals that share no more do not overlap, as in the SDK."""


@dataclass(frozen=True)
class CsdEntry:
    """The steps of one video, in the order of their beginning.

    Attributes:
        intervals: [T, 2] float64, the beginning and end of each step in seconds.
        features: [T, D]; numbers, or texts [T].
    """

    intervals: np.ndarray
    features: np.ndarray


@dataclass
class Sequence:
    """One computational sequence in an open file.

    Attributes:
        file: the open file.
        name: the name of the sequence, which is that of its only group.
        keys: video -> its groups; a sequence that the SDK aligned has one for each step, such as
            ``video[3]``.
    """

    file: DataSets
    name: str = ""
    keys: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.file.names()
        if len(names) != 1 or "data" not in self.file.names(names[0]):
            raise DataError(
                f"{self.file.path} is no computational sequence: it should hold one group with "
                f"the group data in it, and holds {', '.join(names[:4]) or 'nothing'}."
            )
        self.name = names[0]
        for key in self.file.names(f"{self.name}/data"):
            self.keys.setdefault(key.partition("[")[0], []).append(key)

    @property
    def path(self) -> Path:
        """The file of the sequence."""
        return self.file.path

    def read(self, video: str) -> CsdEntry:
        """Read the steps of a video, sorted by their beginning.

        Raises:
            DataError: shapes differ, or an interval ends before it begins.
        """
        entry = self._read(video, self.file.read)
        if entry.features.ndim != 2:
            raise DataError(
                f"{self.path}, video {video}: features {entry.features.shape} are not "
                "[steps, width]; fetch the file again."
            )
        return entry

    def words(self, video: str) -> CsdEntry:
        """Read the steps of a video in a sequence of texts.

        Raises:
            DataError: as `read`.
        """
        return self._read(video, lambda key: np.array(self.file.texts(key), object))

    def _read(self, video: str, read: Callable[[str], np.ndarray]) -> CsdEntry:
        parts = []
        for key in self.keys[video]:
            place = f"{self.name}/data/{key}"
            intervals = np.asarray(self.file.read(f"{place}/intervals"), np.float64)
            features = read(f"{place}/features")
            if intervals.ndim == 1:
                intervals = intervals[None]
            self._check(key, intervals, features)
            parts.append((intervals, features))
        intervals = np.concatenate([part[0] for part in parts])
        order = np.argsort(intervals[:, 0], kind="stable")
        return CsdEntry(intervals[order], np.concatenate([part[1] for part in parts])[order])

    def _check(self, key: str, intervals: np.ndarray, features: np.ndarray) -> None:
        place = f"{self.path}, video {key}"
        if intervals.ndim != 2 or intervals.shape[1] != 2 or len(intervals) != len(features):
            raise DataError(
                f"{place}: intervals {intervals.shape} and features {features.shape} do not fit; "
                "they are [steps, 2] and [steps, width]. Fetch the file again."
            )
        if not np.isfinite(intervals).all():
            raise DataError(f"{place}: a time is not a finite number; correct or remove that step.")
        backwards = np.flatnonzero(intervals[:, 1] < intervals[:, 0] - EPSILON)
        if len(backwards):
            step = int(backwards[0])
            start, end = intervals[step]
            raise DataError(
                f"{place}, row {step + 1}: the interval runs backwards, from {start:g} s to "
                f"{end:g} s; exchange its ends or remove that row."
            )


def overlapping(interval: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """Return which intervals [T, 2] share more than `EPSILON` seconds with one interval [2]."""
    shared = np.minimum(intervals[:, 1], interval[1]) - np.maximum(intervals[:, 0], interval[0])
    return np.asarray(shared > EPSILON)


def word_means(words: np.ndarray, entry: CsdEntry) -> tuple[np.ndarray, np.ndarray]:
    """Average the frames that overlap each word, as the SDK aligns with a mean.

    A frame counts wholly, however little of it lies in the word. A word without any frame gets
    zeros, as the SDK imputes them.

    Args:
        words: [W, 2], the interval of each word in seconds.
        entry: the frames, sorted by their beginning.

    Returns:
        The means [W, D] float32, and which words have frames [W].
    """
    starts, ends = entry.intervals[:, 0], np.maximum.accumulate(entry.intervals[:, 1])
    means = np.zeros((len(words), entry.features.shape[1]), np.float32)
    present = np.zeros(len(words), bool)
    for number, word in enumerate(words):
        # sorted, so only these can overlap
        first, last = np.searchsorted(ends, word[0]), np.searchsorted(starts, word[1])
        chosen = overlapping(word, entry.intervals[first:last])
        if chosen.any():
            frames = entry.features[first:last][chosen]
            with np.errstate(invalid="ignore"):  # inf - inf, which is counted afterwards
                means[number] = frames.mean(0, dtype=np.float64)
            present[number] = True
    return means, present
