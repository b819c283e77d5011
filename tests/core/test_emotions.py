"""EmotionSpace: labels, vectors and merges, immutable."""

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import SpaceError


def test_adding_keeps_the_others_and_removing_undoes_it():
    space = EmotionSpace(["a", "b"], vectors=np.eye(2), source="x")
    more = space.add("c", np.ones(2))
    assert more.labels == ("a", "b", "c")
    np.testing.assert_array_equal(more.vectors[:2], space.vectors)
    assert more.remove("c") == space
    assert hash(more.remove("c")) == hash(space)
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
        (lambda: EmotionSpace(["a", "a"]), "stands twice"),
        (lambda: EmotionSpace(["a"], vectors=np.eye(2)), "need vectors"),
        (lambda: EmotionSpace(["a"], vectors=np.array([[np.nan]])), "NaN"),
        (lambda: EmotionSpace(["a"]).index("b"), "it has a"),
        (lambda: EmotionSpace(["a"]).merged({"b": "a"}), "No emotion 'b'"),
        (lambda: EmotionSpace(["a"], vectors=np.eye(1)).add("b"), "needs a vector of width 1"),
    ],
)
def test_mistakes_are_said(make, said):
    with pytest.raises(SpaceError, match=said):
        make()
