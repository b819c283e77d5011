"""Recording: anything that can be predicted, opened: a file, bytes, a pipe, an array, a stream.

What follows reads its sound and its pictures in the same way, whatever it came from.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.media.blocks import Block, array_blocks, blocks, live_blocks
from moodal.media.container import channels_of
from moodal.media.probe import Kind, probe
from moodal.media.samples import Track
from moodal.media.video import Picture, frames

SECONDS = 1.0
"""Length of the blocks of sound, so that what is heard can be told soon."""

OnDamage = Callable[[str], None]
"""Called with one sentence for each kind of damage."""


class Readable(Protocol):
    """A binary file object, such as `io.BytesIO`, an open file or a pipe."""

    def read(self, size: int = ..., /) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        ...


Bytes = bytes | bytearray | memoryview

Source = Path | str | Bytes | np.ndarray | Readable | Iterable[np.ndarray] | None
"""What a recording may be: a path, the bytes of a file, a binary file object, samples [n] or
[n, channels], a picture [height, width, 3] uint8, or an iterable of arrays of samples as they are
recorded."""


@dataclass(frozen=True)
class Recording:
    """A source that was opened: its kind, and readers of its sound and pictures, block by block.

    Attributes:
        name: the path as it was named, "" for what has none.
        kind: "audio", "video", "image", "text" or "subtitles".
        seconds: as the header says; None where nothing tells.
        sound: gives the blocks of the sound at 16 kHz, from the beginning; None without sound.
        pictures: gives the pictures, at most so many a second, and None for one that has not come
            yet; None without pictures.
        path: where a text or subtitles lie.
        channels: of its sound; None where nothing tells, or there is no sound.
        is_live: whether its pictures come as they are made, so that none may be read ahead.
    """

    name: str
    kind: Kind
    seconds: float | None = None
    sound: Callable[[OnDamage], Iterator[Block]] | None = None
    pictures: Callable[[float, int, OnDamage], Iterator[Picture | None]] | None = None
    path: Path | None = None
    channels: int | None = None
    is_live: bool = False


@contextlib.contextmanager
def opened(
    source: Source,
    rate: int | None = None,
    name: str | None = None,
    track: Track = None,
    channel: int | None = None,
) -> Iterator[Recording]:
    """Open a recording of any kind; what is copied for it is deleted in the end.

    Args:
        source: see `Source`.
        rate: samples per second of arrays.
        name: by which it goes in answers and messages; default: its path.
        track: the sound track of a file with several, see `moodal.media.blocks.blocks`.
        channel: the one channel of the sound that is read, from 0; None: all of them, mixed.

    Raises:
        DataError: it cannot be read.
        UsageError: it is of no kind that is known, or samples without a rate.
    """
    if isinstance(source, Path | str):
        yield _file(Path(source), str(source) if name is None else name, track, channel)
    elif isinstance(source, np.ndarray) and source.ndim == 3:
        picture = _picture(source)
        yield Recording(name or "", "image", pictures=lambda fps, longest, damage: iter([picture]))
    elif isinstance(source, np.ndarray):
        samples, at = source, _required(rate)
        yield Recording(
            name or "",
            "audio",
            sound=lambda damage: array_blocks(samples, at, channel=channel, on_damage=damage),
            channels=1 if samples.ndim == 1 else samples.shape[-1],
        )
    elif isinstance(source, Bytes):
        with _copied([bytes(source)], name, track, channel) as recording:
            yield recording
    elif isinstance(source, Iterable) and not hasattr(source, "read"):
        stream = iter(source)
        at = _required(rate)
        yield Recording(
            name or "", "audio", sound=lambda damage: live_blocks(stream, at, on_damage=damage)
        )
    elif callable(read := getattr(source, "read", None)):
        pieces = itertools.takewhile(len, (_bytes(read(1 << 20)) for _ in itertools.count()))
        with _copied(pieces, name, track, channel) as recording:
            yield recording
    else:
        raise UsageError(
            "A source is a path, the bytes of a file, a binary file object, samples as a numpy "
            f"array, or an iterable of such arrays, not a {type(source).__name__}."
        )


def _required(rate: int | None) -> int:
    if rate is None:
        raise UsageError("Samples need their rate, samples per second, e.g. rate=16000.")
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number):
        raise UsageError(f"rate is a number of samples per second; got {rate!r}.")
    return int(rate) if rate == rate and abs(rate) < float("inf") else 0


def _picture(array: np.ndarray) -> Picture:
    """Take an array as a picture.

    Raises:
        DataError: its shape or type is another.
    """
    if array.dtype != np.uint8 or array.shape[2] not in (3, 4) or not array.size:
        raise DataError(
            f"A picture is an array [height, width, 3] of uint8 (RGB), and samples are [n] or [n, "
            f"channels]; got {list(array.shape)} of {array.dtype}."
        )
    return Picture(0.0, np.ascontiguousarray(array[..., :3]))


def _bytes(piece: Any) -> bytes:
    if not isinstance(piece, bytes):
        raise UsageError("A file object must be opened in binary mode: open(path, 'rb').")
    return piece


@contextlib.contextmanager
def _copied(
    pieces: Iterable[bytes], name: str | None, track: Track, channel: int | None
) -> Iterator[Recording]:
    """Lay bytes down as a file, since many formats cannot be read from front to back."""
    label = name or "the recording"
    with tempfile.TemporaryDirectory(prefix="moodal-") as folder:
        path = Path(folder) / "input"
        with open(path, "wb") as file:
            file.writelines(pieces)
        if not path.stat().st_size:
            raise DataError(f"{label} is empty (0 bytes).")
        try:
            yield _file(path, name or "", track, channel)
        except MoodalError as error:
            raise type(error)(str(error).replace(str(path), label)) from None


def _file(path: Path, name: str, track: Track, channel: int | None) -> Recording:
    media = probe(path)
    sound: Callable[[OnDamage], Iterator[Block]] | None = None
    pictures: Callable[[float, int, OnDamage], Iterator[Picture | None]] | None = None
    if media.has_audio:

        def sound(damage: OnDamage) -> Iterator[Block]:
            return blocks(path, seconds=SECONDS, track=track, channel=channel, on_damage=damage)

    if media.has_video or media.kind == "image":

        def pictures(fps: float, longest: int, damage: OnDamage) -> Iterator[Picture]:
            def damaged(at: float, why: str) -> None:
                damage(f"Some pictures cannot be decoded ({why}).")

            return frames(path, fps, longest=longest, on_damage=damaged)

    channels = media.channels if track is None else channels_of(path, track)
    return Recording(name, media.kind, media.seconds, sound, pictures, path, channels)
