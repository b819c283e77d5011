"""The sound of a file, or of a span of it, as one array; damaged files are refused.

Corpora are read in this way. `moodal.media.blocks` reads the same sound block by block, and past
any damage.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moodal.core.errors import AbsentError, DataError
from moodal.media.decoder import decode, sound_seconds
from moodal.media.samples import Damage
from moodal.media.sniff import as_text, read_head, refuse_other

SLACK = 0.1
"""Seconds by which a span may overrun its file: annotations are rounded, files are not."""


def read_audio(
    path: Path | str,
    *,
    rate: int = 16000,
    start: float | None = None,
    end: float | None = None,
) -> np.ndarray:
    """Read the samples of a file, or of the span from ``start`` to ``end`` seconds.

    Only the span is decoded. Channels are averaged.

    Args:
        path: the file, of any kind that libsndfile or FFmpeg reads.
        rate: samples per second wanted; others are resampled (soxr, high quality).
        start: seconds, None for the beginning.
        end: seconds, None for the end; up to `SLACK` past it is taken as the end.

    Returns:
        [samples] float32 in [-1, 1].

    Raises:
        DataError: the file is missing, unreadable or empty, holds NaN or infinity, or
            does not have that span.
        AbsentError: it has pictures, but no sound.
    """
    import soxr

    path, damage = Path(path), Damage()
    begin, stop = _span(path, start, end)
    pieces = list(decode(path, begin, stop, damage))
    if damage.lost:
        raise DataError(f"Cannot decode audio {path}: {damage.lost[0][0]}; record it again.")
    if not pieces:
        raise DataError(f"Audio {path} ends before its header says; record it again.")
    native, samples = pieces[0][0], np.concatenate([samples for _, samples in pieces])
    if native != rate:
        samples = soxr.resample(samples, native, rate)
    # Resampling and lossy codecs overshoot a little.
    return np.clip(samples, -1, 1, dtype=np.float32)


def check_audio(path: Path | str, start: float | None = None, end: float | None = None) -> float:
    """Check from the header of a file that it, or a span of it, can be read.

    Returns:
        The seconds of the span.

    Raises:
        DataError: as `read_audio`, but for damage further in.
    """
    path = Path(path)
    begin, stop = _span(path, start, end)
    return min(stop, _seconds(path)) - begin


def _span(path: Path, start: float | None, end: float | None) -> tuple[float, float]:
    """Return the first and the last second of a span that the file has."""
    seconds = _seconds(path)
    begin = 0.0 if start is None else start
    stop = seconds if end is None else end
    if not 0 <= begin < stop <= seconds + SLACK or begin >= seconds:
        raise DataError(f"Audio {path} is {seconds:.3f} s long and has no span {begin}-{stop} s.")
    return begin, float("inf") if end is None else stop


def _seconds(path: Path) -> float:
    """Return the length of a file's sound.

    Raises:
        DataError: it has no sound that can be read.
    """
    head = read_head(path)
    refuse_other(path, head)
    if as_text(head) is not None:
        raise DataError(
            f"Cannot read audio {path}: it is a text, not a recording; copy or download it again."
        )
    try:
        seconds = sound_seconds(path)
    except AbsentError:
        raise
    except DataError:
        raise _unreadable(path) from None
    if not seconds:
        raise DataError(f"Audio {path} holds no samples.")
    return seconds


def _unreadable(path: Path) -> DataError:
    return DataError(
        f"Cannot read audio {path}: not a WAV, FLAC, Ogg, MP3 or AIFF file, no video with sound, "
        f"or damaged; convert it, e.g. `ffmpeg -i {path.name} {path.stem}-converted.wav`."
    )
