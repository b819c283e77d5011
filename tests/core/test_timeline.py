"""Timeline: utterances as a table, and what is empty for a model of values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moodal.core.timeline import Prediction, Timeline


def test_a_frame_has_a_column_per_emotion_or_value(made):
    pytest.importorskip("pandas")
    timeline = made.timeline()
    frame = timeline.to_frame()
    assert list(frame.columns[11:18]) == [f"p_{emotion}" for emotion in made.BASICS]
    assert frame["decided"].tolist() == [p.label for p in timeline]
    valued = made.valued(timeline)
    frame = valued.to_frame()
    assert list(frame.columns) == [
        *("recording", "id", "track", "start", "end", "text", "decided", "probability"),
        *("streams", "absent", "flags", "value_valence", "value_arousal", "value_trust"),
    ]
    assert frame["decided"].isna().all()
    assert frame["value_trust"].tolist() == [p.values["trust"] for p in valued]


def test_a_prediction_of_values_has_no_emotion(made):
    prediction = made.valued(made.timeline())[0]
    assert (prediction.top, prediction.decided, prediction.logits) == ("", (), {})


def test_answers_are_shown_in_one_line_and_as_a_safe_table():
    said = Prediction(
        "a#1", {"anger": 0.25, "joy": 0.75}, start=0.5, end=2.0, text="<b>", decided=("joy",)
    )
    unsure = Prediction("a#2", {"anger": 0.4, "joy": 0.3})
    assert repr(said) == "Prediction('a#1', 0.5-2 s, joy 75%)"
    assert repr(unsure) == "Prediction('a#2', unsure, anger 40%)"
    assert (said.probability, Prediction("x", {}).probability) == (0.75, None)
    assert (said.label, said.shown_emotion) == ("joy", "joy")
    assert (unsure.label, unsure.shown_emotion) == ("unsure", "anger")
    timeline = Timeline("a<i>.wav", (said, unsure), ("anger", "joy"), 3.5)
    assert repr(timeline) == "Timeline('a<i>.wav', 3.5 s, 2 utterances)"
    table = timeline._repr_html_()
    assert "&lt;b&gt;" in table
    assert "<i>" not in table


def test_the_words_come_after_the_name_of_their_speaker():
    p = Prediction("a#1", {"joy": 0.75}, text="So good.", decided=("joy",))
    named = [replace(p, speaker="<ANNA>"), p, replace(p, speaker="BOB", text=None)]
    assert [one.turn for one in named] == ["<ANNA>: So good.", "So good.", ""]
    table = Timeline("a.srt", tuple(named), ("joy",))._repr_html_()
    assert "<td>&lt;ANNA&gt;: So good.</td>" in table
    assert "<td>So good.</td>" in table


def test_a_stream_has_no_share_of_what_it_cannot_tell():
    sources = {"joy": {"speech": "absent"}, "anger": {"speech": "learned"}}
    shares = {"speech": {"joy": 0.0, "anger": 0.5}}
    p = Prediction("a#1", {"joy": 0.4, "anger": 0.6}, shares=shares, sources=sources)
    assert p.known_shares("speech") == {"anger": 0.5}
    assert p.known_shares("speech", {"joy": 0.0, "anger": 0.1}) == {"anger": 0.1}
    assert p.known_shares("face") == {}
