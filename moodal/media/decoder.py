"""The one decoder of sound: any file in, samples of one channel out, piece by piece.

libsndfile reads WAV, FLAC and AIFF files; FFmpeg (PyAV) reads everything else, and what libsndfile
fails on (of Ogg that is chained or damaged, libsndfile loses parts and time). Times count from the
beginning of the file, so sound that begins after the picture is preceded by silence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.files import version_of
from moodal.media.container import (
    ContainerDecoder,
    announced_end,
    counted_end,
    sound_stream,
)
from moodal.media.downmix import Downmix, Offset
from moodal.media.probe import open_container, open_soundfile
from moodal.media.samples import CHUNK, Damage, Piece, Track, finite
from moodal.media.sniff import read_head

LARGEST_PEAK = 8.0
"""The highest sample of a floating type that may come from a mix; above, integers were stored."""


def decode(
    path: Path,
    begin: float,
    stop: float,
    damage: Damage,
    track: Track = None,
    channel: int | None = None,
) -> Iterator[Piece]:
    """Decode a file from second ``begin`` to ``stop`` into pieces [n] that lie end to end.

    Channels are mixed (`moodal.media.downmix`), or one is chosen; gaps, and samples that are no
    numbers, are silence.

    Args:
        path: any file that libsndfile or FFmpeg reads.
        begin, stop: seconds; ``stop`` may lie past the end.
        damage: collects what is wrong with the file.
        track: the sound track of a file with several, see `moodal.media.container.sound_stream`.
        channel: the one channel that is wanted, from 0; None: all of them, mixed.

    Raises:
        UsageError: there is no such track.
        DataError: there is no such file, nothing in it can be decoded, or its samples lie far
            outside -1 to 1.
        AbsentError: it has pictures, but no sound.
    """
    head = read_head(path)
    if _is_cut_short(path, head):
        damage.remarks.append("the file is cut short")
    file = open_soundfile(path, head)
    if file is None:
        decoder = ContainerDecoder(path, begin, stop, damage, track=track)
        sound = scaled(
            decoder.pieces(), damage, lambda: _gain(path, track) if decoder.is_uncoded else 1.0
        )
        yield from mixed(sound, damage, channel)
        return
    with file:
        if track not in (None, 1, "1"):
            raise UsageError(f"{path} has no sound track {track}; it has one.")
        sound = _soundfile_pieces(path, file, begin, stop, damage)
        if file.subtype in ("FLOAT", "DOUBLE"):
            sound = scaled(sound, damage, lambda: _gain(path, track))
        yield from mixed(sound, damage, channel)


def _gain(path: Path, track: Track) -> float:
    """Return the gain of a whole track, whichever span of it is read, see `gain_of`."""
    return gain_of(_peak(path, version_of(path), track), path)


@lru_cache(maxsize=256)
def _peak(path: Path, version: tuple[int, ...], track: Track) -> float:
    """Return the highest absolute sample of a track.

    Args:
        path: the file.
        version: of the file, so that one that was replaced is read again.
        track: the track of a file with several.
    """
    sound = _whole(path, track)
    return max((float(np.abs(finite(x)[0]).max(initial=0)) for x in sound), default=0.0)


def _whole(path: Path, track: Track) -> Iterator[np.ndarray]:
    """Yield the whole sound of a track as it is stored."""
    file = open_soundfile(path, read_head(path))
    if file is not None:
        with file:
            yield from file.blocks(CHUNK, dtype="float32")
        return
    decoder = ContainerDecoder(path, 0.0, float("inf"), Damage(), track=track)
    yield from (samples for _, samples in decoder.pieces())


def scaled(pieces: Iterable[Piece], damage: Damage, gain: Callable[[], float]) -> Iterator[Piece]:
    """Multiply pieces by a gain, which is asked for at the first piece, when the codec is known.

    Args:
        pieces: the samples.
        damage: collects what was mended.
        gain: returns the factor, see `gain_of`.
    """
    factor: float | None = None
    for rate, samples in pieces:
        if factor is None:
            factor = gain()
            if factor != 1:
                reached = f"samples reach {1 / factor:.2f} of full scale"
                damage.remarks.append(f"{reached}; they are scaled to 1")
        yield rate, samples * np.float32(factor) if factor != 1 else samples


def mixed(pieces: Iterable[Piece], damage: Damage, channel: int | None = None) -> Iterator[Piece]:
    """Turn pieces [n, channels] into pieces [n] of one channel without an offset.

    Args:
        pieces: the samples of all channels.
        damage: collects what was mended, and how many samples were not finite.
        channel: the channel that is taken, from 0; None: they are mixed. One that a piece does not
            have is silent.
    """
    mixer = Mixer(damage, channel)
    for rate, samples in pieces:
        yield from mixer.take(rate, samples)
    yield from mixer.finish()


class Mixer:
    """The change of pieces [n, channels] to one channel without an offset, see `mixed`."""

    def __init__(self, damage: Damage, channel: int | None = None):
        self._damage, self._channel = damage, channel
        self._downmix, self._offset = Downmix(), Offset()
        self._wrong = 0

    def take(self, rate: int, samples: np.ndarray) -> Iterator[Piece]:
        """Yield what the next piece [n, channels] completes."""
        if self._channel is not None:
            own = samples[:, self._channel : self._channel + 1]
            samples = own if own.shape[1] else np.zeros((len(samples), 1), np.float32)
        clean, wrong = finite(samples)
        self._wrong += wrong
        yield from self._without_offset(self._downmix.take(rate, clean))

    def finish(self) -> Iterator[Piece]:
        """Yield the rest, and record what was mended."""
        yield from self._without_offset(self._downmix.finish())
        yield from self._offset.finish()
        self._damage.remarks += [*self._downmix.notes, *self._offset.notes]
        self._damage.count_wrong(self._wrong)

    def _without_offset(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        for rate, samples in pieces:
            yield from self._offset.take(rate, samples)


def gain_of(peak: float, source: Path | str) -> float:
    """Return the gain that brings samples of a floating type into -1 to 1.

    Raises:
        DataError: the peak is so high that integers were stored as they are.
    """
    if peak > LARGEST_PEAK:
        raise DataError(
            f"Samples of a floating type must lie in -1 to 1; divide 16-bit values by 32768 "
            f"({source} reaches {peak:g})."
        )
    return 1.0 if peak <= 1 else 1 / peak


def _soundfile_pieces(
    path: Path, file: Any, begin: float, stop: float, damage: Damage
) -> Iterator[Piece]:
    """Read a span with libsndfile, and with FFmpeg what lies behind a damage."""
    import soundfile

    rate = int(file.samplerate)
    first, last = round(begin * rate), round(min(stop * rate, file.frames))
    size = max(1024, CHUNK // max(1, file.channels // 8))
    reached = first
    with contextlib.suppress(soundfile.LibsndfileError, RuntimeError):
        file.seek(min(first, file.frames))
        while reached < last:
            samples = file.read(min(size, last - reached), dtype="float32", always_2d=True)
            if not len(samples):
                break
            reached += len(samples)
            yield rate, samples
    if reached < last:  # FFmpeg may get past the damage
        damage.lost.append((f"the sound is damaged at {reached / rate:.1f} s", "partly missing"))
        with contextlib.suppress(DataError):
            yield from ContainerDecoder(path, reached / rate, stop, damage, rate).pieces()


def sound_seconds(path: Path) -> float:
    """Return how long the sound of a file is, as its header says, or as its packets show.

    Raises:
        DataError: as `decode`.
    """
    file = open_soundfile(path, read_head(path))
    if file is not None:
        with file:
            return float(file.frames / file.samplerate)
    with open_container(path) as container:
        stream = sound_stream(path, container)
        # Ogg may hold several recordings end to end, and its header tells of one.
        chained = container.format.name == "ogg"
        return (not chained and announced_end(container, stream)) or counted_end(container, stream)


def _is_cut_short(path: Path, head: bytes) -> bool:
    """Return whether a WAV, AIFF or AVI file is shorter than its header says, or Ogg has no end."""
    if head[:4] == b"OggS":
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 66000))  # more than the largest page
            tail = file.read()
        page = tail[tail.rfind(b"OggS") :]
        return len(page) >= 6 and not page[5] & 4
    if head[:4] not in (b"RIFF", b"FORM") or head[8:12] not in (b"WAVE", b"AIFF", b"AIFC", b"AVI "):
        return False
    announced = int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big") + 8
    # Recorders that cannot go back leave 0, or the largest number, in the header.
    return 64 <= announced < 0x7FFFFF00 and path.stat().st_size < announced - 1
