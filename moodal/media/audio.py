"""Audio files -> arrays.

Reads what libsndfile reads (WAV, FLAC, Ogg Vorbis and Opus, MP3, AIFF, ...), and with PyAV
the sound of video files and other containers (MP4, MKV, WebM, M4A, ...).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moodal.core.errors import DataError
from moodal.media.containers import NotAContainer, Sound

if TYPE_CHECKING:
    from soundfile import SoundFile

SLACK = 0.1
"""Seconds by which a span may overrun its file: annotations are rounded, files are not."""


def read_audio(
    path: Path | str,
    *,
    rate: int = 16000,
    start: float | None = None,
    end: float | None = None,
    mono: bool = True,
) -> np.ndarray:
    """The samples of a file, or of the span from ``start`` to ``end`` seconds.

    Only the span is read and decoded. Channels are averaged where ``mono``.

    Args:
        path: the file.
        rate: samples per second wanted; others are resampled (soxr, high quality).
        start: seconds, None for the beginning.
        end: seconds, None for the end; up to `SLACK` past it is taken as the end.
        mono: one channel.

    Returns:
        [samples] float32 in [-1, 1]; [samples, channels] where not ``mono``.

    Raises:
        DataError: the file is missing, unreadable or empty, holds NaN or infinity, or
            does not have that span.
    """
    import soundfile
    import soxr

    with _opened(path) as file:
        native, frames = _extent(file)
        first, last = _span(native, frames, path, start, end)
        if isinstance(file, Sound):
            samples = file.samples(first, last)
        else:
            try:
                file.seek(first)
                samples = file.read(last - first, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise DataError(f"Cannot decode audio {path}: {error}; record it anew.") from None
    if not len(samples):
        raise DataError(f"Audio {path} ends before its header says; record it anew.")
    if not np.isfinite(samples).all():
        raise DataError(f"Audio {path} holds NaN or infinity; record it anew.")
    if mono:
        samples = samples.mean(axis=1)
    if native != rate:
        samples = soxr.resample(samples, native, rate)
    # Resampling and lossy codecs overshoot a little.
    return np.clip(samples, -1, 1, dtype=np.float32)


def check_audio(path: Path | str, start: float | None = None, end: float | None = None) -> float:
    """Whether a file and a span of it can be read, from its header alone.

    Returns:
        The seconds of the span.

    Raises:
        DataError: as `read_audio`, but for damage further in.
    """
    with _opened(path) as file:
        native, frames = _extent(file)
        first, last = _span(native, frames, path, start, end)
        return float((last - first) / native)


def _extent(file: SoundFile | Sound) -> tuple[int, int]:
    """Samples a second, and how many there are."""
    if isinstance(file, Sound):
        return file.rate, round(file.seconds * file.rate)
    return int(file.samplerate), int(file.frames)


def _opened(path: Path | str) -> SoundFile | Sound:
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no audio file {path}.")
    if not path.stat().st_size:
        raise DataError(f"Audio {path} is empty (0 bytes).")
    try:
        return soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, RuntimeError, OSError, TypeError, ValueError):
        pass  # TypeError: of a file called .raw it wants to be told the format
    try:
        return Sound(path)
    except NotAContainer:
        raise DataError(
            f"Cannot read audio {path}: not a WAV, FLAC, Ogg, MP3 or AIFF file, no video with "
            f"sound, or damaged; convert it, e.g. `ffmpeg -i {path.name} {path.stem}-mended.wav`."
        ) from None


def _span(
    rate: int, frames: int, path: Path | str, start: float | None, end: float | None
) -> tuple[int, int]:
    """First sample and the one after the last, at the file's own rate."""
    if not frames:
        raise DataError(f"Audio {path} holds no samples.")
    seconds = frames / rate
    begin = 0.0 if start is None else start
    stop = seconds if end is None else end
    if not 0 <= begin < stop <= seconds + SLACK or begin >= seconds:
        raise DataError(f"Audio {path} is {seconds:.3f} s long and has no span {begin}-{stop} s.")
    first = min(round(begin * rate), frames - 1)
    return first, max(first + 1, min(round(stop * rate), frames))
