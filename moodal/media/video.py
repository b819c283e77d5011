"""Decoding of video files and still images into pictures with their times, by PyAV (FFmpeg).

Times count from the beginning of the file, as those of its sound do (`moodal.media.decoder`).
A video is decoded frame by frame and one picture is held at a time, so hours of video need no more
memory than seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.media.heic import check_heic, is_heic, read_heic
from moodal.media.probe import SAFE, picture_format
from moodal.media.sniff import read_head, refuse_other

LARGEST = 130_000_000
"""Pixels of a picture beyond which its header is not believed (8K video has 33 million)."""

DENSE = 5
"""From this many frames per wanted picture on, frames to which no other frame refers are not
decoded, which halves the work. Encoders put three or four such frames in a row, so that every span
keeps one."""

EARLIER = 5.0
"""Seconds before a span from which decoding starts where the file's index leads past its start."""

HOPELESS = 300
"""Damaged packets in a row after which the rest of a file is given up."""

TEXT_CODECS = ("ansi", "bintext", "xbin", "idf")
"""Codecs by which FFmpeg draws text files as on a terminal; they are not taken for pictures."""

OnDamage = Callable[[float, str], None]
"""Called with the second near which frames do not decode, and FFmpeg's reason; once for several
frames in a row, since they are decoded several at a time."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a video.

    Attributes:
        at: seconds from the beginning of the file.
        rgb: [H, W, 3] uint8, turned upright by the file's metadata, with square pixels.
        scale: pixels per pixel of the file, at most 1.
    """

    at: float
    rgb: np.ndarray
    scale: float = 1.0


def frames(
    path: Path | str,
    fps: float = 5.0,
    *,
    start: float | None = None,
    end: float | None = None,
    longest: int = 640,
    on_damage: OnDamage | None = None,
) -> Iterator[Picture]:
    """Yield the pictures of a file, or of its span from ``start`` to ``end`` seconds.

    Time is divided into cells of 1/``fps`` seconds from ``start`` on, and of each cell the first
    frame that begins in it is yielded, if any. So a variable frame rate is sampled by its time
    stamps, and a frame that is shown for long comes once. Where none begins in the first cell, the
    frame that is shown then is yielded at ``start``. A still image is one picture at 0.

    Args:
        path: any video or image that FFmpeg decodes; cover art does not count.
        fps: pictures per second at most.
        start: seconds, None for the beginning.
        end: seconds, None for the end; a span past the end of the file has no pictures.
        longest: pixels of the longer side at most; larger frames are scaled down.
        on_damage: called for frames that do not decode and are skipped.

    Raises (when the first picture is asked for):
        UsageError: ``fps``, ``longest`` or the span is not positive.
        DataError: the file is missing, empty, not a video, or none of its frames decodes.
        MissingDependencyError: PyAV is not installed.
    """
    if not 0 < fps < math.inf or longest < 1:
        raise UsageError(f"Pictures need a positive fps and size; got {fps} and {longest}.")
    begin = 0.0 if start is None else start
    if not begin >= 0 or (end is not None and not end > begin):
        raise UsageError(f"{path}: a span needs 0 <= start < end in seconds; got {start}-{end}.")
    if _is_heic(path):
        if begin == 0:
            yield shrunk(read_heic(Path(path), LARGEST), longest)
        return
    with _opened(path) as film:
        held: Any = None  # the last frame before the span, and until when it is shown
        until = 0.0
        cell = -1
        decoded = False
        for at, frame in film.decoded(begin, fps, on_damage):
            decoded = True
            if end is not None and at >= end:
                until = at
                break
            if at < begin - 1e-6:
                held, until = frame, at + max(1 / fps, film.lasts(frame))
                continue
            here = cell_of(at - begin, fps)
            if cell < 0 < here and held is not None:
                yield film.picture(begin, held, longest)
                cell = 0
            held = None
            if here > cell:
                cell = here
                yield film.picture(at, frame, longest)
        if cell < 0 and held is not None and begin < until:
            yield film.picture(begin, held, longest)
        if not decoded and (begin == 0 or film.damages):
            raise DataError(
                f"Cannot decode any picture of {path}: {film.damages or 'it ends before its first'}"
                "; record or convert it again."
            )


def check_video(path: Path | str) -> None:
    """Check from its header that a file is a video or an image.

    Raises:
        DataError, MissingDependencyError: as `frames`, except for damage further in.
    """
    if _is_heic(path):
        check_heic(Path(path))
        return
    with _opened(path):
        pass


