"""Shares of emotions that differ between groups of rows do not have to be learned."""

import numpy as np
import pytest

from moodal.train.data.label_shift import label_shift

NAN = np.nan


def test_a_group_is_moved_by_its_log_odds():
    labels = np.array([[1.0]] * 500 + [[0.0]] * 500 + [[1.0]] * 100 + [[0.0]] * 900)
    groups = ["a"] * 1000 + ["b"] * 1000
    shift = label_shift(labels, np.arange(2000), groups)
    whole = np.log(0.3 / 0.7)
    assert shift[0, 0] == pytest.approx(0.0 - whole, abs=0.05)
    assert shift[-1, 0] == pytest.approx(np.log(0.1 / 0.9) - whole, abs=0.05)
    assert (shift[:1000] == shift[0]).all()


def test_few_rows_move_little():
    labels = np.array([[1.0]] * 2 + [[0.0], [1.0]] * 500)
    shift = label_shift(labels, np.arange(len(labels)), ["few"] * 2 + ["many"] * 1000)
    assert 0 < shift[0, 0] < 0.5


def test_what_a_group_says_nothing_of_is_not_moved():
    labels = np.array([[1.0, NAN], [0.0, NAN], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    shift = label_shift(labels, np.arange(5), ["a", "a", "b", "b", "b"])
    assert (shift[:2, 1] == 0).all()
    assert np.isfinite(shift).all()


def test_only_training_rows_are_counted():
    labels = np.array([[1.0], [0.0], [1.0], [1.0]])
    train = np.array([0, 1])
    groups = ["a", "a", "a", "new"]
    shift = label_shift(labels, train, groups)
    labels[2:] = 0
    np.testing.assert_array_equal(shift, label_shift(labels, train, groups))
    assert shift[3, 0] == 0
