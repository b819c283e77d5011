"""Warm: networks are loaded before a session begins, so that its first answer is not late."""

from __future__ import annotations

from weakref import WeakValueDictionary

import numpy as np

from moodal.core.records import RATE, Sound
from moodal.media.video import Picture
from moodal.modalities.modality import Absent
from moodal.model.artefact import Artefact
from moodal.model.channels import observers
from moodal.model.observation import Observation
from moodal.model.question import Question
from moodal.model.segmentation import Segment

CROP = (48, 48)
"""The pixels of a picture that shows one face alone."""


_WARM: WeakValueDictionary[tuple[int, tuple[str, ...]], Artefact] = WeakValueDictionary()
"""Artefacts and modalities whose networks were loaded."""


def warm_up(question: Question) -> None:
    """Answer a made-up utterance, which loads the networks of the modalities that are used.

    What was loaded before is not loaded again.
    """
    key = (id(question.artefact), question.modalities)
    if _WARM.get(key) is question.artefact:
        return
    _answer_noise(question)
    _WARM[key] = question.artefact


def _answer_noise(question: Question) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).clip(-1, 1).astype(np.float32)
    segment = Segment(0.0, 1.0, "hello there", speech=(0.0, 1.0))
    window = segment.window(Sound(noise, (0.0, 1.0)))
    # a picture is searched for faces, one of a crop's size is taken for a face
    shades = np.random.default_rng(0).integers(0, 255, (*CROP, 3), np.uint8)
    pictures = [Picture(0.0, np.zeros((120, 160, 3), np.uint8)), Picture(0.2, shades)]
    observed = {}
    for name, modality in observers(question.modalities, question.options).items():
        for picture in pictures if modality.largest else ():
            modality.watch(modality.look(picture))
        answer = modality.observe(window)
        if not isinstance(answer, Absent):
            observed[name] = answer
    answering = question.answering("")
    for _ in answering.answer(Observation(segment, observed, {})):
        pass
