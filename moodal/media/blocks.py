"""Sound in blocks at one rate, one after the other, in bounded memory.

Three hours need no more memory than three minutes. The samples are those of
`moodal.media.audio.read_audio`, but of a damaged file all that can be decoded is yielded, and
the caller learns of the damage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moodal.core.errors import DataError
from moodal.core.records import RATE
from moodal.media.decoder import decode, gain_of, mixed, scaled
from moodal.media.samples import CHUNK, Damage, Piece, Track, as_float

ENVELOPE = 100
"""Stretches a second of the drawn waveform, at most."""
STRETCH = RATE // ENVELOPE
"""Samples of one of them."""
DRAWN = 4000
"""Stretches of the drawn waveform of a whole recording, at most."""


class Block(NamedTuple):
    """Consecutive samples [n] float32 in [-1, 1], from second ``start`` of the recording."""

    start: float
    samples: np.ndarray


def blocks(
    path: Path | str,
    rate: int = 16000,
    seconds: float = 30.0,
    start: float | None = None,
    end: float | None = None,
    *,
    track: Track = None,
    channel: int | None = None,
    on_damage: Callable[[str], None] | None = None,
) -> Iterator[Block]:
    """Yield the sound of a file block by block; blocks lie end to end.

    Times count from the file's beginning; sound that starts late, and gaps in it, are silence.
    Errors come when the first block is asked for.

    Args:
        path: any file with sound that libsndfile or FFmpeg reads.
        rate: samples per second wanted.
        seconds: length of a block; the last may be shorter.
        start: second from which, None for the beginning.
        end: second until which, None for the end; one past the end is taken as the end.
        track: the sound track of a file with several: its number from 1, or its language; None:
            the one that the file marks as its default, or the first.
        channel: one channel of it, from 0; None: all of them, mixed.
        on_damage: called with one sentence for each kind of damage, after the last block.

    Raises:
        UsageError: there is no such track.
        DataError: there is no such file, or nothing in it, or in that span, can be decoded.
    """
    path, begin = Path(path), 0.0 if start is None else float(start)
    stop = float("inf") if end is None else float(end)
    if not 0 <= begin < stop:
        raise DataError(f"Audio {path} has no span {begin}-{stop} s; name one within it.")
    damage = Damage()
    is_empty = True
    sound = decode(path, begin, stop, damage, track, channel)
    for block in _even(_resampled(sound, rate), begin, rate, seconds):
        is_empty = False
        yield block
    if is_empty:
        where = f" from {begin:g} s on" if begin else ""
        why = f": {damage.sentences[0]}" if damage.sentences else ""
        raise DataError(f"No sound in {path}{where} can be decoded{why}; record it again.")
    if on_damage is not None:
        for sentence in damage.sentences:
            on_damage(sentence)


def array_blocks(
    samples: np.ndarray,
    rate: int,
    *,
    to: int = 16000,
    seconds: float = 30.0,
    channel: int | None = None,
    on_damage: Callable[[str], None] | None = None,
) -> Iterator[Block]:
    """Yield samples [n] or [n, channels] at ``rate`` per second in blocks, as `blocks` does.

    Whole numbers are scaled by their type (int16 by 1/32768); NaN and infinity are silence;
    values of a floating type up to `LARGEST_PEAK` are scaled to the largest of them.

    Raises:
        DataError: the shape, type, rate or size of the values is wrong.
    """
    values = np.asarray(samples)
    if not values.size:
        raise DataError(f"The array {list(values.shape)} holds no samples; record it again.")
    damage = Damage()
    pieces = scaled(_pieces([values], rate), damage, lambda: _array_gain(values))
    sound = mixed(pieces, damage, channel)
    yield from _sound_blocks(sound, damage, to, seconds, on_damage)


def live_blocks(
    arrays: Iterable[np.ndarray],
    rate: int,
    *,
    to: int = 16000,
    seconds: float = 1.0,
    on_damage: Callable[[str], None] | None = None,
) -> Iterator[Block]:
    """Yield the blocks of a live stream: arrays of samples, each as in `array_blocks`.

    An array of a stream may be empty. What exceeds full scale is clipped, since the largest value
    of a stream is not known before its end.

    Raises:
        DataError: the shape, type, rate or size of the values is wrong, or there are none.
    """
    pieces = _pieces((_in_range(np.asarray(array)) for array in arrays), rate)
    damage = Damage()
    yield from _sound_blocks(mixed(pieces, damage), damage, to, seconds, on_damage)


def _in_range(values: np.ndarray) -> np.ndarray:
    """Return an array of samples that were not stored as integers, see `gain_of`."""
    _array_gain(values)
    return values


def _array_gain(values: np.ndarray) -> float:
    """Return the gain of an array, see `gain_of`; integers are scaled by their type instead."""
    if values.dtype.kind != "f":
        return 1.0
    return gain_of(np.abs(values[np.isfinite(values)]).max(initial=0), "the array")


def _sound_blocks(
    sound: Iterable[Piece],
    damage: Damage,
    to: int,
    seconds: float,
    on_damage: Callable[[str], None] | None,
) -> Iterator[Block]:
    yield from _even(_resampled(sound, to), 0.0, to, seconds)
    if on_damage is not None:
        for sentence in damage.sentences:
            on_damage(sentence)


def _pieces(arrays: Iterable[np.ndarray], rate: int) -> Iterator[Piece]:
    """Yield the pieces [n, channels] of a live stream with their rate.

    Raises:
        DataError: the rate is none, an array is no samples, or the stream ended without any.
    """
    if not (np.isfinite(rate) and rate > 0):
        raise DataError(f"The rate must be samples per second, such as 16000, not {rate}.")
    count = 0
    for array in arrays:
        for piece in _checked_pieces(np.asarray(array)):
            count += len(piece)
            yield rate, piece
    if not count:
        raise DataError("The stream held no samples; check that its source was recording.")


def _checked_pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    """Check an array of samples and yield it as [n, channels] in pieces of bounded size."""
    if values.ndim not in (1, 2):
        raise DataError(f"Samples must be [n] or [n, channels], not {list(values.shape)}.")
    if values.ndim == 2 and values.shape[0] < values.shape[1]:
        raise DataError(
            f"Samples must be [n, channels], not {list(values.shape)}; transpose them (samples.T)."
        )
    if values.dtype.kind not in "iuf":
        raise DataError(f"Samples must be numbers, not {values.dtype}.")
    for i in range(0, len(values), CHUNK):
        piece = values[i : i + CHUNK]
        yield as_float(piece.reshape(len(piece), -1))


def _resampled(pieces: Iterable[Piece], rate: int) -> Iterator[np.ndarray]:
    """Resample pieces to ``rate``; clip them, since resampling and lossy codecs overshoot."""
    resampler = Resampler(rate)
    for native, samples in pieces:
        yield resampler.take(native, samples)
    yield resampler.finish()


class Resampler:
    """A change of the rate of streamed samples; other chunks give the same samples.

    Args:
        rate: samples per second that are returned.
    """

    def __init__(self, rate: int):
        self._rate = rate
        self._stream: Any = None

    def take(self, native: int, samples: np.ndarray) -> np.ndarray:
        """Return what the next samples [n] at ``native`` per second complete, clipped to 1."""
        if native != self._rate:
            import soxr

            if self._stream is None:
                self._stream = soxr.ResampleStream(native, self._rate, 1, dtype="float32")
            samples = self._stream.resample_chunk(samples)
        return np.clip(samples, -1, 1, dtype=np.float32)

    def finish(self) -> np.ndarray:
        """Return the rest, when no samples follow."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        rest = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return np.clip(rest, -1, 1, dtype=np.float32)


