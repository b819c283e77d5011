"""Film: the pictures of a recording, read in step with its sound."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from moodal.core.errors import DataError
from moodal.media.recording import Recording
from moodal.media.video import Picture
from moodal.modalities.modality import Modality
from moodal.model.absences import Absences


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
        self._pictures: Iterator[Picture | None] = iter(())
        self._held: Picture | None = None
        self._last: float | None = None
        self._passed = 0.0
        self._ended = recording.pictures is None or not self._watchers
        if recording.pictures is None:
            absences.record_missing("pictures", "no pictures")
        elif self._watchers:
            largest = max(m.largest for m in self._watchers)
            self._pictures = recording.pictures(fps, largest, absences.note)

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
            for modality in self._watchers:
                modality.watch(picture)

    def _next(self) -> Picture | None:
        """Return the next picture; None if there are no more, or it has not come yet."""
        picture, self._held = self._held, None
        if picture is not None:
            return picture
        try:
            return next(self._pictures)
        except StopIteration:
            pass
        except DataError as error:
            if self._last is None:
                self._absences.record_missing("pictures", "the pictures cannot be decoded")
            self._absences.note(str(error))
        self._ended = True
        return None

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
