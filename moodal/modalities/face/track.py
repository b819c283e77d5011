"""Track faces from picture to picture and choose the main one.

A known face is followed by its landmarks: those of one picture say where they are looked for in the
next one. Whole pictures are searched once per second, and immediately when a face is lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from moodal.media.video import Picture
from moodal.modalities.face.align import Pose, crop, crop_square, pose
from moodal.modalities.face.crops import landmarks_of_crop, whole
from moodal.modalities.face.detect import SAME, Detection, detect, distinct
from moodal.modalities.face.gallery import Gallery
from moodal.modalities.face.landmarks import PRESENT, Landmarks, first_landmarks, landmarks
from moodal.modalities.face.picture import (
    SIDE,
    Box,
    coarse,
    overlap,
    require_picture,
    sharpness,
)

EVERY, DEEP_EVERY = 1.0, 10.0
"""Seconds between searches of whole pictures, and between those that also detect small faces."""

TILES = (0.5, 0.2)
"""Sides of the tiles of the deeper search, by the picture's longer side: with 960 pixels, faces
of 24 pixels or more are found."""

SOUGHT, REMEMBERED = 1.0, 3.0
"""Seconds for which a lost face is searched at its last place, and for which a face detected there
counts as the same."""

MOST = 10
"""The largest number of faces that are tracked at the same time."""

CUT = 30.0
"""The mean difference of two pictures, coarsened to 16 x 16 (of 255), from which on a film was cut
between them; people who move within a scene stay below 10."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A face in one picture.

    Attributes:
        track: number of the tracked face.
        at: time of the picture in seconds.
        landmarks: in pixels of the picture.
        pose: how the head is turned.
        face: [48, 48] uint8 grey, see `moodal.modalities.face.align.crop`.
        pixels: the crop's side in pixels of the file.
        sharpness: see `moodal.modalities.face.picture.sharpness`.
    """

    track: int
    at: float
    landmarks: Landmarks
    pose: Pose
    face: np.ndarray
    pixels: float
    sharpness: float

    @property
    def box(self) -> Box:
        """The bounding box of the landmarks, in pixels of the picture."""
        return self.landmarks.box


@dataclass(slots=True)
class Track:
    """One face over time; 12 bytes per sighting, so that hours fit into memory.

    Attributes:
        number: from 0, in the order of the first sightings.
        times: seconds of each sighting.
        sides: the crop's side in pixels of the file, of each sighting.
    """

    number: int
    times: array[float] = field(default_factory=lambda: array("d"))
    sides: array[float] = field(default_factory=lambda: array("f"))

    def __len__(self) -> int:
        return len(self.times)

    def add(self, sighting: Sighting) -> None:
        """Append a sighting."""
        self.times.append(sighting.at)
        self.sides.append(sighting.pixels)

    @property
    def pixels(self) -> float:
        """The median side of its crops, in pixels of the file."""
        return float(np.median(self.sides)) if self.times else 0.0

    @property
    def weight(self) -> float:
        """The prominence of the face: the sum of its crops' sides over its sightings."""
        return float(sum(self.sides))


def main_track(tracks: Iterable[Track]) -> Track | None:
    """Return the face that is seen longest and largest, with the highest `Track.weight`."""
    return max(tracks, key=lambda t: (t.weight, -t.number), default=None)


@dataclass(slots=True)
class _Live:
    """A face that was seen recently."""

    track: Track
    face: Landmarks
    seen: float


