"""The face modality: faces are tracked from picture to picture."""

from __future__ import annotations

import copy
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from moodal.core.face_action import FaceAction, FacePlace
from moodal.core.records import BUILT_IN, ModalityInfo
from moodal.core.summary import NO_FACE
from moodal.media.video import Picture
from moodal.modalities.face.actions import face_action
from moodal.modalities.face.landmarks import PRESENT
from moodal.modalities.face.pixels import LONGEST
from moodal.modalities.face.quality import (
    by_track,
    face_flags,
    face_quality,
    main_face,
    prominence,
)
from moodal.modalities.face.speaking import activity_of, speaking_face
from moodal.modalities.face.track import MOST, Follower, Sighting
from moodal.modalities.modality import Absent, Division, Modality, Observed, Part, Settings, Window

CROWDED = f"More than {MOST} faces are seen; {MOST} of them are followed."
"""The flag of every face of an utterance with a crowd."""

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
            return Absent(NO_FACE)
        assert isinstance(self.item, np.ndarray)
        times = tuple(self.times[i] for i in inside)
        actions = tuple(action for action in self.actions if action.at in times)
        return replace(
            self, item=self.item[inside], times=times, start=start, end=end, actions=actions
        )

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


@dataclass(frozen=True, slots=True)
class SeenFaces:
    """The faces of one picture.

    Attributes:
        at: the picture's second.
        height, width: of the picture, in pixels.
        sightings: the faces, the largest first.
        crowded: whether more faces are seen than are followed.
    """

    at: float
    height: int
    width: int
    sightings: Sequence[Sighting]
    crowded: bool


class Face(Modality):
    """The faces in an utterance: all tracked faces, or the one seen longest and largest."""

    info: ClassVar[ModalityInfo] = BUILT_IN["face"]
    largest: ClassVar[int] = LONGEST
    has_faces: ClassVar[bool] = True

    def __init__(self, settings: Settings = Settings()):  # noqa: B008
        super().__init__(settings)
        self.fps = settings.fps
        self._follower = Follower()
        self._times: list[float] = []
        self._sightings: list[Sighting] = []
        self._seconds: list[float] = []
        self._shown: list[tuple[float, np.ndarray]] = []
        self._interval = 1.0
        self._taken: set[float] = set()  # seconds of pictures of some window
        self._between: list[FaceAction] = []
        self._faceless = array("d")
        self._crowded: list[float] = []
        self._places = array("f")  # 6 numbers a face: 24 bytes, so that hours fit into memory

    def look(self, picture: Picture) -> SeenFaces:
        """Track the faces of the next picture."""
        sightings = self._follower.look(picture)
        height, width = picture.rgb.shape[:2]
        return SeenFaces(picture.at, height, width, sightings, self._follower.crowded)

    def watch(self, seen: SeenFaces) -> None:
        """Remember the faces of the next picture."""
        self._times.append(seen.at)
        if seen.crowded:
            self._crowded.append(seen.at)
        if self.settings.face_actions and not seen.sightings:
            self._faceless.append(seen.at)
        for sighting in seen.sightings:
            self._sightings.append(sighting)
            self._seconds.append(sighting.at)
            self._show(sighting)
            self._place(sighting, seen.height, seen.width)

    def _place(self, sighting: Sighting, height: int, width: int) -> None:
        """Keep where a face is, as parts of the picture's width and height."""
        box = sighting.box
        wide, high = box.right - box.left, box.bottom - box.top
        place = (box.left / width, box.top / height, wide / width, high / height)
        self._places.extend((sighting.at, sighting.track, *place))

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

    @property
    def face_between(self) -> Sequence[FaceAction]:
        """The actions in pictures of no window: of every face, or of the largest one."""
        return [*self._between, *self._unobserved(self._sightings)]

    @property
    def faceless(self) -> Sequence[float]:
        """The seconds of the pictures without a face, where actions were asked for."""
        return self._faceless

    @property
    def face_places(self) -> Sequence[FacePlace]:
        """The places of the tracked faces in the pictures so far, in the order of time."""
        rows = np.array(self._places).reshape(-1, 6).tolist()
        return [FacePlace(at, int(track), *place) for at, track, *place in rows]

    def forget(self, before: float) -> None:
        """Drop the faces before the second ``before``."""
        count = bisect_left(self._seconds, before)
        self._between += self._unobserved(self._sightings[:count])
        self._taken = {at for at in self._taken if at >= before}
        del self._seconds[:count], self._sightings[:count]
        del self._times[: bisect_left(self._times, before)]
        del self._crowded[: bisect_left(self._crowded, before)]

    def glance(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe the faces of an utterance that goes on, and remember nothing of it."""
        glancing = copy.copy(self)
        glancing._taken = set()
        return glancing.observe(window)

    def observe(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe the main face of a window, or every face; absent if there is none.

        Where somebody speaks and one of several mouths moves, its face is the main one.
        """
        low = -np.inf if window.start is None else window.start - 0.5 / self.fps
        high = np.inf if window.end is None else window.end + 0.5 / self.fps
        first, last = bisect_left(self._seconds, low), bisect_left(self._seconds, high)
        sightings = self._sightings[first:last]
        if self.settings.face_actions:
            self._taken.update(self._seconds[first:last])
        looked = bisect_left(self._times, high) - bisect_left(self._times, low)
        faces = by_track(sightings)
        activities = {n: activity_of(own) for n, own in faces.items()} if window.spoken else {}
        speaker = speaking_face(activities)
        main = main_face(sightings) if speaker is None else speaker
        observed = []
        for track in sorted(faces, key=lambda n: -prominence(faces[n])):
            own = faces[track]
            if self.settings.every or track == main:
                is_clear = activities.get(track) is not None
                speaks = track == speaker if is_clear else None
                one = self._observed(track, own, looked, window)
                flags = (*one.flags, *self._crowd(low, high))
                observed.append(replace(one, speaks=speaks, flags=flags))
        return observed or Absent(NO_FACE)

    def _crowd(self, low: float, high: float) -> tuple[str, ...]:
        """Return a flag where more faces are seen than are followed, and all were asked for."""
        crowded = bisect_left(self._crowded, high) > bisect_left(self._crowded, low)
        return (CROWDED,) if crowded and self.settings.every else ()

    def _observed(
        self, track: int, faces: Sequence[Sighting], looked: int, window: Window
    ) -> Observed:
        quality = face_quality(faces, looked)
        return ObservedFaces(
            np.stack([face.face for face in faces]),
            quality,
            face_flags(quality),
            track,
            actions=self._actions(faces),
            times=tuple(face.at for face in faces),
            lasting=1 / self.fps,
            start=-np.inf if window.start is None else window.start,
            end=np.inf if window.end is None else window.end,
        )

    def _actions(self, faces: Sequence[Sighting]) -> tuple[FaceAction, ...]:
        """Compute what faces do, where that was asked for; a crop without landmarks has nothing."""
        if not self.settings.face_actions:
            return ()
        return tuple(face_action(face) for face in faces if face.landmarks.score >= PRESENT)

    def _unobserved(self, faces: Sequence[Sighting]) -> tuple[FaceAction, ...]:
        """Compute what faces do in pictures of no window; in each every one, or the largest."""
        chosen, last = [], -np.inf
        for face in faces:
            if face.at not in self._taken and (self.settings.every or face.at != last):
                chosen.append(face)
            last = face.at
        return self._actions(chosen)
