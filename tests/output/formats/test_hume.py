"""JSON of Hume's shape, read by consumers as they were written for Hume's files."""

from __future__ import annotations

import dataclasses
import json

import pytest

from moodal.core.emotions import Value
from moodal.core.errors import UsageError
from moodal.core.timeline import Prediction, Timeline
from moodal.modalities.speech.observe import CRY as CRY_FLAG
from moodal.output.formats import render
from moodal.output.formats.hume import CRY, hume_name


def with_alone(timeline):
    """Give each utterance the probabilities of each stream alone, as the fusion does."""

    def one(p):
        each = {s: {e: (i + 1) / 28 for i, e in enumerate(p.probabilities)} for s in p.streams}
        return dataclasses.replace(
            p, alone=each, slices=tuple(one(s) for s in p.slices), decided=p.decided
        )

    return dataclasses.replace(timeline, predictions=tuple(map(one, timeline)))


def loaded(*timelines):
    return json.loads(render(timelines, "hume"))


def top_of(emotions):
    """The strongest emotion of a prediction, as readers of Hume's files took it."""
    return sorted(emotions, key=lambda one: one["score"], reverse=True)[0]["name"]


def test_a_reader_of_voices_finds_times_words_and_scores(made):
    whole = with_alone(made.timeline(path="data/clip.mp4"))
    [entry] = loaded(whole)
    assert entry["source"] == {"type": "file", "filename": "clip.mp4"}
    rows = []
    for result in entry["results"]["predictions"]:
        assert (result["file"], result["file_type"]) == ("clip.mp4", "video")
        for group in result["models"]["prosody"]["grouped_predictions"]:
            for prediction in group["predictions"]:
                time = prediction["time"]
                rows.append((time["begin"], time["end"], prediction["text"], group["id"]))
                assert top_of(prediction["emotions"]) == "Surprise"
                assert all(0 <= one["score"] <= 1 for one in prediction["emotions"])
    assert rows == [(p.start, p.end, p.text, "unknown") for p in whole]


def test_a_reader_of_words_finds_their_places_in_the_whole_text(made):
    whole = with_alone(made.timeline())
    [entry] = loaded(whole)
    transcript = " ".join(p.text for p in whole)
    model = entry["results"]["predictions"][0]["models"]["language"]
    for prediction in model["grouped_predictions"][0]["predictions"]:
        place = prediction["position"]
        assert transcript[place["begin"] : place["end"]] == prediction["text"]


@pytest.mark.parametrize("faces", [True, False])
def test_a_reader_of_faces_finds_a_picture_of_each_utterance(made, faces):
    whole = with_alone(made.timeline())
    if faces:
        actions = [made.face_action(at=0.2 * i) for i in range(120)]
        own = [
            dataclasses.replace(p, face=tuple(a for a in actions if p.start <= a.at <= p.end))
            for p in whole
        ]
        whole = dataclasses.replace(whole, predictions=tuple(own))
    [entry] = loaded(whole)
    model = entry["results"]["predictions"][0]["models"]["face"]
    [group] = model["grouped_predictions"]
    assert group["id"] == "face_1"
    seen = [p for p in whole if "face" in p.streams]
    for p, prediction in zip(seen, group["predictions"], strict=True):
        assert p.start <= prediction["time"] <= p.end
        assert ("box" in prediction) == ("prob" in prediction) == bool(p.face)
        if p.face:
            assert set(prediction["box"]) == {"x", "y", "w", "h"}
            assert abs(prediction["time"] - (p.start + p.end) / 2) <= 0.1 + 1e-9


def test_slices_are_finer_predictions_and_words_are_told_once(made):
    whole = with_alone(made.sliced())
    [entry] = loaded(whole)
    models = entry["results"]["predictions"][0]["models"]

    def count(model):
        return sum(len(g["predictions"]) for g in models[model]["grouped_predictions"])

    assert count("language") == len(whole)
    assert count("prosody") == len(whole.rows)


def test_an_emotion_that_a_stream_cannot_tell_is_left_out():
    p = Prediction(
        "a#1",
        {"anger": 0.7, "surprise": 0.3},
        start=0,
        end=1,
        streams=("speech",),
        sources={"anger": {"speech": "learned"}, "surprise": {"speech": "absent"}},
    )
    [entry] = loaded(Timeline("a.wav", (p,), ("anger", "surprise")))
    models = entry["results"]["predictions"][0]["models"]
    assert list(models) == ["prosody"]
    [prediction] = models["prosody"]["grouped_predictions"][0]["predictions"]
    assert prediction == {
        "time": {"begin": 0, "end": 1},
        "emotions": [{"name": "Anger", "score": 0.7}],
    }


def test_a_cry_is_a_burst(made):
    p = Prediction("a#1", {"fear": 1.0}, start=0, end=1, streams=("speech",), flags=(CRY_FLAG,))
    [entry] = loaded(Timeline("a.wav", (p,), ("fear",)))
    [(model, content)] = entry["results"]["predictions"][0]["models"].items()
    assert model == "burst"
    assert set(content["grouped_predictions"][0]["predictions"][0]) == {"time", "emotions"}
    assert CRY in CRY_FLAG


def test_persons_are_groups():
    rows = [
        Prediction(f"a#{i}", {"fear": 1.0}, start=i, end=i + 1, streams=("speech",), speaker=name)
        for i, name in enumerate(["ANNA", "BEN", "ANNA"])
    ]
    [entry] = loaded(Timeline("a.wav", tuple(rows), ("fear",)))
    groups = entry["results"]["predictions"][0]["models"]["prosody"]["grouped_predictions"]
    assert [(g["id"], len(g["predictions"])) for g in groups] == [("ANNA", 2), ("BEN", 1)]


def test_what_is_absent_is_an_error_and_several_recordings_are_entries():
    silent = Timeline("a.wav", (), ("fear",), absent={"speech": "no speech"})
    text = Timeline(
        "", (Prediction("t#1", {"fear": 1.0}, text="No!", streams=("text",)),), ("fear",)
    )
    first, second = loaded(silent, text)
    assert first["results"]["predictions"] == []
    assert first["results"]["errors"] == [{"message": "speech: no speech", "file": "a.wav"}]
    assert second["source"] == {"type": "text"}
    [group] = second["results"]["predictions"][0]["models"]["language"]["grouped_predictions"]
    assert group["predictions"][0]["position"] == {"begin": 0, "end": 3}
    assert "time" not in group["predictions"][0]


def test_values_have_no_place():
    p = Prediction("a#1", {}, values={"trust": 1.0})
    with pytest.raises(UsageError, match="has values and no emotions"):
        render([Timeline("a.wav", (p,), (), values=(Value("trust", 0, 4),))], "hume")


def test_names_are_hume_s_where_both_have_them():
    assert [hume_name(e) for e in ("anger", "happiness", "calm", "empathic pain")] == [
        "Anger",
        "Joy",
        "Calmness",
        "Empathic Pain",
    ]
