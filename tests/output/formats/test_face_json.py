"""What faces do in JSON: by the schema, back again, and refused where it is damaged."""

from __future__ import annotations

import dataclasses
import json

import pytest

from moodal.core.errors import DataError
from moodal.core.face_action import Gaze
from moodal.output.formats import from_json, from_jsonl, to_json
from moodal.output.formats.jsonl import to_jsonl


@pytest.mark.parametrize("step", [None, 0.5])
def test_actions_come_back(made, step):
    timeline = made.acted(made.timeline() if step is None else made.sliced(step))
    text = to_json([timeline])
    [back] = from_json(text)
    assert back.faceless == timeline.faceless
    assert len(back.face_between) == 2
    for p, q in zip(timeline.rows, back.rows, strict=True):
        assert len(p.face) == len(q.face)
        for before, after in zip(p.face, q.face, strict=True):
            assert (after.track, after.box) == (before.track, before.box)
            assert after.at == pytest.approx(before.at, abs=1e-3)
            assert after.pose == pytest.approx(before.pose, abs=0.01)
            assert after.gaze == pytest.approx(before.gaze, abs=0.01)
            assert after.blendshapes == pytest.approx(before.blendshapes, abs=1e-4)
            assert after.action_units == pytest.approx(before.action_units, abs=1e-3)
    assert to_json([back]) == text
    assert to_jsonl(from_jsonl(to_jsonl([timeline]))) == to_jsonl([timeline])


def test_without_actions_the_document_has_none_of_their_fields(made):
    text = to_json([made.timeline()])
    assert not {"face_between", "faceless"} & set(json.loads(text)["recordings"][0])
    assert '"face": [' not in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a["blendshapes"].pop("jawOpen"), "blendshapes lack jawOpen"),
        (lambda a: a.update(mouth_opening=-1), "mouth_opening"),
        (lambda a: a["pose"].update(yaw=400), "yaw"),
    ],
)
def test_damaged_actions_are_refused(made, change, problem):
    document = json.loads(to_json([made.acted(made.timeline())]))
    change(document["recordings"][0]["utterances"][0]["face"][0])
    with pytest.raises(DataError, match=problem):
        from_json(json.dumps(document))


def test_a_measure_that_is_not_finite_is_reported(made):
    action = dataclasses.replace(made.face_action(0.0), gaze=Gaze(float("nan"), 0.0))
    broken = dataclasses.replace(made.timeline(), face_between=(action,))
    with pytest.raises(DataError, match=r"a measure of the face is nan"):
        to_json([broken])
