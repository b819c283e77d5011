"""What drawings need comes back from JSON, and broken fields are refused in a sentence."""

from __future__ import annotations

import base64
import dataclasses
import json

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.core.face_action import FacePlace
from moodal.output.formats import from_json, to_json

PLACES = (FacePlace(0.0, 0, 0.25, 0.125, 0.5, 0.5), FacePlace(0.2, 3, -0.0625, 0.5, 0.25, 0.25))


def test_the_waveform_and_face_places_come_back(made):
    timeline = dataclasses.replace(made.timeline(), face_places=PLACES)
    text = to_json(timeline)
    [back] = from_json(text)
    np.testing.assert_allclose(back.waveform, timeline.waveform, atol=1 / 253)
    assert [place.track for place in back.face_places] == [0, 3]
    for before, after in zip(PLACES, back.face_places, strict=True):
        assert after == pytest.approx(before, abs=1e-6)
    assert to_json(back) == text


def test_loud_samples_are_cut_at_full_scale(made):
    loud = np.array([[-2.0, 2.0], [-1.0, np.nan]], np.float32)
    [back] = from_json(to_json(dataclasses.replace(made.timeline(), waveform=loud)))
    assert back.waveform.tolist() == [[-1.0, 1.0], [-1.0, 0.0]]


def test_what_is_not_there_is_not_written(made):
    [recording] = json.loads(to_json(made.text_timeline()))["recordings"]
    assert not {"waveform", "face_places"} & set(recording)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("waveform", "AAA=", None),
        ("waveform", "AAAA", "clip.mp4: waveform is cut off"),
        ("waveform", "<b>", r"recordings\.0\.waveform"),
        ("face_places", "AAAA", "clip.mp4: face_places is cut off"),
        (
            "face_places",
            base64.b64encode(np.full(6, np.inf, "<f4").tobytes()).decode(),
            "clip.mp4: face_places holds numbers that are not finite",
        ),
    ],
)
def test_broken_fields_are_refused(made, name, content, said):
    document = json.loads(to_json(made.timeline()))
    document["recordings"][0][name] = content
    if said is None:
        assert from_json(json.dumps(document))[0].waveform.shape == (1, 2)
        return
    with pytest.raises(DataError, match=said):
        from_json(json.dumps(document))


def test_remarks_are_those_of_the_terminal(made):
    [recording] = json.loads(to_json(made.timeline()))["recordings"]
    remarks = " ".join(recording["remarks"])
    assert "Overall, of" in remarks
    assert "Utterance 2: The voice is quiet (-52 dB)." in remarks
    assert "The transcript was made by Whisper" in remarks
    assert "Made by the artefact moodal-base" in remarks
