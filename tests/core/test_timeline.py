"""Timeline: utterances as a table, and what is empty for a model of values."""

from __future__ import annotations

import pytest

from moodal.core.timeline import Prediction, Timeline


def test_a_frame_has_a_column_per_emotion_or_value(made):
    pytest.importorskip("pandas")
    timeline = made.timeline()
    frame = timeline.to_frame()
    assert list(frame.columns[-7:]) == list(made.BASICS)
    assert frame["decided"].isna().tolist() == [False, True, False, False, False]
    valued = made.valued(timeline)
    frame = valued.to_frame()
    assert list(frame.columns) == [
        *("id", "start", "end", "text", "track", "streams"),
        *("valence", "arousal", "trust"),
    ]
    assert frame["trust"].tolist() == [p.values["trust"] for p in valued]


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
    timeline = Timeline("a<i>.wav", (said, unsure), ("anger", "joy"), 3.5)
    assert repr(timeline) == "Timeline('a<i>.wav', 3.5 s, 2 utterances)"
    table = timeline._repr_html_()
    assert "&lt;b&gt;" in table
    assert "<i>" not in table
