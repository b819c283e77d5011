"""Modality: one sense, as data that says what it is and a method that observes an utterance.

A recording is read once. Pictures are shown to each modality as they are decoded (`look`), and what
it found in them is taken in when their time has come (`watch`); each utterance, when it ends, is
shown as a `Window`, of which a modality takes what it needs and says what it observed. Encoding
that and scoring it is the affair of `moodal.modalities.encoder.Encoder` and of the model.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from moodal.core.face_action import FaceAction, FacePlace
from moodal.core.records import Clip, ModalityInfo, Sound
from moodal.core.timeline import Word
from moodal.media.video import Picture
from moodal.modalities.encoder import Item


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of a recording in which one utterance lies, and what was read of it.

    Attributes:
        start, end: seconds; None for a text or a picture without times.
        text: what was said; None where nothing tells, "" where nothing was said.
        words: with their times, where the text was transcribed.
        sound: the samples of the stretch; None without sound.
        spoken: whether somebody speaks in it.
        media: further files of the recording by modality, such as a table of measurements.
        language: the language that a transcriber heard (BCP 47); "" where nothing tells.
    """

    start: float | None = None
    end: float | None = None
    text: str | None = None
    words: tuple[Word, ...] = ()
    sound: Sound | None = None
    spoken: bool = True
    media: Mapping[str, str | Clip] = field(default_factory=dict)
    language: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """Why a modality observes nothing in a window, such as "no face"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """A word, a second of speech or a seen face: the smallest thing whose share is shown."""

    start: float | None = None
    end: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Division:
    """The parts of an utterance, and the part that each step of a network belongs to.

    Attributes:
        parts: P of them.
        places: [T] number of the part of each step, -1 for a step of no part.
    """

    parts: tuple[Part, ...]
    places: np.ndarray


@dataclass(frozen=True)
class Observed:
    """An observation of one modality in one window.

    Attributes:
        item: what an encoder of this modality reads.
        quality: measures of the medium, such as {"snr_db": 21.0}.
        flags: what a reader should know, one sentence each.
        track: number of the person, where a modality tells several apart.
        language: the language of what was observed (BCP 47); "" where the medium has none.
        speaks: whether this person is seen to speak; None where that cannot be told.
        actions: what the person's face does in each picture, where `Settings` ask for it.
    """

    item: Item
    quality: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    track: int | None = None
    language: str = ""
    speaks: bool | None = None
    actions: tuple[FaceAction, ...] = ()

    def divide(self, steps: int, places: Sequence[int] | None = None) -> Division | None:
        """Assign ``steps`` steps of a network to the parts of the utterance; None: unknown.

        Args:
            places: of a text, see `moodal.modalities.encoder.Encoder.places`.
        """
        return None

    @property
    def windows(self) -> float | None:
        """The number of independent windows that its parts are worth together, if these overlap.

        None where parts do not overlap, or are not told apart.
        """
        return None

    def during(self, start: float, end: float) -> Observed | Absent:
        """Observe a part of the utterance, from one second of the recording to another.

        What is not told apart in time, such as a text, holds for all parts: the observation
        itself.
        """
        return self

    def places(self, start: float, end: float, steps: int) -> np.ndarray | None:
        """Return which of a network's ``steps`` steps belong to a part of the utterance.

        None where the part has to be encoded by itself, see `during`.
        """
        return None


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the modalities that observe a recording.

    Attributes:
        fps: pictures per second that are shown to them.
        every: observe every person; else the main one of each utterance.
        language: the language of all that is said (BCP 47); "": it is found.
        face_actions: observe what each face does, too, see `moodal.core.face_action`.
    """

    fps: float = 5.0
    every: bool = False
    language: str = ""
    face_actions: bool = False


class Modality:
    """The base class of modalities; an object of it serves one recording.

    Args:
        settings: how the recording is observed.

    Attributes:
        info: name, label, colour, mark and medium.
        encoder: what `moodal prepare` encodes its raw media with where no encoder is asked for;
            "": they are encoded only where one is.
        largest: pixels of the longer side of the pictures that it wants to see; 0: none.
        has_faces: whether it can observe what faces do.
    """

    info: ClassVar[ModalityInfo]
    encoder: ClassVar[str] = ""
    largest: ClassVar[int] = 0
    has_faces: ClassVar[bool] = False

    def __init__(self, settings: Settings = Settings()):
        self.settings = settings

    def look(self, picture: Picture) -> Any:
        """Find in a picture what `watch` takes in, by default the picture itself.

        Pictures come once each, in the order of their times. Those of a file come on another
        thread, ahead of all else that the recording is asked: so what is found depends on the
        pictures so far alone, and only `watch` may change what the other methods read.
        """
        return picture

    def watch(self, seen: Any) -> None:
        """Take in what `look` found in one picture; they come in the order of their times."""

    @property
    def sighting_times(self) -> Sequence[float]:
        """The seconds of the pictures so far in which there is something to observe."""
        return ()

    @property
    def thumbnails(self) -> tuple[tuple[float, np.ndarray], ...]:
        """Some of what was seen, for drawing: (seconds, [48, 48] uint8)."""
        return ()

    @property
    def face_between(self) -> Sequence[FaceAction]:
        """The actions of faces in pictures so far of no observed window, if asked for."""
        return ()

    @property
    def faceless(self) -> Sequence[float]:
        """The seconds of the pictures so far without a face, where actions were asked for."""
        return ()

    @property
    def face_places(self) -> Sequence[FacePlace]:
        """The places of the tracked faces in the pictures so far, in the order of time."""
        return ()

    def forget(self, before: float) -> None:
        """Let go what lies before a second that no further window reaches."""

    def glance(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe an utterance that goes on, as `observe` does, and remember nothing of it."""
        return copy.copy(self).observe(window)

    def observe(self, window: Window) -> Sequence[Observed] | Absent:
        """Observe one utterance: one `Observed` for each person, or why there is none.

        Raises:
            DataError: a medium of the window cannot be read.
        """
        raise NotImplementedError
