"""The one decoder of sound: any file in, samples of one channel out, piece by piece.

libsndfile reads WAV, FLAC and AIFF files; FFmpeg (PyAV) reads everything else, and what libsndfile
fails on (of Ogg that is chained or damaged, libsndfile loses parts and time). Times count from the
beginning of the file, so sound that begins after the picture is preceded by silence.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import AbsentError, DataError
from moodal.media.clock import Clock, Tally
from moodal.media.downmix import Downmix, Offset
from moodal.media.probe import RATES, open_container, open_soundfile
from moodal.media.sniff import read_head

CHUNK = 65536
"""Samples, at the file's own rate, that are read at once."""

RUN_UP = 0.5
"""Seconds before a span from which decoding starts, since codecs need a run-up."""

SEEKABLE = ("mov", "matroska", "mp3", "avi", "mpegts", "flv", "caf")
"""Formats in which FFmpeg finds a time exactly; elsewhere it guesses from the bit rate."""

GUESSED = ("mp3", "aac", "ac3", "eac3", "amr", "dts")
"""Formats without a header that states their length; FFmpeg guesses it from the bit rate. An MP3
that states the delay of its encoder states its length, too."""

UNSTAMPED = (*GUESSED, "avi")
"""Formats whose packets have no time stamps: what follows a lost packet moves forward."""

Piece = tuple[int, np.ndarray]
"""Samples per second, and samples: [n, channels] as they are decoded, [n] when they are mixed."""

LARGEST_PEAK = 8.0
"""The highest sample of a floating type that may come from a mix; above, integers were stored."""


@dataclass
class Damage:
    """The damage of a recording's sound.

    Attributes:
        lost: damage that cost samples, in the order in which it was met: what is wrong, and what
            was done about it.
        remarks: damage that cost none, such as wrong time stamps.
    """

    lost: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """One sentence for each kind of damage, without a full stop."""
        return [*dict.fromkeys([f"{what}, {then}" for what, then in self.lost] + self.remarks)]

    def count_wrong(self, samples: int) -> None:
        """Record how many samples were not finite."""
        if samples:
            are = "is" if samples == 1 else "are"
            what = f"{samples} sample{'s' * (samples != 1)} {are} NaN or infinite"
            self.lost.append((what, "taken as silence"))


def decode(path: Path, begin: float, stop: float, damage: Damage) -> Iterator[Piece]:
    """Decode a file from second ``begin`` to ``stop`` into pieces [n] that lie end to end.

    Channels are mixed (`moodal.media.downmix`); gaps, and samples that are no numbers, are
    silence.

    Args:
        path: any file that libsndfile or FFmpeg reads.
        begin, stop: seconds; ``stop`` may lie past the end.
        damage: collects what is wrong with the file.

    Raises:
        DataError: there is no such file, nothing in it can be decoded, or its samples lie far
            outside -1 to 1.
        AbsentError: it has pictures, but no sound.
    """
    head = read_head(path)
    if _is_cut_short(path, head):
        damage.remarks.append("the file is cut short")
    file = open_soundfile(path, head)
    if file is None:
        pieces = ContainerDecoder(path, begin, stop, damage).pieces()
        yield from mixed(pieces, damage, _gain(path))
        return
    with file:
        gain = _gain(path) if file.subtype in ("FLOAT", "DOUBLE") else 1.0
        yield from mixed(_soundfile_pieces(path, file, begin, stop, damage), damage, gain)


def _gain(path: Path) -> float:
    """Return the gain of a whole file, whichever span of it is read, see `gain_of`."""
    about = path.stat()
    return gain_of(_peak(path, about.st_size, about.st_mtime_ns), path)


@lru_cache(maxsize=256)
def _peak(path: Path, size: int, changed: int) -> float:
    """Return the highest absolute sample of a file of a floating type, 0 for other files.

    Args:
        path: the file.
        size, changed: its bytes and time, so that a file that was replaced is read again.
    """
    return max((float(np.abs(finite(x)[0]).max(initial=0)) for x in _floats(path)), default=0.0)


def _floats(path: Path) -> Iterator[np.ndarray]:
    """Yield the whole sound of a file that stores samples of a floating type, else nothing."""
    file = open_soundfile(path, read_head(path))
    if file is not None:
        with file:
            yield from file.blocks(CHUNK, dtype="float32")
        return
    with open_container(path) as container:
        uncoded = any(t.codec_context.name.startswith("pcm_f") for t in _known_tracks(container))
    if uncoded:
        yield from (x for _, x in ContainerDecoder(path, 0.0, float("inf"), Damage()).pieces())


