"""Timeline: utterances as a table, and what is empty for a model of values."""

from __future__ import annotations

import pytest


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
