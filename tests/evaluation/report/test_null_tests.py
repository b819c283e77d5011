"""Null distributions and the cosine baseline equal values by hand and by chance."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.evaluation.metrics import auc
from moodal.evaluation.report.null_tests import cosine, other_words, p_value, retrained


def test_p_is_never_zero_and_never_above_one():
    assert p_value(0.9, [0.1] * 199) == pytest.approx(1 / 200)
    assert p_value(0.5, [0.5, 0.5]) == 1
    assert p_value(0.5, [0.6, np.nan, 0.4]) == pytest.approx(2 / 3)


@pytest.fixture
def words():
    """Texts that lie along a hidden direction where the emotion is, and a vocabulary."""
    rng = np.random.default_rng(0)
    targets = (rng.random(300) < 0.3).astype(float)
    own = np.zeros(20)
    own[0] = 1
    texts = rng.normal(size=(300, 20)) + np.outer(targets, own) * 1.5
    return texts, targets, own, rng.normal(size=(400, 20))


def test_a_word_that_fits_beats_other_words(words):
    texts, targets, own, vocabulary = words
    observed = float(auc(targets, texts @ own))
    found = other_words(lambda v: texts @ v.T, vocabulary, targets, observed, draws=150, seed=1)
    assert found["draws"] == 150 == len(found["aucs"])
    assert found["mean"] == pytest.approx(0.5, abs=0.05)
    assert found["mean"] < found["percentile_95"] < observed
    assert found["p"] == pytest.approx(1 / 151)
    again = other_words(lambda v: texts @ v.T, vocabulary, targets, observed, draws=150, seed=1)
    assert again == found


def test_a_word_of_the_vocabulary_is_nothing_special(words):
    texts, targets, _, vocabulary = words
    found = other_words(lambda v: texts @ v.T, vocabulary, targets, 0.5)
    assert found["draws"] == 200
    assert 0.2 < found["p"] < 0.8


def test_no_word_is_drawn_twice(words):
    texts, targets, _, vocabulary = words
    found = other_words(lambda v: texts @ v.T, vocabulary[:30], targets, 0.5)
    assert found["draws"] == 30
    assert len(set(found["aucs"])) == 30


def test_wrong_shapes_and_nothing_to_draw(words):
    texts, targets, _, vocabulary = words
    with pytest.raises(DataError, match="scores"):
        other_words(lambda v: texts, vocabulary, targets, 0.5)
    with pytest.raises(DataError, match="empty"):
        other_words(lambda v: texts @ v.T, vocabulary[:0], targets, 0.5)
    with pytest.raises(DataError, match="needs an AUC"):
        other_words(lambda v: texts @ v.T, vocabulary, np.zeros(300), 0.5)


def test_retrained_models():
    found = retrained([0.4, 0.5, 0.6, float("nan")], 0.55)
    assert (found["draws"], found["p"]) == (3, 0.5)
    assert found["mean"] == pytest.approx(0.5)


def test_cosine_by_hand():
    texts, labels = np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 0.5]])
    np.testing.assert_allclose(cosine(texts, labels, centre=False), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(cosine(texts, labels), [[-0.1, 0.1], [0, 0]])
    with pytest.raises(DataError, match="the same width"):
        cosine(texts, np.ones((2, 3)))