def mixed(pieces: Iterable[Piece], damage: Damage, gain: float = 1.0) -> Iterator[Piece]:
    """Turn pieces [n, channels] into pieces [n] of one channel without an offset.

    Args:
        pieces: the samples of all channels.
        damage: is told what was mended, and how many samples were not finite.
        gain: by which the samples are multiplied.
    """
    if gain != 1:
        damage.remarks.append(f"samples reach {1 / gain:.2f} of full scale; they are scaled to 1")
    wrong = 0

    def sound() -> Iterator[Piece]:
        nonlocal wrong
        for rate, samples in pieces:
            clean, bad = finite(samples)
            wrong += bad
            yield rate, clean * np.float32(gain) if gain != 1 else clean

    downmix, offset = Downmix(), Offset()
    yield from offset.removed(downmix.mixed(sound()))
    damage.remarks += [*downmix.notes, *offset.notes]
    damage.count_wrong(wrong)


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
        stream = _sound_stream(path, container)
        # Ogg may hold several recordings end to end, and its header tells of one.
        chained = container.format.name == "ogg"
        return (not chained and _announced(container, stream)) or _counted(container, stream)


def _counted(container: Any, stream: Any) -> float:
    """Return the second at which the last packet ends."""
    import av

    end = 0
    with contextlib.suppress(av.FFmpegError, ValueError):
        for packet in container.demux(stream):
            if packet.pts is not None:
                end = max(end, packet.pts + (packet.duration or 0))
    return float(end * stream.time_base) if stream.time_base else 0.0


@dataclass
class _Span:
    """The wanted part of a sound, yielded from its beginning without holes.

    Attributes:
        following: the next sample to yield.
        limit: the sample after the last.
    """

    following: int
    limit: int

    def take(self, at: int, samples: np.ndarray) -> Iterator[np.ndarray]:
        """Yield silence up to sample ``at``, then those of ``samples`` that lie in the span."""
        while (gap := min(at, self.limit) - self.following) > 0:
            silence = np.zeros((min(gap, CHUNK), samples.shape[1]), np.float32)
            self.following += len(silence)
            yield silence
        wanted = samples[max(0, self.following - at) : max(0, self.limit - at)]
        if len(wanted):
            self.following += len(wanted)
            yield wanted


class ContainerDecoder:
    """The sound track of a file (`_sound_stream`), decoded with FFmpeg past any damage.

    Args:
        path: the file.
        begin, stop: seconds.
        damage: collects what is wrong with the file.
        rate: samples per second of the pieces; 0 for the file's own.
    """

    def __init__(self, path: Path, begin: float, stop: float, damage: Damage, rate: int = 0):
        self.path, self.begin, self.stop, self.damage, self.rate = path, begin, stop, damage, rate
        self._tally = Tally()
        self._packer: tuple[Any, Any] | None = None

    def pieces(self) -> Iterator[Piece]:
        """Yield pieces that lie end to end from ``begin`` on; gaps are zeros.

        Raises:
            DataError: the file is no recording.
            AbsentError: it has pictures, but no sound.
        """
        with open_container(self.path) as file:
            stream = _sound_stream(self.path, file)
            if (count := len(_known_tracks(file))) > 1:
                place = _known_tracks(file).index(stream) + 1
                self.damage.remarks.append(f"of {count} sound tracks, number {place} was read")
            origin = _origin(file)
            announced = _announced(file, stream)
            exact = file.format.name.startswith("mov")
            clock = span = None
            for frame in self._frames(file, stream, origin):
                samples = self._samples(frame)
                if not len(samples):
                    continue
                if clock is None or span is None:
                    clock = Clock(self.rate, self.begin, self._tally)
                    span = _Span(round(self.begin * self.rate), self._limit())
                at = clock.place(_stamp(frame, origin), len(samples))
                if at >= self.stop * self.rate:
                    break
                if exact:
                    samples = _without_padding(at, samples, announced * self.rate)
                for piece in span.take(at, samples):
                    yield self.rate, piece
            reached = 0.0 if clock is None else (clock.end or 0) / self.rate
            self._report(reached, announced, file.format.name)

    def _limit(self) -> int:
        limit = self.stop * self.rate
        return round(limit) if limit < sys.maxsize else sys.maxsize

    def _frames(self, file: Any, stream: Any, origin: float) -> Iterator[Any]:
        """Decode packet by packet; damaged packets are counted and passed over."""
        import av

        errors = (av.FFmpegError, ValueError, MemoryError)
        if self.begin > 10 and file.format.name.startswith(SEEKABLE):
            with contextlib.suppress(*errors):  # else it is read from the beginning
                file.seek(int((origin + self.begin - RUN_UP) / stream.time_base), stream=stream)
        packets, tally = file.demux(stream), self._tally
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except errors:
                tally.broken += 1
                if tally.broken > 20:
                    return
                packets = file.demux(stream)
                continue
            flush = packet.dts is None and not packet.size
            try:
                yield from packet.decode()
            except errors:
                tally.damaged += not flush
            tally.packets += 1
            if flush:
                return

    def _samples(self, frame: Any) -> np.ndarray:
        """Return a frame's samples [n, channels] at `rate`; none where it is damaged."""
        rate = int(frame.sample_rate)
        try:
            if rate not in RATES:
                raise ValueError(rate)
            samples = as_float(self._interleaved(frame))
        except (ValueError, OSError, MemoryError):
            self._tally.damaged += 1
            return np.zeros((0, 1), np.float32)
        self.rate = self.rate or rate
        if rate != self.rate:
            import soxr

            # Rare: recordings of different rates joined into one.
            samples = soxr.resample(finite(samples)[0], rate, self.rate)
        return samples

    def _interleaved(self, frame: Any) -> np.ndarray:
        """Return a frame's samples [n, channels] in their own type."""
        channels = max(1, int(frame.layout.nb_channels))
        if not frame.format.is_planar:
            return np.asarray(frame.to_ndarray().reshape(-1, channels))
        if channels < 8:
            return np.asarray(frame.to_ndarray().T)
        # PyAV 18 reads past the end of eight planes or more, and the process dies of it; FFmpeg
        # itself puts them into one.
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._packer is None or self._packer[0] != kind:
            packer = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
            self._packer = (kind, packer)
        pieces = [p.to_ndarray().reshape(-1, channels) for p in self._packer[1].resample(frame)]
        return np.concatenate(pieces) if pieces else np.zeros((0, channels), np.float32)

    def _report(self, reached: float, announced: float, container: str) -> None:
        tally, damage = self._tally, self.damage
        if tally.damaged or tally.broken:
            what = (
                f"{tally.damaged + tally.broken} of {tally.packets + tally.broken} packets of the "
                "sound are damaged"
            )
            off = "; times after them may be off" if container in UNSTAMPED else ""
            damage.lost.append((what, f"skipped{off}"))
        if tally.leaps and container == "ogg" and not tally.damaged:
            damage.remarks.append("several recordings lie end to end; they are read as one")
        elif tally.leaps:
            damage.remarks.append(f"the time stamps leap {tally.leaps} times; times may be wrong")
        if tally.gaps > 0.5:
            damage.remarks.append(f"{tally.gaps:.1f} s of the sound are missing, silence there")
        if reached < min(self.stop, announced * 0.99 - 0.25):
            damage.remarks.append(
                f"the sound stops at {reached:.1f} s of the {announced:.1f} s announced"
            )


