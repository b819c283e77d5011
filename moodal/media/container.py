"""ContainerDecoder: the sound of any file that FFmpeg (PyAV) reads, past any damage."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import AbsentError, DataError, UsageError
from moodal.media.clock import Clock, Tally
from moodal.media.probe import RATES, open_container
from moodal.media.samples import CHUNK, Damage, Piece, Track, as_float, finite

RUN_UP = 0.5
"""Seconds before a span from which decoding starts, since codecs need a run-up."""

SEEKABLE = ("mov", "matroska", "mp3", "avi", "mpegts", "flv", "caf")
"""Formats in which FFmpeg finds a time exactly; elsewhere it guesses from the bit rate."""

GUESSED = ("mp3", "aac", "ac3", "eac3", "amr", "dts")
"""Formats without a header that states their length; FFmpeg guesses it from the bit rate. An MP3
that states the delay of its encoder states its length, too."""

UNSTAMPED = (*GUESSED, "avi")
"""Formats whose packets have no time stamps: what follows a lost packet moves forward."""


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
    """The sound track of a file (`sound_stream`), decoded with FFmpeg past any damage.

    Args:
        path: the file.
        begin, stop: seconds.
        damage: collects what is wrong with the file.
        rate: samples per second of the pieces; 0 for the file's own.
        track: the track, see `sound_stream`.

    Attributes:
        is_uncoded: whether the track stores samples of a floating type as they are; known from
            the first piece on.
    """

    def __init__(
        self,
        path: Path,
        begin: float,
        stop: float,
        damage: Damage,
        rate: int = 0,
        track: Track = None,
    ):
        self.track, self.is_uncoded = track, False
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
            stream = sound_stream(self.path, file, self.track)
            if (count := len(known_tracks(file))) > 1 and self.track is None:
                place = known_tracks(file).index(stream) + 1
                self.damage.remarks.append(f"of {count} sound tracks, number {place} was read")
            self.is_uncoded = stream.codec_context.name.startswith("pcm_f")
            origin = _origin(file)
            announced = announced_end(file, stream)
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


def sound_stream(path: Path, container: Any, track: Track = None) -> Any:
    """Return the sound track of a known codec that the file marks as its default, or the first.

    Args:
        path: the file, for messages.
        container: the opened file.
        track: another one: its number from 1, or its language as the file names it ("eng").

    Raises:
        AbsentError: there is no sound.
        UsageError: there is no such track.
    """
    from av.stream import Disposition

    tracks = known_tracks(container)
    if not tracks:
        has = "sound of an unknown codec only" if container.streams.audio else "no sound"
        raise AbsentError(f"{path} holds {has}; leave it out, or name its recording.")
    if track is not None:
        return _chosen(path, tracks, track)
    # Every track of some files is a default one, or none is: then the first.
    return next((t for t in tracks if t.disposition & Disposition.default), tracks[0])


def _chosen(path: Path, tracks: Sequence[Any], track: int | str) -> Any:
    """Return the track of a number or language.

    Raises:
        UsageError: there is none.
    """
    text = str(track).strip().lower()
    if text.isdecimal() and 1 <= int(text) <= len(tracks):
        return tracks[int(text) - 1]
    languages = [str(t.metadata.get("language", "")).lower() for t in tracks]
    if text and text in languages:
        return tracks[languages.index(text)]
    known = ", ".join(f"{n} ({own})" if own else str(n) for n, own in enumerate(languages, 1))
    raise UsageError(f"{path} has no sound track {track}; it has {known}.")


def known_tracks(container: Any) -> list[Any]:
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


def announced_end(container: Any, stream: Any) -> float:
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


def counted_end(container: Any, stream: Any) -> float:
    """Return the second at which the last packet ends; recordings may lie end to end."""
    import av

    end = shift = 0
    second = round(1 / stream.time_base) if stream.time_base else 1
    with contextlib.suppress(av.FFmpegError, ValueError):
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            if packet.pts + shift < end - second:  # another recording begins
                shift = end - packet.pts
            end = max(end, packet.pts + shift + (packet.duration or 0))
    return float(end * stream.time_base) if stream.time_base else 0.0


def channels_of(path: Path, track: Track) -> int | None:
    """Return the number of channels of a sound track; None if the file has no such track."""
    try:
        with open_container(path) as container:
            return int(sound_stream(path, container, track).codec_context.channels)
    except (UsageError, DataError):
        return None