class Follower:
    """A tracker that numbers the faces of a video; pictures must come in the order of time.

    Attributes:
        tracks: number -> the track of that face.
        looked: number of pictures so far.
        crowded: whether the latest picture shows more faces than are followed.
    """

    def __init__(self) -> None:
        self.tracks: dict[int, Track] = {}
        self.looked = 0
        self.crowded = False
        self._live: list[_Live] = []
        self._gallery = Gallery()
        self._thumbnail: np.ndarray | None = None
        self._whole = self._deep = -np.inf

    def look(self, picture: Picture) -> list[Sighting]:
        """Return the faces of the next picture, the largest first.

        A picture of a crop's size is one face, see `moodal.modalities.face.crops`.

        Raises:
            DataError: the array is not a picture.
        """
        require_picture(picture.rgb)
        if picture.rgb.shape[:2] == (SIDE, SIDE):
            return self._crop(picture)
        rgb, at = picture.rgb, picture.at
        self.looked += 1
        if self._is_cut(rgb):
            self._live = []
            self._deep = -np.inf
        self._live = [x for x in self._live if at - x.seen <= REMEMBERED]
        lost = not self._follow(rgb, at)
        if lost or at - self._whole >= EVERY:
            self._search(rgb, at)
        current = [x for x in self._live if x.seen == at]
        return [self._sighting(x, rgb, picture.scale) for x in sorted(current, key=_size)]

    def _is_cut(self, rgb: np.ndarray) -> bool:
        """Return whether the film was cut before this picture, so that places mean nothing."""
        previous, self._thumbnail = self._thumbnail, coarse(rgb)
        return previous is not None and float(np.abs(self._thumbnail - previous).mean()) > CUT

    def _crop(self, picture: Picture) -> list[Sighting]:
        """Return the face that a crop shows; where no landmarks are found, the whole picture."""
        self.looked += 1
        track = self.tracks.setdefault(0, Track(0))
        face = landmarks_of_crop(picture.rgb)
        sighting = _sighting(face, picture.rgb, picture.at, scale=picture.scale)
        if face.score < PRESENT:
            if (pixels := whole(picture.rgb)) is None:
                return []
            side = SIDE / picture.scale
            sighting = replace(sighting, face=pixels, pixels=side, sharpness=sharpness(pixels))
        track.add(sighting)
        return [sighting]

    def _follow(self, rgb: np.ndarray, at: float) -> bool:
        """Look for the faces at their last places; return whether all recent ones are there."""
        expected = sorted((x for x in self._live if at - x.seen <= SOUGHT), key=_size)
        faces = landmarks(rgb, [x.face.square for x in expected])
        complete = bool(expected)
        for live, face in zip(expected, faces, strict=True):
            others = (x.face.box for x in self._live if x.seen == at)
            if face.score < PRESENT or any(overlap(face.box, other) > SAME for other in others):
                complete = False
                continue
            live.face, live.seen = face, at
        return complete

    def _search(self, rgb: np.ndarray, at: float) -> None:
        """Search the whole picture for lost and new faces."""
        self.crowded = False
        faceless = not any(x.seen == at for x in self._live)
        detections = detect(rgb)
        wait = EVERY if faceless and not detections else DEEP_EVERY
        if at - self._deep >= wait:
            self._deep = at
            longest = max(rgb.shape[:2])
            for share in TILES:
                detections = distinct(detections + detect(rgb, tile=round(share * longest)))
        self._whole = at
        self._take(rgb, detections, at)

    def _take(self, rgb: np.ndarray, detections: list[Detection], at: float) -> None:
        """Give each detected face that is not followed yet to the track that it continues."""
        here = [x.face.box for x in self._live if x.seen == at]
        new = [d for d in detections if not any(_covers(box, d.box) for box in here)]
        for face in first_landmarks(rgb, [d.square for d in new[: MOST + 1]], turned=True):
            box = face.box
            if face.score < PRESENT or any(overlap(box, other) > SAME for other in here):
                continue
            here.append(box)
            lost = [x for x in self._live if x.seen < at and _near(x.face.box, box)]
            if lost:
                live = max(lost, key=lambda x: overlap(x.face.box, box))
                live.face, live.seen = face, at
            elif len(self._live) >= MOST:
                self.crowded = True
            else:
                self._live.append(_Live(self._track_of(face, rgb), face, at))

    def _track_of(self, face: Landmarks, rgb: np.ndarray) -> Track:
        """Return the track of a face that appears: that of a face with its looks, or a new one."""
        present = {x.track.number for x in self._live}
        number = self._gallery.find(crop(rgb, pose(face)), without=present)
        if number is None:
            number = len(self.tracks)
            self.tracks[number] = Track(number)
        return self.tracks[number]

    def _sighting(self, live: _Live, rgb: np.ndarray, scale: float) -> Sighting:
        sighting = _sighting(live.face, rgb, live.seen, number=live.track.number, scale=scale)
        live.track.add(sighting)
        self._gallery.add(sighting.track, sighting.at, sighting.face)
        return sighting


def _sighting(
    face: Landmarks, picture: np.ndarray, at: float, *, number: int = 0, scale: float = 1.0
) -> Sighting:
    """Return the sighting of a face with known landmarks.

    Args:
        number: of its track.
        scale: pixels of the picture per pixel of its file.
    """
    head = pose(face)
    pixels = crop(picture, head)
    side = crop_square(head).side / scale
    return Sighting(number, at, face, head, pixels, side, sharpness(pixels))


def _size(live: _Live) -> float:
    return -live.face.box.side


def _covers(face: Box, detected: Box) -> bool:
    """Return whether the middle of a detected face lies in the box of a known one."""
    x, y = detected.centre
    return face.left < x < face.right and face.top < y < face.bottom


def _near(a: Box, b: Box) -> bool:
    """Return whether two boxes are close and similar enough to show the same face."""
    distance = max(abs(p - q) for p, q in zip(a.centre, b.centre, strict=True))
    return distance < 0.6 * max(a.side, b.side) and 0.55 < a.side / b.side < 1.8
