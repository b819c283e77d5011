"""The face modality: faces are tracked from picture to picture."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from moodal.core.records import BUILT_IN, ModalityInfo
from moodal.media.video import Picture
from moodal.modalities.face.detect import SIDE
from moodal.modalities.face.pixels import LONGEST
from moodal.modalities.face.quality import by_track, face_flags, face_quality, main_face
from moodal.modalities.face.track import Follower, Sighting, sighting_of
from moodal.modalities.modality import Absent, Division, Modality, Observed, Part, Settings, Window

SHOWN = 24
"""The largest number of faces that are kept as thumbnails."""


@dataclass(frozen=True)
class ObservedFaces(Observed):
    """The crops of one face [n, 48, 48], with their times and the duration of each, in seconds.

    Attributes:
        start, end: of the utterance in seconds; infinite without times.
    """

    times: tuple[float, ...] = ()
    lasting: float = 0.2
    start: float = -np.inf
    end: float = np.inf

    def divide(self, steps: int, places: Sequence[int] | None = None) -> Division | None:
        """Assign each step to its picture; None if the numbers differ."""
        if steps != len(self.times):
            return None
        parts = tuple(Part(at, at + self.lasting) for at in self.times)
        return Division(parts, np.arange(steps))

    def during(self, start: float, end: float) -> Observed | Absent:
        """Keep the crops of a part of the utterance; quality and flags stay the utterance's."""
        inside = self._inside(start, end)
        if not len(inside):
            return Absent("no face")
        assert isinstance(self.item, np.ndarray)
        times = tuple(self.times[i] for i in inside)
        return replace(self, item=self.item[inside], times=times, start=start, end=end)

    def places(self, start: float, end: float, steps: int) -> np.ndarray | None:
        """Return the numbers of the pictures of a part, if each picture gave one step."""
        return self._inside(start, end) if steps == len(self.times) else None

    def _inside(self, start: float, end: float) -> np.ndarray:
        """Return the numbers of the pictures from ``start`` to ``end``.

        A part shorter than the time between pictures has the nearest one. Pictures just outside
        of the utterance belong to its first and last part.
        """
        times = np.array(self.times)
        low = start if start > self.start else -np.inf
        high = end if end < self.end else np.inf
        inside = np.flatnonzero((times >= low) & (times < high))
        if len(inside) or not len(times):
            return inside
        distance = np.abs(times - (start + end) / 2)
        nearest = int(distance.argmin())
        return np.array([nearest] if distance[nearest] <= self.lasting else [], int)


class Face(Modality):
    """The faces in an utterance: all tracked faces, or the one seen longest and largest."""

    info: ClassVar[ModalityInfo] = BUILT_IN["face"]
    largest: ClassVar[int] = LONGEST

    def __init__(self, settings: Settings = Settings()):  # noqa: B008
        super().__init__(settings)
        self.fps = settings.fps
        self._follower = Follower()
        self._times: list[float] = []
        self._sightings: list[Sighting] = []
        self._seconds: list[float] = []
        self._shown: list[tuple[float, np.ndarray]] = []
        self._interval = 1.0

    def watch(self, picture: Picture) -> None:
        """Track the faces of the next picture; a picture of a crop's size is a face itself."""
        self._times.append(picture.at)
        crop = picture.rgb.shape[:2] == (SIDE, SIDE)
        for sighting in [sighting_of(picture)] if crop else self._follower.look(picture):
            self._sightings.append(sighting)
            self._seconds.append(sighting.at)
            self._show(sighting)

    def _show(self, sighting: Sighting) -> None:
        if self._shown and sighting.at - self._shown[-1][0] < self._interval:
            return
        self._shown.append((sighting.at, sighting.face.copy()))
        if len(self._shown) > SHOWN:  # drop every second one and double the interval
            self._shown = self._shown[::2]
            self._interval *= 2

    @property
    def sighting_times(self) -> Sequence[float]:
        """The seconds at which a face was seen."""
        return self._seconds

    @property
    def thumbnails(self) -> tuple[tuple[float, np.ndarray], ...]:
        """Some of the faces, in the order of their times."""
        return tuple(self._shown)

    def forget(self, before: float) -> None:
        """Drop the faces before the second ``before``."""
        count = bisect_left(self._seconds, before)
        del self._seconds[:count], self._sightings[:count]
        del self._times[: bisect_left(self._times, before)]

    def observe(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe the main face of a window, or every face; absent if there is none."""
        low = -np.inf if window.start is None else window.start - 0.5 / self.fps
        high = np.inf if window.end is None else window.end + 0.5 / self.fps
        first, last = bisect_left(self._seconds, low), bisect_left(self._seconds, high)
        sightings = self._sightings[first:last]
        looked = bisect_left(self._times, high) - bisect_left(self._times, low)
        main = main_face(sightings)
        observed = [
            self._observed(track, faces, looked, window)
            for track, faces in by_track(sightings).items()
            if self.settings.every or track == main
        ]
        return observed or Absent("no face")

    def _observed(
        self, track: int, faces: Sequence[Sighting], looked: int, window: Window
    ) -> Observed:
        quality = face_quality(faces, looked)
        return ObservedFaces(
            np.stack([face.face for face in faces]),
            quality,
            face_flags(quality),
            track,
            times=tuple(face.at for face in faces),
            lasting=1 / self.fps,
            start=-np.inf if window.start is None else window.start,
            end=np.inf if window.end is None else window.end,
        )
