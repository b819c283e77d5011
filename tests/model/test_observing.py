"""The observers of a recording, and actions of faces where none can be observed."""

from __future__ import annotations

import pytest

from moodal.core.errors import AbsentError, UsageError
from moodal.model.channels import observers, require_faces
from moodal.model.options import PredictOptions


def test_observers_have_the_settings_of_the_options():
    options = PredictOptions(fps=8.0, faces="all", language="de", face_actions=True)
    modalities = observers(("speech", "face"), options)
    assert list(modalities) == ["speech", "face"]
    settings = modalities["face"].settings
    assert (settings.fps, settings.every, settings.language) == (8.0, True, "de")
    assert settings.face_actions
    assert not observers(("face",), PredictOptions())["face"].settings.face_actions


def test_actions_need_a_modality_that_observes_faces():
    wanted = PredictOptions(face_actions=True)
    require_faces(wanted, ("text", "face"), "tiny")
    require_faces(PredictOptions(), ("text",), "tiny")
    with pytest.raises(UsageError, match="tiny observes no faces, since it reads text, speech"):
        require_faces(wanted, ("text", "speech"), "tiny")


def test_a_recording_without_pictures_has_no_actions(speech):
    import moodal

    model = moodal.load()
    with pytest.raises(AbsentError, match=r"clip.wav has no pictures in which faces act"):
        model.predict(speech(), face_actions=True, asr=False)
    with pytest.raises(AbsentError, match="A text has no pictures"):
        model.predict(text="So good!", face_actions=True)
