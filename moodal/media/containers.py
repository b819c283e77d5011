"""The sound of video files and other containers -> arrays, with PyAV (FFmpeg's libraries).

For what libsndfile does not read: MP4, MKV, WebM, M4A, AVI, MOV, ...; see
`moodal.media.audio.read_audio`. Times count from the beginning of the file, so a sound that
begins later than the picture is preceded by silence; they are as fine as the file's own time
stamps (in MKV and WebM 1 ms).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError
from moodal.media.probe import open_container

ENDINGS = (
    ".mp4",
    ".m4a",
    ".m4v",
    ".mov",
    ".mkv",
    ".mka",
    ".webm",
    ".avi",
    ".aac",
    ".wma",
    ".wmv",
    ".flv",
    ".3gp",
    ".ts",
    ".mpg",
    ".mpeg",
)
"""What files with sound in a container are called, so that a missing PyAV can be named."""

EARLY = 0.3
"""Seconds before a span from which decoding starts: codecs need a run-up."""


class NotAContainer(Exception):
    """FFmpeg finds no sound in it that it could decode."""


class Sound:
    """The first sound track of a file; a context manager.

    Attributes:
        rate: samples a second.
        seconds: as the header says, or counted where it says nothing.

    Raises:
        MissingDependencyError: PyAV is not installed, and the file's name asks for it.
        NotAContainer: it is no file with sound.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            import av
        except ModuleNotFoundError:
            if path.suffix.lower() not in ENDINGS:
                raise NotAContainer from None
            raise MissingDependencyError(
                f"{path} wants the package av, which reads the sound of such files; "
                "`pip install av` brings it."
            ) from None
        self._file, self._read = self._open(), False
        self._errors = (av.FFmpegError, ValueError)
        stream = self._first()
        if stream is None:
            picture = bool(self._file.streams.video) and path.suffix.lower() in ENDINGS
            self._file.close()
            if picture:
                raise DataError(f"{path} holds no sound; leave it out, or name its recording.")
            raise NotAContainer
        self._stream = stream
        self.rate = int(self._stream.rate or 0)
        if not self.rate:
            self._file.close()
            raise NotAContainer
        self._origin = max(0.0, (self._file.start_time or 0) / 1e6)
        self.seconds = self._length()

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _open(self) -> Any:
        try:
            return open_container(self.path)
        except DataError:
            raise NotAContainer from None

    def _first(self) -> Any:
        """The first sound track of a codec that is known; None without one."""
        tracks = self._file.streams.audio
        return next((track for track in tracks if track.codec_context is not None), None)

    def _length(self) -> float:
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            first = float((stream.start_time or 0) * stream.time_base) - self._origin
            return max(0.0, first) + float(stream.duration * stream.time_base)
        if self._file.duration:
            return float(self._file.duration) / 1e6
        with self._told():
            return (
                max((at + block.shape[1] for at, block in self._blocks(0.0)), default=0) / self.rate
            )

    def samples(self, first: int, last: int) -> np.ndarray:
        """Samples ``first`` to ``last`` at its own rate: [n, channels] float32, n at most as asked.

        Raises:
            DataError: they cannot be decoded.
        """
        pieces: list[tuple[int, np.ndarray]] = []
        with self._told():
            for at, block in self._blocks(first / self.rate - EARLY):
                if at >= last:
                    break
                begin, end = max(at, first), min(at + block.shape[1], last)
                if begin < end:
                    pieces.append((begin, block[:, begin - at : end - at]))
        if not pieces:
            return np.zeros((0, 1), np.float32)
        length = max(at + piece.shape[1] for at, piece in pieces) - first
        out = np.zeros((length, pieces[0][1].shape[0]), np.float32)
        for at, piece in pieces:
            out[at - first : at - first + piece.shape[1]] = piece.T
        return out

    def _blocks(self, start: float) -> Iterator[tuple[int, np.ndarray]]:
        """Decoded blocks from ``start`` seconds on: the first sample's number, [channels, n]."""
        import av

        if self._read:  # after its end, or a seek, only a fresh file begins at its very beginning
            self._file.close()
            self._file = self._open()
            self._stream = self._first()
        self._read = True
        stream: Any = self._stream
        # Packed: PyAV 18 walks past the end of eight planes or more.
        plain = av.AudioResampler(format="flt", layout=stream.layout, rate=self.rate)
        if start > 0:  # seeking to 0 would pass by the packet with which AAC warms up
            self._file.seek(int((self._origin + start) / stream.time_base), stream=stream)
        channels = max(1, int(stream.layout.nb_channels))
        following = 0
        for frame in self._file.decode(stream):
            at = following
            if frame.pts is not None:
                at = round((float(frame.pts * frame.time_base) - self._origin) * self.rate)
            # Rounded time stamps may be a few samples off; blocks lie end to end.
            if abs(at - following) <= self.rate // 100 and following:
                at = following
            for block in plain.resample(frame):
                values = np.asarray(block.to_ndarray(), np.float32).reshape(-1, channels).T
                yield at, values
                at += values.shape[1]
            following = at

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            said = getattr(error, "strerror", None) or str(error)
            raise DataError(f"Cannot decode audio {self.path}: {said}; record it anew.") from None
