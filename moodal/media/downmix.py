"""Downmix: one channel of any number of channels, without losing what a plain mean would lose.

A mean over channels is silent where one channel is another with its sign turned, and quiet where
most channels are empty (speech in the centre of 5.1). So channels that are empty do not count, and
channels of opposite phase are turned before they are averaged. Both are decided every `HOP`
seconds from what was heard so far, so a file, an array and a live stream give the same samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

HOP = 0.1
"""Seconds between two decisions."""
MEMORY = 10.0
"""Seconds after which what was heard counts for 1/e in a decision."""
EMPTY = 1e-5
"""A channel with less than this part of the loudest channel's energy does not count (-50 dB)."""
OPPOSITE = -0.9
"""A channel whose correlation with the loudest one is lower is turned."""

OFFSET_SECONDS = 2.0
"""The first seconds of a recording, in which a constant offset is sought."""
OFFSET = 0.004
"""The least offset that is removed (full scale 1): less than what changes answers."""
FEWEST, CLEAR = 10, 5.0
"""An offset shows in at least so many stretches of `HOP` seconds, and is so many times larger than
the median deviation of their means: short noises and low voices have a mean, too."""


class Downmix:
    """Samples of several channels into those of one, piece by piece.

    Attributes:
        notes: one sentence for each thing that was mended.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._waiting = np.zeros((0, 0), np.float32)
        self._rate = 0
        self._covariance = np.zeros((0, 0))
        self._weights = np.zeros(0)

    def mixed(self, pieces: Iterable[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the pieces [n, channels] as [n]; pieces of one channel pass as they are."""
        for rate, samples in pieces:
            yield from self.take(rate, samples)
        yield from self.finish()

    def take(self, rate: int, samples: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield what the next piece [n, channels] completes."""
        channels = samples.shape[1]
        if (rate, channels) != (self._rate, self._waiting.shape[1]):
            yield from self.finish()
            self._begin(rate, channels)
        if channels == 1:
            yield rate, samples[:, 0]
            return
        self._waiting = np.concatenate([self._waiting, samples])
        size = max(1, round(rate * HOP))
        whole = len(self._waiting) // size * size
        if whole:
            yield rate, self._mix(self._waiting[:whole].reshape(-1, size, channels))
            self._waiting = self._waiting[whole:]

    def _begin(self, rate: int, channels: int) -> None:
        self._rate, self._waiting = rate, np.zeros((0, channels), np.float32)
        self._covariance = np.zeros((channels, channels))
        self._weights = np.zeros(0)

    def finish(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the rest, when no piece follows."""
        if len(self._waiting):
            rest, self._waiting = self._waiting, self._waiting[:0]
            yield self._rate, self._mix(rest[None])

    def _mix(self, hops: np.ndarray) -> np.ndarray:
        """Mix hops [k, size, channels] into [k x size] samples."""
        energy = np.einsum("ktc,ktd->kcd", hops, hops, dtype=np.float64)
        keep = np.exp(-HOP / MEMORY)
        mixed = np.empty(hops.shape[:2], np.float32)
        for k, (hop, own) in enumerate(zip(hops, energy, strict=True)):
            self._covariance = keep * self._covariance + own
            weights = self._decide()
            if not len(self._weights):
                self._weights = weights
            if np.array_equal(weights, self._weights):
                mixed[k] = hop @ weights
            else:
                fade = np.linspace(0, 1, len(hop), endpoint=False)[:, None]
                mixed[k] = (hop * ((1 - fade) * self._weights + fade * weights)).sum(1)
            self._weights = weights
        return mixed.reshape(-1)

    def _decide(self) -> np.ndarray:
        """Return the weight [channels] of each channel from what was heard so far."""
        energies = self._covariance.diagonal()
        count = len(energies)
        loudest = int(energies.argmax())
        if not energies[loudest]:
            return np.full(count, 1 / count, np.float32)
        counts = energies > EMPTY * energies[loudest]
        scale = np.sqrt(energies * energies[loudest])
        correlations = self._covariance[loudest] / np.where(scale > 0, scale, 1)
        signs = np.where(counts & (correlations < OPPOSITE), -1.0, 1.0)
        if (signs < 0).any():
            self._note("channels of opposite phase were turned before they were averaged")
        return np.asarray(signs * counts / counts.sum(), np.float32)

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


class Offset:
    """The removal of a constant offset (DC), which a detector of speech would hear as noise.

    Attributes:
        notes: a sentence if an offset was removed.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._waiting: list[tuple[int, np.ndarray]] = []
        self._offset: float | None = None

    def removed(self, pieces: Iterable[tuple[int, np.ndarray]]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield pieces [n] without the offset that the first `OFFSET_SECONDS` show."""
        for rate, samples in pieces:
            yield from self.take(rate, samples)
        yield from self.finish()

    def take(self, rate: int, samples: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the next piece [n], from when on the offset is known."""
        if self._offset is not None:
            yield rate, self._without(samples, self._offset)
            return
        self._waiting.append((rate, samples))
        if sum(len(own) for _, own in self._waiting) >= OFFSET_SECONDS * rate:
            yield from self.finish()

    def finish(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the pieces that wait for the offset to be known."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        self._offset = offset = self._estimated(waiting)
        yield from ((at, self._without(own, offset)) for at, own in waiting)

    def _estimated(self, pieces: list[tuple[int, np.ndarray]]) -> float:
        """Return the median of the means of short stretches, 0 where it is small."""
        rate = pieces[0][0]
        samples = np.concatenate([own for _, own in pieces])[: round(OFFSET_SECONDS * rate)]
        size = max(1, round(rate * HOP))
        whole = len(samples) // size * size
        means = samples[:whole].reshape(-1, size).mean(1, dtype=np.float64)
        if len(means) < FEWEST:
            return 0.0
        median = float(np.median(means))
        spread = float(np.median(np.abs(means - median)))
        if abs(median) <= max(OFFSET, CLEAR * spread):
            return 0.0
        self.notes.append(f"a constant offset of {median:.3f} of full scale was removed")
        return median

    def _without(self, samples: np.ndarray, offset: float) -> np.ndarray:
        return samples - np.float32(offset) if offset else samples
