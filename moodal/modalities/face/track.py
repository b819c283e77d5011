"""Track faces from picture to picture and choose the main one.

A known face is searched in a window around its last place, which is cheap; whole pictures are
searched once per second, and immediately when a face is lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from moodal.media.video import Picture
from moodal.modalities.face.detect import (
    DEEP,
    LIFT,
    MARGIN,
    SIDE,
    SIZES,
    STILL,
    WIDE,
    Box,
    crop,
    detect_near,
    luma,
    overlap,
    same_face,
    search,
    sharpness,
)

EVERY, DEEP_EVERY = 1.0, 5.0
"""Seconds between searches of whole pictures, and between those that also detect small faces."""

SOUGHT, REMEMBERED = 1.0, 3.0
"""Seconds for which a lost face is searched at its last place, and for which a face detected there
counts as the same."""

MOST = 10
"""The largest number of faces that are tracked at the same time."""

TURNED = 0.7
"""The score that a face needs in a rotated picture before the whole video is rotated."""

TRIES = (1, 4, 16)
"""The numbers of pictures without a face after which rotated ones are tried."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face in one picture.

    Attributes:
        track: number of the tracked face.
        at: time of the picture in seconds.
        box: box in pixels of the picture (rotated by `Follower.turn`).
        face: [48, 48] uint8 grey, see `moodal.modalities.face.detect.crop`.
        pixels: the crop's side in pixels of the file.
        sharpness: see `moodal.modalities.face.detect.sharpness`.
    """

    track: int
    at: float
    box: Box
    face: np.ndarray
    pixels: float
    sharpness: float


@dataclass(slots=True)
class Track:
    """One face over time; 36 bytes per sighting, so that hours fit into memory.

    Attributes:
        number: from 0, in the order of the first sightings.
        times: seconds of each sighting.
        values: six numbers per sighting: left, top, right, bottom (pixels of the picture), the
            crop's side in pixels of the file, and the sharpness.
        scores: the detector's score of each sighting.
    """

    number: int
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("f"))
    scores: array[float] = field(default_factory=lambda: array("f"))

    def __len__(self) -> int:
        return len(self.times)

    def add(self, sighting: Sighting) -> None:
        """Append a sighting."""
        b = sighting.box
        self.times.append(sighting.at)
        self.scores.append(b.score)
        self.values.extend((b.left, b.top, b.right, b.bottom, sighting.pixels, sighting.sharpness))

    def boxes(self) -> list[tuple[float, Box]]:
        """Return seconds and box of each sighting."""
        v = self.values
        return [
            (at, Box(v[6 * i], v[6 * i + 1], v[6 * i + 2], v[6 * i + 3], self.scores[i]))
            for i, at in enumerate(self.times)
        ]

    @property
    def pixels(self) -> float:
        """The median side of its crops, in pixels of the file."""
        return float(np.median(self.values[4::6])) if self.times else 0.0

    @property
    def sharpness(self) -> float:
        """The median sharpness of its crops."""
        return float(np.median(self.values[5::6])) if self.times else 0.0

    @property
    def weight(self) -> float:
        """The prominence of the face: the sum of its crops' sides over its sightings."""
        return float(sum(self.values[4::6]))


def main_track(tracks: Iterable[Track]) -> Track | None:
    """Return the face that is seen longest and largest, with the highest `Track.weight`."""
    return max(tracks, key=lambda t: (t.weight, -t.number), default=None)


@dataclass(slots=True)
class _Live:
    """A face that was seen recently."""

    track: Track
    box: Box
    seen: float


