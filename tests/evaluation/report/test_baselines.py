"""Trivial baselines equal values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.evaluation.report.baselines import baselines, prior


def test_multi_by_hand():
    test = np.array([[1.0, 0], [0, 0], [0, 1], [0, 1]])
    train = np.array([[1.0, 0], [0, 0]])
    accuracy = baselines("binary_accuracy", "multi", test, train)
    assert accuracy["all-negative"].tolist() == [0.75, 0.5]
    assert accuracy["all-positive"].tolist() == [0.25, 0.5]
    assert accuracy["prior-random"][1] == 0.5  # train never has it, so it is never said
    assert accuracy["prior-random"][0] == pytest.approx(0.5, abs=0.15)
    f1 = baselines("binary_f1", "multi", test, train)
    assert f1["all-negative"].tolist() == [0, 0]
    assert f1["all-positive"].tolist() == pytest.approx([0.4, 2 / 3])
    assert baselines("exact_match", "multi", test, train)["all-negative"] == 0.25
    auc = baselines("auc", "multi", test, train)
    assert {name: v.tolist() for name, v in auc.items()} == {key: [0.5, 0.5] for key in auc}
    ap = baselines("average_precision", "multi", test, train)
    assert ap["prior-random"].tolist() == [0.25, 0.5]


def test_the_majority_is_trainings_not_tests():
    test = np.eye(3)[[0, 0, 0, 1]]
    train = np.eye(3)[[1, 1, 0]]
    accuracy = baselines("accuracy", "single", test, train)
    assert accuracy["majority"] == 0.25
    assert accuracy["prior-random"] == pytest.approx(0.75 / 3 + 0.25 * 2 / 3, abs=0.1)
    assert baselines("balanced_accuracy", "single", test, train)["majority"] == 0.5


def test_prior_random_comes_to_its_expectation():
    rng = np.random.default_rng(0)
    test = (rng.random((2000, 1)) < 0.3).astype(float)
    train = (rng.random((2000, 1)) < 0.3).astype(float)
    q, p = train.mean(), test.mean()
    found = baselines("binary_accuracy", "multi", test, train, seed=0)["prior-random"]
    assert found[0] == pytest.approx(p * q + (1 - p) * (1 - q), abs=0.01)
    again = baselines("binary_accuracy", "multi", test, train, seed=0)["prior-random"]
    assert found == again


def test_values():
    test, train = np.array([[1.0], [2.0], [3.0]]), np.array([[0.0], [0.0], [3.0]])
    mae = baselines("mae", "regression", test, train)
    assert mae["train-mean"].tolist() == [1]
    assert mae["train-median"].tolist() == [2]
    assert mae["prior-random"][0] == pytest.approx((2 + 2 + 1) / 3, abs=0.25)
    assert np.isnan(baselines("pearson", "regression", test, train)["train-mean"])


def test_undefined_stays_undefined_and_an_unseen_emotion_has_no_prior():
    test, train = np.array([[0.0, 1], [0, 0]]), np.array([[0.0, np.nan], [1, np.nan]])
    assert prior(train).tolist() == [0.5, 0]
    for name in ("auc", "average_precision", "weighted_accuracy"):
        for value in baselines(name, "multi", test, train).values():
            assert np.isnan(value[0]), name
            assert value[1] == 0.5, name


def test_targets_of_other_emotions():
    with pytest.raises(DataError, match=r"training targets \[M, 2\]"):
        baselines("auc", "multi", np.zeros((3, 2)), np.zeros((3, 1)))
