"""Observation: what was observed of one utterance, and of a recording as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from moodal.core.face_action import FaceAction, FacePlace
from moodal.modalities.modality import Observed
from moodal.model.segmentation import Segment


@dataclass(frozen=True)
class Observation:
    """One utterance and its observations.

    Attributes:
        segment: its times and words.
        observed: modality -> one `Observed` for each person, or one in all.
        absent: modality -> why nothing was observed.
    """

    segment: Segment
    observed: Mapping[str, Sequence[Observed]]
    absent: Mapping[str, str]


@dataclass(frozen=True)
class Summary:
    """The facts about a whole recording, known at its end.

    Attributes:
        duration: seconds; None for a text or a picture.
        absent: modality -> why the whole recording lacks it.
        notes: what a reader should know, one sentence each.
        waveform: [n, 2] lowest and highest sample of equal spans; None without sound.
        thumbnails: (seconds, [48, 48] uint8) of some faces.
        face_between: what faces do in pictures of no utterance, where that was asked for.
        faceless: seconds of the pictures without a face, likewise.
        face_places: where the tracked faces are, picture by picture.
    """

    duration: float | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    waveform: np.ndarray | None = None
    thumbnails: tuple[tuple[float, np.ndarray], ...] = ()
    face_between: tuple[FaceAction, ...] = ()
    faceless: tuple[float, ...] = ()
    face_places: tuple[FacePlace, ...] = ()