class Follower:
    """A tracker that numbers the faces of a video; pictures must come in the order of time.

    Attributes:
        tracks: number -> the track of that face.
        looked: number of pictures so far.
        turn: counter-clockwise quarter turns after which faces are upright; 0 unless the video
            is rotated without a note in its file.
    """

    def __init__(self) -> None:
        self.tracks: dict[int, Track] = {}
        self.looked = 0
        self.turn = 0
        self._live: list[_Live] = []
        self._whole = self._deep = -np.inf

    def look(self, picture: Picture) -> list[Sighting]:
        """Return the faces of the next picture, the largest first.

        Raises:
            DataError: the array is not a picture.
        """
        grey, at = luma(np.rot90(picture.rgb, self.turn) if self.turn else picture.rgb), picture.at
        self.looked += 1
        self._live = [x for x in self._live if at - x.seen <= REMEMBERED]
        lost = not self._follow(grey, at)
        if lost or at - self._whole >= EVERY:
            self._search(grey, at)
        if not self.tracks and self.looked in TRIES:
            grey = self._turned(picture, grey, at)
        current = [x for x in self._live if x.seen == at]
        return [self._sighting(x, grey, picture.scale) for x in sorted(current, key=_size)]

    def _follow(self, grey: np.ndarray, at: float) -> bool:
        """Search faces at their last places; return whether all recent ones were detected."""
        expected = [x for x in self._live if at - x.seen <= SOUGHT]
        sizes = SIZES if len(expected) <= 2 else SIZES[:1]
        complete = bool(expected)
        for live in sorted(expected, key=_size):
            box = detect_near(grey, live.box, sizes=sizes)
            others = (x.box for x in self._live if x.seen == at)
            if box is None or any(overlap(box, other) > 0.4 for other in others):
                complete = False
                continue
            live.box, live.seen = _steady(live.box, box), at
        return complete

    def _search(self, grey: np.ndarray, at: float) -> None:
        """Search the whole picture for lost and new faces."""
        faceless = not any(x.seen == at for x in self._live)
        boxes: list[Box] = []
        wait = EVERY if faceless else DEEP_EVERY
        if at - self._deep < wait:
            boxes = search(grey, WIDE)
        else:
            self._deep = at
            boxes = search(grey, DEEP, edge=faceless)
        self._whole = at
        for box in boxes:
            if any(x.seen == at and _same(x.box, box) for x in self._live):
                continue
            matches = [x for x in self._live if x.seen < at and same_face(x.box, box)]
            if not matches and len(self._live) >= MOST:
                continue
            box = detect_near(grey, box, sizes=STILL if self.looked == 1 else SIZES) or box
            if matches:
                live = max(matches, key=lambda x: overlap(x.box, box))
                live.box, live.seen = box, at
            else:
                track = Track(len(self.tracks))
                self.tracks[track.number] = track
                self._live.append(_Live(track, box, at))

    def _turned(self, picture: Picture, grey: np.ndarray, at: float) -> np.ndarray:
        """Try rotated pictures, since the video may be rotated if no face was ever detected."""
        best = TURNED
        for turn in (1, 2, 3):
            for box in search(np.rot90(grey, turn), WIDE, least=best):
                self.turn, best = turn, box.score
        if not self.turn:
            return grey
        grey = luma(np.rot90(picture.rgb, self.turn))
        self._search(grey, at)
        return grey

    def _sighting(self, live: _Live, grey: np.ndarray, scale: float) -> Sighting:
        face = crop(grey, live.box)
        sighting = Sighting(
            live.track.number,
            live.seen,
            live.box,
            face,
            live.box.side * MARGIN / scale,
            sharpness(face),
        )
        live.track.add(sighting)
        return sighting


def _size(live: _Live) -> float:
    return -live.box.side


def _same(a: Box, b: Box) -> bool:
    """Return whether two boxes of one picture show the same face."""
    return overlap(a, b) > 0.3 or (same_face(a, b) and overlap(a, b) > 0.15)


def _steady(previous: Box, current: Box) -> Box:
    """Smooth the side of a box with the previous one's, since heads move but hardly grow."""
    x, y = current.centre
    half = (previous.side + current.side) / 4
    return Box(x - half, y - half, x + half, y + half, current.score)


def sighting_of(picture: Picture) -> Sighting:
    """Return the sighting of a picture that is itself a face crop, framed as in FER2013."""
    face = luma(picture.rgb)
    half, middle = SIDE / MARGIN / 2, SIDE / 2
    lower = middle + LIFT * 2 * half
    box = Box(middle - half, lower - half, middle + half, lower + half)
    box = detect_near(face, box) or box
    return Sighting(0, picture.at, box, face, float(SIDE), sharpness(face))
