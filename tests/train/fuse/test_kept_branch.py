"""A branch that knows words by other vectors than before gives its words the same logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.train.fuse.kept_branch import carried
from moodal.train.fuse.train_branch import logits_of


@given(st.integers(1, 6), st.integers(0, 99))
def test_learned_words_keep_their_logits(words, seed):
    rng = np.random.default_rng(seed)
    maps = {
        "map": rng.normal(size=(5, 8)),
        "offset": rng.normal(size=8),
        "bias": rng.normal(size=5),
    }
    old, new = rng.normal(size=(words, 8)), rng.normal(size=(words, 11))
    states = rng.normal(size=(7, 5))
    before = logits_of(states, maps, old)
    after = logits_of(states, carried(maps, old, new), new)
    np.testing.assert_allclose(after, before, atol=1e-8)


def test_a_new_word_is_scored_by_its_likeness():
    maps = {"map": np.eye(2), "offset": np.zeros(2), "bias": np.zeros(2)}
    old = np.eye(2)
    new = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    across = carried(maps, old, new)
    alike, other = np.array([[0.9, 0.1, 0.4]]), np.array([[0.0, 0.0, 1.0]])
    states = np.array([[2.0, 0.0]])
    assert logits_of(states, across, alike)[0, 0] == pytest.approx(1.8)
    assert logits_of(states, across, other)[0, 0] == pytest.approx(0.0)