def _even(pieces: Iterable[np.ndarray], begin: float, rate: int, seconds: float) -> Iterator[Block]:
    """Join pieces of any length into blocks of ``seconds``."""
    size = max(1, round(seconds * rate))
    pending: list[np.ndarray] = []
    waiting = yielded = 0
    for piece in pieces:
        while waiting + len(piece) >= size:
            cut = size - waiting
            yield Block(begin + yielded / rate, np.concatenate([*pending, piece[:cut]]))
            piece, pending, waiting, yielded = piece[cut:], [], 0, yielded + size
        if len(piece):
            pending.append(piece)
            waiting += len(piece)
    if pending:
        yield Block(begin + yielded / rate, np.concatenate(pending))


@dataclass
class Envelope:
    """The lowest and highest sample of short stretches of a sound, gathered block by block."""

    parts: list[np.ndarray] = field(default_factory=list)
    peak: float = 0.0
    _rest: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    def add(self, samples: np.ndarray) -> None:
        """Take in the next samples [n]."""
        if not len(samples):
            return
        self.peak = max(self.peak, float(np.abs(samples).max()))
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // RATE * RATE  # few parts, however short the blocks are
        self._rest = samples[whole:].copy()
        if whole:
            self.parts.append(_extremes(samples[:whole]))

    @property
    def drawn(self) -> np.ndarray | None:
        """The lowest and highest sample [n, 2] of n parts, n at most `DRAWN`; None for no sound."""
        if not self.parts and not len(self._rest):
            return None
        whole = np.concatenate([*self.parts, *self._last()])
        count = min(DRAWN, len(whole))
        first = np.arange(count) * len(whole) // count  # of even length, as they are drawn
        low, high = np.minimum.reduceat(whole[:, 0], first), np.maximum.reduceat(whole[:, 1], first)
        return np.stack([low, high], 1).astype(np.float32)

    def _last(self) -> Iterator[np.ndarray]:
        if len(self._rest):
            padding = (0, -len(self._rest) % STRETCH)
            yield _extremes(np.pad(self._rest, padding, mode="edge"))


def _extremes(samples: np.ndarray) -> np.ndarray:
    """Return the lowest and highest sample [n, 2] of each stretch."""
    stretches = samples.reshape(-1, STRETCH)
    return np.stack([stretches.min(1), stretches.max(1)], 1)
