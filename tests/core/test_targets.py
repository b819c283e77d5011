"""Emotions and values at once: two parts, one space of columns."""

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import SpaceError
from moodal.core.targets import JointTargets, targets


def test_joint_targets_are_words_and_then_values():
    words = EmotionSpace(["sad", "happy"], "single", np.eye(2))
    values = Values(["valence", Value("trust", 0, 4)], -np.eye(2))
    both = JointTargets(words, values)
    assert both.labels == ("sad", "happy", "valence", "trust")
    assert (both.task, len(both.words), len(both.values)) == ("single", 2, 2)
    np.testing.assert_array_equal(both.vectors, np.concatenate([np.eye(2), -np.eye(2)]))
    some = both.select(["happy", "trust"])
    assert (some.words, some.values) == (words.select(["happy"]), values.select(["trust"]))
    plain = both.with_vectors(None)
    assert (plain.vectors, plain.words.vectors, plain.values.vectors) == (None, None, None)
    assert plain != EmotionSpace(both.labels, "single")
    assert plain != JointTargets(words, Values(["valence", Value("trust", 0, 5)])).with_vectors(
        None
    )
    again = targets(both.labels, "single", values.ranges(), vectors=both.vectors)
    assert isinstance(again, JointTargets)
    assert again == both
    with pytest.raises(SpaceError, match="occurs twice in one space: valence"):
        JointTargets(EmotionSpace(["valence"]), Values(["valence"]))
