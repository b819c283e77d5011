"""Targets: emotions with labels, vectors and merges, and values with ranges, immutable."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import SpaceError
from moodal.core.targets import targets


def test_adding_keeps_the_others_and_selecting_undoes_it():
    space = EmotionSpace(["a", "b"], vectors=np.eye(2), source="x")
    more = space.add("c", np.ones(2))
    assert more.labels == ("a", "b", "c")
    np.testing.assert_array_equal(more.vectors[:2], space.vectors)
    assert more.select(["a", "b"]) == space
    assert hash(more.select(["a", "b"])) == hash(space)
    assert more != space


def test_a_space_is_its_labels_task_and_vectors():
    a = EmotionSpace(["a", "b"], vectors=np.eye(2))
    assert a != EmotionSpace(["b", "a"], vectors=np.eye(2))
    assert a != EmotionSpace(["a", "b"], "single", np.eye(2))
    assert a != a.with_vectors(np.eye(2) * 2)
    assert a != "a, b"


def test_merging_folds_labels_into_others_even_new_ones():
    space = EmotionSpace(["excited", "happy", "sad"], "single")
    rows = np.eye(3, dtype=np.float32)
    merges = {"excited": "joy", "happy": "joy"}
    assert space.merged(merges).labels == ("joy", "sad")
    assert space.merge_labels(rows, merges).tolist() == [[1, 0], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: EmotionSpace(["a", "a"]), "occurs twice"),
        (lambda: EmotionSpace(["a"], vectors=np.eye(2)), "need vectors"),
        (lambda: EmotionSpace(["a"], vectors=np.array([[np.nan]])), "NaN"),
        (lambda: EmotionSpace(["a"]).index("b"), "it has a"),
        (lambda: EmotionSpace(["a"]).merged({"b": "a"}), "no emotion 'b'"),
        (lambda: EmotionSpace(["a"], vectors=np.eye(1)).add("b"), "needs a vector of width 1"),
    ],
)
def test_mistakes_are_said(make, said):
    with pytest.raises(SpaceError, match=said):
        make()


def test_values_have_built_in_ranges_and_others_must_be_given():
    values = Values(["valence", "sentiment", Value("trust", 0, 4)])
    assert values.labels == ("valence", "sentiment", "trust")
    assert values.task == "regression"
    assert values.low.tolist() == [-1, -3, 0]
    assert values.high.tolist() == [1, 3, 4]
    assert [v.is_sentiment for v in values.values] == [False, True, False]
    assert not Value("sentiment", 1, 5).is_sentiment
    with pytest.raises(SpaceError, match="range of trust is not known"):
        Values(["trust"])


def test_values_are_selected_renamed_and_found_by_name():
    values = Values(["valence", Value("activation", 1, 5)], np.eye(2), "x")
    chosen = values.select(["activation"])
    assert chosen.values == (Value("activation", 1, 5),)
    np.testing.assert_array_equal(chosen.vectors, [[0, 1]])
    assert values.index("activation") == 1
    renamed = values.merged({"activation": "arousal"})
    assert renamed.values == (Value("valence", -1, 1), Value("arousal", 1, 5))
    assert values.with_vectors(None).vectors is None
    with pytest.raises(SpaceError, match="no value 'joy' in this space; it has valence"):
        values.index("joy")
    with pytest.raises(SpaceError, match="A value occurs twice"):
        values.merged({"activation": "valence"})


@given(
    numbers=st.lists(st.floats(-10, 10), min_size=1, max_size=9),
    low=st.floats(-5, 0),
    width=st.floats(0.1, 5),
)
def test_clipped_numbers_lie_in_the_range_and_others_stay(numbers, low, width):
    values = Values([Value("trust", low, low + width)])
    column = np.array(numbers)[:, None]
    clipped = values.clip(column)
    assert (clipped >= values.low).all()
    assert (clipped <= values.high).all()
    inside = (column >= values.low) & (column <= values.high)
    np.testing.assert_array_equal(clipped[inside], column[inside])
    assert values.clip(clipped).tolist() == clipped.tolist()


def test_values_are_their_names_ranges_and_vectors():
    a = Values(["valence", "arousal"])
    assert a == Values([Value("valence", -1, 1), Value("arousal", -1.0, 1.0)])
    assert hash(a) == hash(Values(["valence", "arousal"]))
    assert a != Values([Value("valence", 1, 5), Value("arousal", -1, 1)])
    assert a != Values(["arousal", "valence"])
    assert a != EmotionSpace(["valence", "arousal"])
    assert a != a.with_vectors(np.eye(2))


def test_the_fingerprint_of_sentiment_is_the_one_that_runs_hold():
    """It was computed by commit 14fc59d, where sentiment was an EmotionSpace."""
    assert Values(["sentiment"]).fingerprint == "320293176d3c0b90"
    assert Values(["sentiment"]).identity == ("regression", "sentiment")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("valence", Value("valence", -1, 1)),
        ("valence[1,5]", Value("valence", 1, 5)),
        ("Valence [ 1 .. 5 ]", Value("valence", 1, 5)),
        ("skin conductance[0;0.5]", Value("skin conductance", 0, 0.5)),
        ("arousal[-.5,+1.]", Value("arousal", -0.5, 1)),
    ],
)
def test_a_value_is_declared_by_its_name_and_range(text, value):
    assert Value.parse(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trust", "range of trust is not known"),
        ("trust[4,0]", "from a lower to a higher number; got 4 to 0"),
        ("trust[0,1", "is not a value"),
        ("[0,1]", "is not a value"),
        ("12[0,1]", "is not a value"),
        ("trust[a,b]", "is not a value"),
    ],
)
def test_a_wrong_declaration_is_refused_in_words(text, said):
    with pytest.raises(SpaceError, match=re.escape(said)):
        Value.parse(text)


def test_targets_of_files():
    values = Values(["valence", Value("trust", 0, 4)])
    assert targets(values.labels, "regression", values.ranges()) == values
    assert targets(["sentiment"], "regression") == Values(["sentiment"])
    assert targets(["joy"], "single") == EmotionSpace(["joy"], "single")
    with pytest.raises(SpaceError, match="the ranges are those of trust"):
        targets(["valence"], "regression", [{"name": "trust", "low": 0, "high": 4}])
    with pytest.raises(SpaceError, match="multi or single"):
        EmotionSpace(["sentiment"], "regression")
