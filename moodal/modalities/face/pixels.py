"""Encoder of the main face as its pixels, for a face network that runs within the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.records import Sound
from moodal.media.video import check_video, frames
from moodal.modalities.encoder import Encoder, Item, specification
from moodal.modalities.face.crops import aligned
from moodal.modalities.face.landmarks import FOLDER
from moodal.modalities.face.picture import SIDE
from moodal.modalities.face.track import Follower, main_track

LONGEST = 960
"""Pixels of the longer side of the pictures in which faces are searched."""

GRAPHS = (FOLDER / "detector.onnx", FOLDER / "landmarks.onnx")
"""The graphs by which faces are found."""

TOGETHER = 32
"""Faces in one batch of a network."""


@dataclass(frozen=True)
class Pixels(Encoder):
    """The main face of a clip [T, 2304]: 48 x 48 grey pixels, row by row, from 0 to 1.

    Faces are upright and framed as in FER2013 (`moodal.modalities.face.align.crop`).
    T is the number of pictures that show the face, 0 where none does.

    Attributes:
        fps: pictures per second in which faces are searched.
    """

    fps: float = 5.0
    name: ClassVar[str] = "pixels"
    stream: ClassVar[str] = "face"
    width: ClassVar[int] = SIDE * SIDE
    dtype: ClassVar[str] = "float16"
    # dlib's crops, and the same landmarks by a slower graph (equal to 3e-4 of 256 pixels)
    replaces: ClassVar[tuple[str, ...]] = ("dlib-bin", "weights 5cd816af6868")

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 60:
            raise UsageError(f"Encoder pixels: fps is above 0 and at most 60; got {self.fps}.")

    @property
    def rate(self) -> float:
        """Steps per second, where every picture shows the face."""
        return float(self.fps)

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return specification(self, packages=(), weights=GRAPHS, revision=2)

    def check(self, item: Item) -> None:
        """Raise DataError if the clip is missing or holds no pictures."""
        if not isinstance(item, str | Sound | np.ndarray):
            check_video(item.path)

    def encode(self, item: Item) -> np.ndarray:
        """Return the main face [T, 2304] float32 of a clip or an array.

        An array holds faces as `moodal.modalities.face.align.crop` crops them [n, 48, 48], or
        pictures that each show one face [n, H, W, 1 or 3], which are cropped first.

        Raises:
            DataError: the clip cannot be read, or the array holds no such pictures.
        """
        if isinstance(item, str | Sound):
            kind = "a text" if isinstance(item, str) else "sound"
            raise UsageError(f"This encoder reads pictures; got {kind}. Give a Clip or face crops.")
        if isinstance(item, np.ndarray) and item.ndim == 4:
            grey = item[..., 0] if item.shape[3] == 1 else item
            faces = [face for picture in grey if (face := aligned(picture)) is not None]
            return values(np.array(faces, np.uint8).reshape(-1, SIDE, SIDE))
        if isinstance(item, np.ndarray):
            if item.shape[1:] != (SIDE, SIDE) or item.dtype != np.uint8:
                raise DataError(
                    f"Face crops are [n, {SIDE}, {SIDE}] uint8; got {list(item.shape)} of "
                    f"{item.dtype}."
                )
            return values(item)
        follower = Follower()
        by_track: dict[int, list[np.ndarray]] = {}
        pictures = frames(item.path, self.fps, start=item.start, end=item.end, longest=LONGEST)
        for picture in pictures:
            for sighting in follower.look(picture):
                by_track.setdefault(sighting.track, []).append(sighting.face)
        main = main_track(follower.tracks.values())
        if main is None:
            return np.zeros((0, self.width), np.float32)
        return values(np.stack(by_track[main.number]))

    def raw(self, features: np.ndarray) -> Item | None:
        """Return features [T, 2304] that came in files as the pictures that they are."""
        if features.shape[1] != self.width:
            return None
        grey = np.rint(features.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)
        return grey.reshape(-1, SIDE, SIDE, 1)


def values(faces: np.ndarray) -> np.ndarray:
    """Convert crops [..., 48, 48] uint8 to rows [..., 2304] float32 from 0 to 1."""
    return faces.reshape(*faces.shape[:-2], SIDE * SIDE).astype(np.float32) / 255