class _Film:
    """The pictures of an open file, as a context manager.

    Attributes:
        damages: FFmpeg's reason why the first damaged frame did not decode, "" without any.
    """

    def __init__(self, path: Path, errors: tuple[type[Exception], ...]):
        self.path, self.damages, self._errors = path, "", errors
        self.file, self.stream = self._open()
        file, stream = self.file, self.stream
        self._origin = max(0.0, (file.start_time or 0) / 1e6)
        self._step = 1 / float(stream.average_rate or stream.guessed_rate or 25)
        shape = stream.sample_aspect_ratio
        self._aspect = float(shape) if shape and 0.2 <= shape <= 5 else 1.0
        self._reformatter = _reformatter()

    def __enter__(self) -> _Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _open(self) -> tuple[Any, Any]:
        import av
        from av.stream import Disposition

        try:
            # "file:" since a name may hold a colon
            file: Any = av.open(f"file:{self.path}", format=picture_format(self.path), options=SAFE)
        except self._errors as error:  # a name that is no UTF-8 is a ValueError
            raise DataError(
                f"Cannot read video {self.path}: {_reason(error)}; not a video or an image, or "
                "damaged."
            ) from None
        cover = Disposition.attached_pic | Disposition.timed_thumbnails
        streams = [
            s
            for s in file.streams.video
            if not s.disposition & cover
            and s.codec_context is not None
            and s.codec_context.name not in TEXT_CODECS
        ]
        if not streams:
            file.close()
            raise DataError(f"{self.path} holds no pictures that could be decoded.")
        # Files with several angles or sizes mark one as the default.
        stream = next((s for s in streams if s.disposition & Disposition.default), streams[0])
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > LARGEST:
            file.close()
            raise DataError(
                f"Video {self.path} claims {width} x {height} pixels; it is damaged, or scale it "
                "down."
            )
        return file, stream

    def decoded(
        self, begin: float, fps: float, on_damage: OnDamage | None
    ) -> Iterator[tuple[float, Any]]:
        """Yield the second and the frame, from the last one at or before ``begin`` on."""
        self._ready(fps)
        for early in (0.0, EARLIER):
            if begin > early and self._sought(begin - early):
                following = self._frames(begin - early, on_damage)
                first = next(following, None)
                if first is not None and first[0] <= begin:
                    yield first
                    yield from following
                    return
                # The index leads too far, or there is none: start further back, or at 0.
                self.file.close()
                self.file, self.stream = self._open()
                self._ready(fps)
        yield from self._frames(0.0, on_damage)

    def lasts(self, frame: Any) -> float:
        """Return for how many seconds a frame is shown, 0 where the file does not say."""
        return float((frame.duration or 0) * frame.time_base) if frame.time_base else 0.0

    def _ready(self, fps: float) -> None:
        self.stream.thread_type = "AUTO"
        if 1 / self._step >= DENSE * fps:
            self.stream.codec_context.skip_frame = "NONREF"

    def _sought(self, seconds: float) -> bool:
        try:
            ticks = int((self._origin + seconds) / (self.stream.time_base or 1))
            self.file.seek(ticks, stream=self.stream)
        except self._errors:
            return False
        return True

    def _frames(self, near: float, on_damage: OnDamage | None) -> Iterator[tuple[float, Any]]:
        at, lost = near - self._step, 0

        def report(reason: str) -> None:
            self.damages = self.damages or reason
            if on_damage is not None:
                on_damage(max(0.0, at), reason)

        packets = self.file.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
            except self._errors as error:
                report(_reason(error))
                return
            try:
                frames = packet.decode()
                lost = 0 if frames else lost
            except self._errors as error:
                report(_reason(error))
                frames, lost = [], lost + 1
                if lost >= HOPELESS:
                    return
            for frame in frames:
                at = at + self._step if frame.time is None else frame.time - self._origin
                if frame.is_corrupt:
                    report("a frame is damaged")
                else:
                    yield at, frame

    def picture(self, at: float, frame: Any, longest: int) -> Picture:
        """Convert a frame to a picture: scaled, in RGB, upright."""
        width, height = frame.width * self._aspect, float(frame.height)
        if self._aspect < 1:  # pixels become square by stretching their shorter side
            width, height = float(frame.width), frame.height / self._aspect
        scale = min(1.0, longest / max(width, height))
        try:
            plain = self._reformatter.reformat(
                frame,
                max(1, round(width * scale)),
                max(1, round(height * scale)),
                "rgb24",
                interpolation="AREA",
            )
            rgb = plain.to_ndarray()
        except self._errors as error:
            raise DataError(
                f"Cannot convert the pictures of {self.path}: {_reason(error)}; "
                "convert it, e.g. to MP4."
            ) from None
        turns = round(frame.rotation / 90) % 4
        return Picture(max(0.0, at), np.ascontiguousarray(np.rot90(rgb, turns)), scale)


def _reformatter() -> Any:
    """Return one converter for all frames: each frame's own would be set up 14 times as long."""
    from av.video.reformatter import VideoReformatter

    return VideoReformatter()


def _is_heic(path: Path | str) -> bool:
    return Path(path).is_file() and is_heic(read_head(Path(path)))


def cell_of(seconds: float, fps: float) -> int:
    """Return the number of the cell of 1/``fps`` seconds in which a picture begins."""
    return math.floor(seconds * fps + 1e-6)


def shrunk(rgb: np.ndarray, longest: int, at: float = 0.0) -> Picture:
    """Scale a picture down to ``longest`` pixels, as `_Film.picture` does.

    Args:
        rgb: [H, W, 3] uint8.
        longest: pixels of the longer side at most.
        at: the second of the picture.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, longest / max(width, height))
    if scale == 1:
        return Picture(at, np.array(rgb, order="C"))
    import av

    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = frame.reformat(*size, "rgb24", interpolation="AREA").to_ndarray()
    return Picture(at, np.ascontiguousarray(small), scale)


def _opened(path: Path | str) -> _Film:
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no video file {path}.")
    if not path.stat().st_size:
        raise DataError(f"Video {path} is empty (0 bytes).")
    if picture_format(path) is None:
        refuse_other(path, read_head(path))
    try:
        import av
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"{path} needs the package av, which reads pictures; `pip install av` brings it."
        ) from None
    # PyAV itself fails on streams that begin late (IndexError) and on times beyond 64 bits.
    return _Film(path, (av.FFmpegError, ValueError, OSError, LookupError, OverflowError))


def _reason(error: Exception) -> str:
    reason = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return reason[:1].lower() + reason[1:]
