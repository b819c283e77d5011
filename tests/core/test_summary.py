"""The summary of a recording: weights by time, shares of time, telling and first moments."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.summary import MOST, summarise
from moodal.core.timeline import Prediction, Timeline

EMOTIONS = ("anger", "happiness", "neutral")


def prediction(number=1, start=0.0, end=1.0, anger=0.2, happiness=0.7, decided="", **more):
    probabilities = dict(zip(EMOTIONS, (anger, happiness, 1 - anger - happiness), strict=True))
    decision = (decided,) if decided else ()
    return Prediction(f"x#{number}", probabilities, decision, start, end, **more)


def test_an_utterance_weighs_as_much_as_it_lasts():
    summary = summarise(
        [
            prediction(1, 0.0, 3.0, anger=0.1, happiness=0.8, decided="happiness"),
            prediction(2, 4.0, 5.0, anger=0.5, happiness=0.4),
        ],
        EMOTIONS,
    )
    assert (summary.utterances, summary.seconds) == (2, 4.0)
    assert summary.probabilities == pytest.approx({"anger": 0.2, "happiness": 0.7, "neutral": 0.1})
    assert summary.decided == {"anger": 0.0, "happiness": 0.75, "neutral": 0.0}
    assert summary.undecided == 0.25


@pytest.mark.parametrize("times", [(None, None), (2.0, 2.0)])
def test_texts_and_pictures_weigh_the_same(times):
    summary = summarise(
        [
            prediction(1, *times, anger=0.1, decided="happiness"),
            prediction(2, *times, anger=0.3),
        ],
        EMOTIONS,
    )
    assert summary.probabilities["anger"] == pytest.approx(0.2)
    assert summary.decided["happiness"] == summary.undecided == 0.5
    assert summary.seconds == (None if times[0] is None else 0.0)


def test_telling_are_the_most_probable_decisions_but_neutral():
    probabilities = (0.6, 0.9, 0.7, 0.8)
    predictions = [
        prediction(i, i, i + 1, anger=p, happiness=0.0, decided="anger")
        for i, p in enumerate(probabilities)
    ]
    predictions.append(prediction(4, 4, 5, anger=0.0, happiness=0.01, decided="neutral"))
    predictions.append(prediction(5, 5, 6, anger=0.95, happiness=0.0))
    summary = summarise(predictions, EMOTIONS)
    assert [m.id for m in summary.telling] == ["x#1", "x#3", "x#2"]
    assert (summary.telling[0].start, summary.telling[0].end) == (1, 2)
    assert len(summary.telling) == MOST
    assert [(m.emotion, m.id) for m in summary.first] == [("anger", "x#0"), ("neutral", "x#4")]


def test_each_of_several_persons_has_a_summary(made):
    predictions = [
        prediction(1, 0, 1, track=2, decided="happiness"),
        prediction(2, 0, 3, track=1),
        prediction(3, 3, 4),
    ]
    summary = summarise(predictions, EMOTIONS)
    assert (summary.track, summary.utterances, summary.seconds) == (None, 3, 5.0)
    assert [(t.track, t.utterances, t.seconds) for t in summary.tracks] == [
        (2, 1, 1.0),
        (1, 1, 3.0),
    ]
    assert [t.undecided for t in summary.tracks] == [0.0, 1.0]
    assert made.timeline().summary().tracks == ()


def test_values_have_a_mean_and_ends(made):
    predictions = [
        Prediction(f"x#{i}", {}, start=start, end=end, values={"valence": value})
        for i, (start, end, value) in enumerate([(0, 1, 0.5), (1, 4, -0.5), (4, 5, 0.5)])
    ]
    summary = summarise(predictions, ())
    valence = summary.values["valence"]
    assert valence.mean == pytest.approx(-0.1)
    assert (valence.lowest, valence.lowest_id, valence.lowest_start) == (-0.5, "x#1", 1)
    assert (valence.highest, valence.highest_id, valence.highest_start) == (0.5, "x#0", 0)
    assert (summary.undecided, summary.decided, summary.probabilities) == (None, {}, {})


def test_without_utterances_nothing_is_said():
    summary = Timeline("x.wav", (), EMOTIONS).summary()
    assert (summary.utterances, summary.seconds, summary.undecided) == (0, None, None)
    assert (summary.probabilities, summary.telling, summary.values) == ({}, (), {})


shares = st.floats(0, 1)
lengths = st.floats(0, 1e4, allow_subnormal=False)
utterances = st.lists(
    st.tuples(lengths, shares, shares, st.sampled_from(["", *EMOTIONS])), min_size=1
)


@given(utterances, st.booleans())
def test_shares_of_time_add_up_and_means_are_in_range(rows, timed):
    predictions, at = [], 0.0
    for i, (length, anger, rest, decided) in enumerate(rows):
        start, end = (at, at + length) if timed else (None, None)
        happiness = (1 - anger) * rest
        predictions.append(prediction(i, start, end, anger, happiness, decided, track=i % 3))
        at += length
    whole = summarise(predictions, EMOTIONS)
    for summary in (whole, *whole.tracks):
        assert sum(summary.decided.values()) + summary.undecided == pytest.approx(1)
        own = [p for p in predictions if summary.track in (None, p.track)]
        for emotion, mean in summary.probabilities.items():
            numbers = [p.probabilities[emotion] for p in own]
            assert min(numbers) <= mean <= max(numbers)
        assert sum(summary.probabilities.values()) == pytest.approx(1)
        assert {m.emotion for m in summary.first} == {p.decided[0] for p in own if p.decided}


@given(st.lists(st.tuples(lengths, st.floats(-1, 1)), min_size=1))
def test_the_mean_of_values_lies_between_the_ends(rows):
    predictions = [
        Prediction(f"x#{i}", {}, start=0.0, end=length, values={"valence": value})
        for i, (length, value) in enumerate(rows)
    ]
    valence = summarise(predictions, ()).values["valence"]
    assert valence.lowest <= valence.mean <= valence.highest


def test_cutting_an_utterance_in_two_changes_no_mean(made):
    timeline = made.timeline()
    first = timeline[0]
    middle = (first.start + first.end) / 3
    halves = dataclasses.replace(first, end=middle), dataclasses.replace(first, start=middle)
    cut = dataclasses.replace(timeline, predictions=(*halves, *timeline[1:])).summary()
    whole = timeline.summary()
    assert cut.probabilities == pytest.approx(whole.probabilities)
    assert cut.decided == pytest.approx(whole.decided)


def test_slices_are_summed_up_in_place_of_their_utterance():
    slices = (
        prediction(1.1, 0.0, 1.0, anger=0.9, happiness=0.0, decided="anger"),
        prediction(1.2, 1.0, 2.0, anger=0.8, happiness=0.0, decided="anger"),
        prediction(1.3, 2.0, 4.0, anger=0.0, happiness=0.0, decided="neutral"),
    )
    whole = prediction(1, 0.0, 4.0, anger=0.3, happiness=0.3, slices=slices)
    other = prediction(2, 5.0, 6.0, anger=0.0, happiness=0.6, decided="happiness")
    summary = summarise([whole, other], EMOTIONS)
    assert (summary.utterances, summary.seconds) == (2, 5.0)
    assert summary.probabilities["anger"] == pytest.approx((0.9 + 0.8) / 5)
    assert summary.decided == pytest.approx({"anger": 0.4, "happiness": 0.2, "neutral": 0.4})
    # of each utterance its most telling slice
    assert [m.id for m in summary.telling] == ["x#1.1", "x#2"]
    assert [m.id for m in summary.first] == ["x#1.1", "x#1.3", "x#2"]
    assert Timeline("x", (whole, other), EMOTIONS).rows == (*slices, other)
