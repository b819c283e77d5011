"""The pixels of the main face, for a face network whose layers run within the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.records import Sound
from moodal.media.video import check_video, frames
from moodal.modalities.encoder import Encoder, Item, specification
from moodal.modalities.face.detect import SIDE, crop, detect, luma, resample
from moodal.modalities.face.track import Follower, main_track

LONGEST = 960
"""Pixels of the longer side at which videos are looked at."""

TOGETHER = 32
"""Faces that go through a network at once."""


@dataclass(frozen=True)
class Pixels(Encoder):
    """A clip's main face, one a step: [T, 2304], the 48 x 48 grey pixels row by row, 0 to 1.

    Framed as FER2013 frames its faces (`moodal.modalities.face.detect.crop`), and not normalised.
    T is the number of pictures in which the face is seen, 0 where there is none.

    Attributes:
        fps: pictures per second that are looked at.
    """

    fps: float = 5.0
    name: ClassVar[str] = "pixels"
    stream: ClassVar[str] = "face"
    width: ClassVar[int] = SIDE * SIDE
    dtype: ClassVar[str] = "float16"

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 60:
            raise UsageError(f"Encoder pixels: fps is above 0 and at most 60; got {self.fps}.")

    @property
    def rate(self) -> float:
        """Steps per second, where the face is seen throughout."""
        return float(self.fps)

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return specification(self, packages=["dlib-bin", "av"])

    def check(self, item: Item) -> None:
        """Raise DataError if the clip is missing or holds no pictures."""
        if not isinstance(item, str | Sound | np.ndarray):
            check_video(item.path)

    def encode(self, item: Item) -> np.ndarray:
        """Return the main face [T, 2304] float32 of a clip, or face crops [n, 48, 48] as such rows.

        Raises:
            DataError: the clip cannot be read, or the array holds no such crops.
        """
        if isinstance(item, str | Sound):
            kind = "a text" if isinstance(item, str) else "sound"
            raise UsageError(f"This encoder reads pictures; got {kind}. Give a Clip or face crops.")
        if isinstance(item, np.ndarray):
            if item.shape[1:] != (SIDE, SIDE) or item.dtype != np.uint8:
                raise DataError(
                    f"Face crops are [n, {SIDE}, {SIDE}] uint8; got {list(item.shape)} of "
                    f"{item.dtype}."
                )
            return values(item)
        follower = Follower()
        faces: dict[int, list[np.ndarray]] = {}
        pictures = frames(item.path, self.fps, start=item.start, end=item.end, longest=LONGEST)
        for picture in pictures:
            for seen in follower.look(picture):
                faces.setdefault(seen.track, []).append(seen.face)
        main = main_track(follower.tracks.values())
        if main is None:
            return np.zeros((0, self.width), np.float32)
        return values(np.stack(faces[main.number]))

    def of_image(self, picture: np.ndarray, found: bool = True) -> np.ndarray:
        """The same of one picture [H, W, 3] RGB or [H, W] grey, uint8: [T, 2304], T is 0 or 1.

        Args:
            picture: the picture.
            found: it is the crop of a face already, framed as FER2013's; else the largest face
                in it is taken.

        Raises:
            DataError: it is no such array.
        """
        grey = luma(picture)
        if found:
            if grey.shape != (SIDE, SIDE):
                grey = resample(grey, 0, 0, grey.shape[1], grey.shape[0])
            return values(grey[None])
        boxes = detect(grey)
        if not boxes:
            return np.zeros((0, self.width), np.float32)
        return values(crop(grey, max(boxes, key=lambda b: b.side))[None])


def values(faces: np.ndarray) -> np.ndarray:
    """Crops [..., 48, 48] uint8 -> [..., 2304] float32, 0 to 1."""
    return faces.reshape(*faces.shape[:-2], SIDE * SIDE).astype(np.float32) / 255
