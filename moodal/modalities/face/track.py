"""Following faces from picture to picture, and which of them is the main one.

A face that was seen is looked for in a window around where it was, which is cheap; whole pictures
are searched once a second, and at once when a face is lost.
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
    alike,
    crop,
    luma,
    near,
    overlap,
    search,
    sharpness,
)

EVERY, DEEP_EVERY = 1.0, 5.0
"""Seconds between searches of whole pictures, and between such that also find small faces."""

SOUGHT, REMEMBERED = 1.0, 3.0
"""Seconds for which a lost face is looked for where it was, and for which a face found there is
taken to be the same."""

MOST = 10
"""Faces that are followed at once: the largest."""

TURNED = 0.7
"""The score that a face must have in a turned picture before the video is believed to lie."""

TRIES = (1, 4, 16)
"""After so many pictures without a face, turned ones are tried."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face in one picture.

    Attributes:
        track: number of the followed face.
        at: seconds.
        box: in pixels of the picture (turned by `Follower.turn`).
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
    """One face over time; 36 bytes a sighting, so that hours of it fit.

    Attributes:
        number: from 0, in the order in which faces were first seen.
        times: seconds of each sighting.
        values: six numbers for each: left, top, right, bottom (pixels of the picture), the crop's
            side in pixels of the file, and the sharpness.
    """

    number: int
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("f"))
    scores: array[float] = field(default_factory=lambda: array("f"))

    def __len__(self) -> int:
        return len(self.times)

    def add(self, sighting: Sighting) -> None:
        """One sighting more."""
        b = sighting.box
        self.times.append(sighting.at)
        self.scores.append(b.score)
        self.values.extend((b.left, b.top, b.right, b.bottom, sighting.pixels, sighting.sharpness))

    def boxes(self) -> list[tuple[float, Box]]:
        """Seconds and box of each sighting."""
        v = self.values
        return [
            (at, Box(v[6 * i], v[6 * i + 1], v[6 * i + 2], v[6 * i + 3], self.scores[i]))
            for i, at in enumerate(self.times)
        ]

    @property
    def pixels(self) -> float:
        """Median side of its crops, in pixels of the file."""
        return float(np.median(self.values[4::6])) if self.times else 0.0

    @property
    def sharpness(self) -> float:
        """Median sharpness of its crops."""
        return float(np.median(self.values[5::6])) if self.times else 0.0

    @property
    def weight(self) -> float:
        """How much of the recording it is: the sum of its sides over its sightings."""
        return float(sum(self.values[4::6]))


def main_track(tracks: Iterable[Track]) -> Track | None:
    """The face that is seen longest and largest: the one of the highest `Track.weight`."""
    return max(tracks, key=lambda t: (t.weight, -t.number), default=None)


@dataclass(slots=True)
class _Live:
    """A face that was seen a moment ago."""

    track: Track
    box: Box
    seen: float


class Follower:
    """Gives every face of a video its number; pictures come in the order of their times.

    Attributes:
        tracks: number -> what was seen of that face.
        looked: pictures so far.
        turn: quarter turns against the clock after which faces are upright, 0 unless the video
            lies on its side and its file does not say so.
    """

    def __init__(self) -> None:
        self.tracks: dict[int, Track] = {}
        self.looked = 0
        self.turn = 0
        self._live: list[_Live] = []
        self._whole = self._deep = -np.inf

    def look(self, picture: Picture) -> list[Sighting]:
        """The faces of the next picture, the largest first.

        Raises:
            DataError: the picture is none.
        """
        grey, at = luma(np.rot90(picture.rgb, self.turn) if self.turn else picture.rgb), picture.at
        self.looked += 1
        self._live = [x for x in self._live if at - x.seen <= REMEMBERED]
        lost = not self._follow(grey, at)
        if lost or at - self._whole >= EVERY:
            self._search(grey, at)
        if not self.tracks and self.looked in TRIES:
            grey = self._turned(picture, grey, at)
        here = [x for x in self._live if x.seen == at]
        return [self._sighting(x, grey, picture.scale) for x in sorted(here, key=_size)]

    def _follow(self, grey: np.ndarray, at: float) -> bool:
        """Look where faces were; whether all of those are there that were not lost before."""
        sought = [x for x in self._live if at - x.seen <= SOUGHT]
        sizes = SIZES if len(sought) <= 2 else SIZES[:1]
        complete = bool(sought)
        for live in sorted(sought, key=_size):
            box = near(grey, live.box, sizes=sizes)
            others = (x.box for x in self._live if x.seen == at)
            if box is None or any(overlap(box, other) > 0.4 for other in others):
                complete = False
                continue
            live.box, live.seen = _steady(live.box, box), at
        return complete

    def _search(self, grey: np.ndarray, at: float) -> None:
        """Look everywhere: for those that were lost, and for new ones."""
        nothing = not any(x.seen == at for x in self._live)
        boxes: list[Box] = []
        wait = EVERY if nothing else DEEP_EVERY
        if at - self._deep < wait:
            boxes = search(grey, WIDE)
        else:
            self._deep = at
            boxes = search(grey, DEEP, edge=nothing)
        self._whole = at
        for box in boxes:
            if any(x.seen == at and _same(x.box, box) for x in self._live):
                continue
            lost = [x for x in self._live if x.seen < at and alike(x.box, box)]
            if not lost and len(self._live) >= MOST:
                continue
            box = near(grey, box, sizes=STILL if self.looked == 1 else SIZES) or box
            if lost:
                live = max(lost, key=lambda x: overlap(x.box, box))
                live.box, live.seen = box, at
            else:
                track = Track(len(self.tracks))
                self.tracks[track.number] = track
                self._live.append(_Live(track, box, at))

    def _turned(self, picture: Picture, grey: np.ndarray, at: float) -> np.ndarray:
        """Where no face was ever seen: perhaps the video lies on its side, or on its head."""
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
        seen = Sighting(
            live.track.number,
            live.seen,
            live.box,
            face,
            live.box.side * MARGIN / scale,
            sharpness(face),
        )
        live.track.add(seen)
        return seen


def _size(live: _Live) -> float:
    return -live.box.side


def _same(a: Box, b: Box) -> bool:
    """Whether two boxes of one picture are of one face."""
    return overlap(a, b) > 0.3 or (alike(a, b) and overlap(a, b) > 0.15)


def _steady(before: Box, now: Box) -> Box:
    """The box where it is now, its side the mean of both: heads move, but do not grow at once."""
    x, y = now.centre
    half = (before.side + now.side) / 4
    return Box(x - half, y - half, x + half, y + half, now.score)


def sighting_of(picture: Picture) -> Sighting:
    """Return the sighting of a picture that is a face already, cropped as FER2013's are."""
    face = luma(picture.rgb)
    half, middle = SIDE / MARGIN / 2, SIDE / 2
    lower = middle + LIFT * 2 * half
    box = Box(middle - half, lower - half, middle + half, lower + half)
    box = near(face, box) or box
    return Sighting(0, picture.at, box, face, float(SIDE), sharpness(face))
