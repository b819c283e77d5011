"""Film: the pictures of a recording, read in step with its sound."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moodal.core.errors import DataError
from moodal.media.ahead import ahead
from moodal.media.recording import Recording
from moodal.media.video import Picture
from moodal.modalities.modality import Modality
from moodal.model.absences import Absences

WAITING = 8
"""The largest number of pictures that were looked at and wait for their sound."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """A picture that the modalities looked at.

    Attributes:
        at: its second.
        seen: what each of them found.
        damages: what was found damaged before it.
    """

    at: float
    seen: Sequence[Any]
    damages: Sequence[str]


class Film:
    """The pictures of a recording, passed in time order to the modalities that read them.

    Attributes:
        step: seconds between pictures.
        first: the second of the first picture in which something was seen; None before it.
    """

    def __init__(
        self,
        recording: Recording,
        modalities: Mapping[str, Modality],
        fps: float,
        absences: Absences,
    ):
        self.step = 1 / fps
        self.first: float | None = None
        self._absences = absences
        self._watchers = [m for m in modalities.values() if m.largest]
        self._damages: list[str] = []
        self._pictures: Iterator[_Looked | None] = iter(())
        self._held: _Looked | None = None
        self._last: float | None = None
        self._passed = 0.0
        self._ended = recording.pictures is None or not self._watchers
        if recording.pictures is None:
            absences.record_missing("pictures", "no pictures")
        elif self._watchers:
            largest = max(m.largest for m in self._watchers)
            pictures = recording.pictures(fps, largest, self._damages.append)
            self._pictures = map(self._looked, pictures)
            if not recording.is_live:
                self._pictures = ahead(self._pictures, WAITING)

    def close(self) -> None:
        """Read no more pictures, and release their file and the thread that looks ahead."""
        # the thread holds this object, so that without a call it would only end with a collection
        pictures, self._pictures, self._ended = self._pictures, iter(()), True
        if isinstance(pictures, Generator):
            pictures.close()

    @property
    def end(self) -> float | None:
        """The second at which the latest picture ends; None before the first picture."""
        return None if self._last is None else self._last + self.step

    def clock(self, seconds: float) -> Iterator[float]:
        """Yield the further seconds to read up to when the pictures outlast the sound."""
        while not self._ended:
            seconds = max(seconds, self._last or 0.0) + 1.0
            yield seconds

    def watch(self, until: float) -> None:
        """Pass the pictures before second ``until`` to the modalities."""
        while not self._ended and (picture := self._next()) is not None:
            if picture.at >= until:
                self._held = picture
                return
            self._last = picture.at
            for modality, seen in zip(self._watchers, picture.seen, strict=True):
                modality.watch(seen)

    def _looked(self, picture: Picture | None) -> _Looked | None:
        """Let the modalities look at a picture; on a thread of its own, ahead of the sound."""
        if picture is None:
            return None
        seen = [modality.look(picture) for modality in self._watchers]
        return _Looked(picture.at, seen, self._new_damages())

    def _new_damages(self) -> Sequence[str]:
        damages = tuple(self._damages)
        self._damages.clear()
        return damages

    def _next(self) -> _Looked | None:
        """Return the next picture; None if there are no more, or it has not come yet."""
        picture, self._held = self._held, None
        if picture is not None:
            return picture
        failed = ""
        try:
            picture = next(self._pictures)
        except StopIteration:
            self._ended = True
        except DataError as error:
            self._ended, failed = True, str(error)
            if self._last is None:
                self._absences.record_missing("pictures", "the pictures cannot be decoded")
        damages = self._new_damages() if self._ended else picture.damages if picture else ()
        for sentence in (*damages, *filter(None, [failed])):
            self._absences.note(sentence)
        return picture

    def sighting_times(self, until: float) -> list[float]:
        """Return the new seconds before ``until`` at which a modality sees something."""
        seconds = sorted({at for m in self._watchers for at in m.sighting_times})
        new = [at for at in seconds if self._passed <= at < until]
        if new:
            self._passed = math.nextafter(new[-1], math.inf)
            self.first = new[0] if self.first is None else self.first
        return new

    def sees(self, since: float) -> bool:
        """Return whether a modality has seen something since a second."""
        latest = (m.sighting_times[-1:] for m in self._watchers)
        return any(at >= since for seconds in latest for at in seconds)

    def forget(self, before: float) -> None:
        """Release the pictures before a second."""
        for modality in self._watchers:
            modality.forget(before - self.step)
