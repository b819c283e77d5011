"""Playback: a file as if it were live, its sound in short blocks between its pictures."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from pathlib import Path

from moodal.core.errors import UsageError
from moodal.media.blocks import Block, blocks
from moodal.media.probe import Media, probe
from moodal.media.video import Picture, frames

BLOCK = 0.1
"""Seconds of a block of sound."""


class Playback:
    """A file that is played as if it were live.

    Args:
        path: an audio or video file.
        fps: pictures per second that are shown.
        longest: pixels of the longer side of a picture, at most.
        fast: whether it is played as fast as it is heard, not in real time.
        track: the sound track of a file with several.

    Raises:
        DataError: it cannot be read.
        UsageError: it has neither sound nor moving pictures.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        *,
        longest: int = 960,
        fast: bool = False,
        track: int | str | None = None,
    ):
        self.media: Media = probe(path)
        if self.media.kind not in ("audio", "video"):
            raise UsageError(
                f"{path} has no sound and no moving pictures that could be played; "
                "`moodal predict` reads it."
            )
        self._path, self._fps, self._longest = path, fps, longest
        self._fast, self._track = fast, track

    @property
    def has_sound(self) -> bool:
        """True if it gives blocks of sound at 16 kHz."""
        return self.media.has_audio

    @property
    def has_pictures(self) -> bool:
        """True if it gives pictures."""
        return self.media.has_video

    def __iter__(self) -> Iterator[Block | Picture]:
        began = time.monotonic()
        for at, event in heapq.merge(self._pictures(), self._sound(), key=lambda pair: pair[0]):
            if not self._fast:
                time.sleep(max(0.0, began + at - time.monotonic()))
            yield event

    def _sound(self) -> Iterator[tuple[float, Block | Picture]]:
        if self.has_sound:
            for block in blocks(self._path, seconds=BLOCK, track=self._track):
                yield block.start + BLOCK, block

    def _pictures(self) -> Iterator[tuple[float, Block | Picture]]:
        if self.has_pictures:
            for picture in frames(self._path, self._fps, longest=self._longest):
                yield picture.at, picture
