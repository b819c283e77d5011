"""Seen: the faces of a recording and what the face branch says of each, picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from moodal.media.probe import probe
from moodal.media.video import frames
from moodal.modalities.face.detect import Box
from moodal.modalities.face.pixels import LONGEST, TOGETHER, values
from moodal.modalities.face.quality import (
    Follower,
    Sighting,
    by_track,
    face_flags,
    face_quality,
    follow,
    main_of,
)
from moodal.modalities.modality import FaceReader, Reading

SHOWN = 24
"""Faces that are kept to be shown, at most."""
NOTHING = np.zeros((0, 0), np.uint8)


@dataclass
class Seen:
    """Faces over time: a few numbers each, so that hours of them fit.

    Attributes:
        sightings: in the order of time, without their pictures.
        logits: of each, [C] without the constants.
        times: seconds of all pictures that were looked at.
        shown: (seconds, [48, 48] uint8) of some.
    """

    fps: float
    sightings: list[Sighting] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    shown: list[tuple[float, np.ndarray]] = field(default_factory=list)

    @cached_property
    def _clock(self) -> tuple[np.ndarray, np.ndarray]:
        """Seconds of the sightings and of the pictures, once all are there."""
        return np.array([s.at for s in self.sightings]), np.array(self.times)

    @property
    def last(self) -> float:
        """Seconds at which the last picture ends."""
        return self.times[-1] + 1 / self.fps if self.times else 0.0

    def readings(
        self, reader: FaceReader, start: float | None, end: float | None, every: bool
    ) -> dict[int, Reading]:
        """Number of a face -> what it says from ``start`` to ``end`` (None: throughout).

        Args:
            every: of all faces; else of the main one of this stretch alone.
        """
        low = -np.inf if start is None else start - 0.5 / self.fps
        high = np.inf if end is None else end + 0.5 / self.fps
        seen_at, looked_at = self._clock
        first, last = np.searchsorted(seen_at, [low, high])
        here = range(int(first), int(last))
        looked = int(np.diff(np.searchsorted(looked_at, [low, high]))[0])
        main = main_of([self.sightings[i] for i in here])
        found = {}
        for track, own in by_track([self.sightings[i] for i in here]).items():
            if every or track == main:
                rows = [i for i in here if self.sightings[i].track == track]
                reading = reader.face(
                    [
                        (self.sightings[i].at, self.sightings[i].at + 1 / self.fps, self.logits[i])
                        for i in rows
                    ]
                )
                quality = face_quality(own, looked)
                found[track] = Reading(reading.logits, reading.parts, quality, face_flags(quality))
        return found


def look(
    path: Path | str, reader: FaceReader, fps: float, on_damage: Callable[[str], None]
) -> Seen:
    """Find, follow and read the faces of a video or an image.

    Raises:
        DataError: it holds no picture that can be decoded.
    """
    seen, every = Seen(fps), 1.0
    waiting: list[np.ndarray] = []

    def read() -> None:
        if waiting:
            seen.logits.extend(reader.seen(values(np.stack(waiting))))
            waiting.clear()

    def damage(at: float, said: str) -> None:
        on_damage(f"Some pictures cannot be decoded ({said}).")

    if is_crop(probe(path)):
        sightings = _of_crop(path)
    else:
        pictures = frames(path, fps, longest=LONGEST, on_damage=damage)
        sightings = follow(pictures, Follower())
    for at, here in sightings:
        seen.times.append(at)
        for sighting in here:
            waiting.append(sighting.face)
            if not seen.shown or at - seen.shown[-1][0] >= every:
                seen.shown.append((at, sighting.face.copy()))
                if len(seen.shown) > SHOWN:  # every other of them stays, and half as many follow
                    seen.shown = seen.shown[::2]
                    every *= 2
            seen.sightings.append(
                Sighting(
                    sighting.track,
                    at,
                    _bare(sighting.box),
                    NOTHING,
                    sighting.pixels,
                    sighting.sharpness,
                )
            )
        if len(waiting) >= TOGETHER:
            read()
    read()
    return seen


def _of_crop(path: Path | str) -> Iterator[tuple[float, list[Sighting]]]:
    """Yield the one sighting of a picture that is a face already, with the detector's score."""
    for picture in frames(path):
        face = luma(picture.rgb)
        half, middle = SIDE / MARGIN / 2, SIDE / 2
        lower = middle + LIFT * 2 * half
        box = Box(middle - half, lower - half, middle + half, lower + half)
        box = near(face, box) or box
        yield picture.at, [Sighting(0, picture.at, box, face, float(SIDE), sharpness(face))]


def _bare(box: Box) -> Box:
    return Box(box.left, box.top, box.right, box.bottom, box.score)
