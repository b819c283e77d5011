"""The sound of a container, decoded with FFmpeg past any damage, for `moodal.media.blocks`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.media.probe import RATES, open_container

CHUNK = 65536
"""Samples, at the file's own rate, that are read at once."""

STUTTER = 0.01
"""Seconds by which time stamps may be off (containers round them): pieces lie end to end."""

OVERLAP = 1.0
"""Seconds by which a piece may begin before the last one's end; further back the stamps are
wrong, not the sound."""

LONGEST_GAP = 3600.0
"""Seconds without sound, all gaps of a file together, that are believed."""

RUN_UP = 0.5
"""Seconds before a span from which decoding starts: codecs need a run-up."""


@dataclass
class _Tally:
    """What went wrong while decoding."""

    packets: int = 0
    frames: int = 0
    leaps: int = 0
    gaps: float = 0.0
    wrong: int = 0
    broken: int = 0


class Decoder:
    """The first sound track of a container, decoded with FFmpeg past any damage.

    Attributes:
        rate: samples a second of what `pieces` yields; the first frame's where not given.
    """

    def __init__(
        self,
        path: Path,
        begin: float,
        stop: float,
        tell: Callable[[str], None],
        rate: int = 0,
    ):
        self.path, self.begin, self.stop, self.tell, self.rate = path, begin, stop, tell, rate
        self._tally = _Tally()
        self._packer: tuple[Any, Any] | None = None

    def pieces(self) -> Iterator[np.ndarray]:
        """Mono samples end to end from ``begin`` on; gaps are zeros."""
        with open_container(self.path) as file:
            stream = next((s for s in file.streams.audio if s.codec_context is not None), None)
            if stream is None:
                has = "no sound" if not file.streams.audio else "sound of an unknown codec only"
                raise DataError(f"{self.path} holds {has}; leave it out, or name its recording.")
            origin = max(0.0, (file.start_time or 0) / 1e6)
            following = clock = None
            shift = ends = 0
            for frame in self._frames(file, stream, origin):
                values = self._mono(frame)
                if not len(values):
                    continue
                if following is None:
                    following = round(self.begin * self.rate)
                    exact = file.format.name.startswith("mov")
                    ends = round(_announced(stream) * self.rate) if exact else 0
                at = clock if clock is not None else 0
                if frame.pts is not None and frame.time_base:
                    stamp = float(frame.pts * frame.time_base) - origin
                    at = round(stamp * self.rate) + shift
                expected = 0 if clock is None else clock
                leap = (at - expected) / self.rate
                if abs(leap) <= STUTTER and clock is not None:
                    at = clock
                elif leap < -OVERLAP or self._tally.gaps + leap > LONGEST_GAP + (
                    self.begin if clock is None else 0
                ):
                    at, shift = expected, shift + expected - at
                    self._tally.leaps += 1
                elif clock is not None:
                    self._tally.gaps += max(0.0, leap)
                clock = at + len(values)
                if at / self.rate >= self.stop:
                    break
                while at > following:
                    gap = min(at - following, CHUNK, self._left(following))
                    if gap <= 0:
                        break
                    yield np.zeros(gap, np.float32)
                    following += gap
                if at < ends < clock:
                    values = values[: ends - at]  # what fills up the codec's last frame
                piece = values[max(0, following - at) :][: max(0, self._left(following))]
                if len(piece):
                    following += len(piece)
                    yield piece
            self._report(stream, (clock or 0) / (self.rate or 1))

    def _left(self, following: int) -> int:
        left = self.stop * self.rate - following
        return round(left) if left < 2**62 else 2**62

    def _frames(self, file: Any, stream: Any, origin: float) -> Iterator[Any]:
        import av

        errors = (av.FFmpegError, ValueError, MemoryError)
        # Elsewhere seeking is a guess from the bit rate, and the time stamps with it.
        if self.begin > 10 and file.format.name.startswith(("mov", "matroska")):
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
                tally.packets += not flush
            tally.frames += 1
            if flush:
                return

    def _mono(self, frame: Any) -> np.ndarray:
        rate = int(frame.sample_rate)
        if rate not in RATES:
            self._tally.packets += 1
            return np.zeros(0, np.float32)
        self.rate = self.rate or rate
        try:
            values = self._interleaved(frame)
        except (ValueError, OSError, MemoryError):
            self._tally.packets += 1
            return np.zeros(0, np.float32)
        mono, wrong = finite(as_float(values).mean(axis=1))
        self._tally.wrong += wrong
        if rate != self.rate:
            import soxr

            # Rare: recordings of different rates joined into one.
            mono = soxr.resample(mono, rate, self.rate)
        return mono

    def _interleaved(self, frame: Any) -> np.ndarray:
        """A frame's samples [n, channels], of its own type."""
        channels = max(1, int(frame.layout.nb_channels))
        if not frame.format.is_planar:
            return np.asarray(frame.to_ndarray().reshape(-1, channels))
        if channels < 8:
            return np.asarray(frame.to_ndarray().T)
        # PyAV 18 walks past the end of eight planes or more, and the process dies of it; FFmpeg
        # itself puts them into one.
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._packer is None or self._packer[0] != kind:
            packer = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
            self._packer = (kind, packer)
        pieces = [p.to_ndarray().reshape(-1, channels) for p in self._packer[1].resample(frame)]
        return np.concatenate(pieces) if pieces else np.zeros((0, channels), np.float32)

    def _report(self, stream: Any, reached: float) -> None:
        tally = self._tally
        if tally.packets or tally.broken:
            self.tell(
                f"{tally.packets + tally.broken} of {tally.frames + tally.broken} packets of the "
                f"sound are damaged and were skipped"
            )
        if tally.leaps:
            self.tell(f"the time stamps leap {tally.leaps} times; times may be wrong")
        if tally.wrong:
            self.tell(f"{tally.wrong} samples are NaN or infinite, taken as silence")
        if tally.gaps > 0.5:
            self.tell(f"{tally.gaps:.1f} s of the sound are missing, silence stands for them")
        says = _announced(stream)
        if reached < min(self.stop, says * 0.99 - 0.25):
            self.tell(f"the sound stops at {reached:.1f} s of the {says:.1f} s announced")


def _announced(stream: Any) -> float:
    """Seconds at which a stream ends as its header says, 0 where it does not."""
    if stream.duration and stream.time_base:
        return float((stream.duration + max(0, stream.start_time or 0)) * stream.time_base)
    # Matroska and WebM tell it as a tag.
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if match is None:
        return 0.0
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def as_float(values: np.ndarray) -> np.ndarray:
    """Samples of any type as float32, full scale 1."""
    kind = values.dtype
    if kind.kind == "f":
        return values.astype(np.float32, copy=False)
    half = float(2 ** (8 * kind.itemsize - 1))
    middle = half if kind.kind == "u" else 0.0
    return ((values.astype(np.float64) - middle) / half).astype(np.float32)


def finite(mono: np.ndarray) -> tuple[np.ndarray, int]:
    """Samples with zeros for NaN and infinity, and how many those were."""
    good = np.isfinite(mono)
    if good.all():
        return mono, 0
    return np.where(good, mono, 0).astype(np.float32), int((~good).sum())