def _sound_stream(path: Path, container: Any) -> Any:
    """Return the sound track of a known codec that the file marks as its default, or the first.

    Raises:
        AbsentError: there is none.
    """
    from av.stream import Disposition

    tracks = _known_tracks(container)
    if not tracks:
        has = "sound of an unknown codec only" if container.streams.audio else "no sound"
        raise AbsentError(f"{path} holds {has}; leave it out, or name its recording.")
    # Every track of some files is a default one, or none is: then the first.
    return next((t for t in tracks if t.disposition & Disposition.default), tracks[0])


def _known_tracks(container: Any) -> list[Any]:
    """Return the sound tracks whose codec is known."""
    return [track for track in container.streams.audio if track.codec_context is not None]


def _stamp(frame: Any, origin: float) -> float | None:
    """Return the second at which a frame begins; None where it has no time stamp."""
    if frame.pts is None or not frame.time_base:
        return None
    return float(frame.pts * frame.time_base) - origin


def _without_padding(at: int, samples: np.ndarray, end: float) -> np.ndarray:
    """Cut off what fills up the codec's last frame, past the end that the header announces."""
    last = round(end)
    return samples[: last - at] if at < last < at + len(samples) else samples


def _origin(container: Any) -> float:
    """Return the time stamp, in seconds, of the beginning of a file."""
    return max(0.0, (container.start_time or 0) / 1e6)


def _announced(container: Any, stream: Any) -> float:
    """Return the second at which a stream ends as its header says, 0 where it does not."""
    if container.format.name in GUESSED and not stream.start_time:
        return 0.0
    if stream.duration and stream.time_base:
        start = float((stream.start_time or 0) * stream.time_base) - _origin(container)
        return max(0.0, start) + float(stream.duration * stream.time_base)
    # Matroska and WebM have it as a tag.
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if match is None:
        return 0.0
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - _origin(container)


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


def as_float(values: np.ndarray) -> np.ndarray:
    """Convert samples of any type to float32, full scale 1."""
    kind = values.dtype
    if kind.kind == "f":
        return values.astype(np.float32, copy=False)
    half = float(2 ** (8 * kind.itemsize - 1))
    middle = half if kind.kind == "u" else 0.0
    return ((values.astype(np.float64) - middle) / half).astype(np.float32)


def finite(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Replace NaN and infinity in [n] or [n, channels] by zeros; return the samples and a count.

    The count is that of the sample times at which any channel was replaced.
    """
    good = np.isfinite(samples)
    if good.all():
        return samples, 0
    times = good if samples.ndim == 1 else good.all(1)
    return np.where(good, samples, 0).astype(np.float32), int((~times).sum())
