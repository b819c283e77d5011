"""Undefined metrics give a reason, and wrong input is refused."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.errors import DataError, UsageError
from moodal.evaluation import metrics

UNDEFINED = {
    "weighted_accuracy": [True, True],
    "auc": [True, True],
    "average_precision": [True, False],
    "binary_f1": [True, False],
    "recall": [True, False],
    "precision": [True, False],
    "binary_accuracy": [False, False],
    "weighted_f1": [False, False],
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_an_absent_and_an_ever_present_emotion(name):
    targets = np.tile([0.0, 1.0], (6, 1))
    predicted = np.random.default_rng(0).random((6, 2)).round()
    for weights in (None, np.array([0.1, 0.7, 0.3, 0.2, 0.9, 0.11])):
        value = metrics.METRICS[name].measure(
            targets, scores=predicted, decisions=predicted, weights=weights
        )
        assert np.isnan(value).tolist() == UNDEFINED[name]
    reasons = metrics.METRICS[name].why_undefined(targets)
    assert [r is not None for r in reasons] == UNDEFINED[name]
    if UNDEFINED[name][0]:
        assert reasons[0] == "no row has this emotion"


@pytest.mark.parametrize("name", metrics.METRICS)
def test_chance_is_what_ignorance_scores(name):
    """The expectation over random guesses, measured, is the one that the table gives."""
    rng = np.random.default_rng(0)
    targets = np.eye(3)[rng.choice(3, 600, p=[0.5, 0.3, 0.2])]
    level = metrics.METRICS[name].chance_level(targets.mean(0))
    if level is None:
        return
    values = []
    for _ in range(200):
        scores = rng.random((600, 3))
        decided = metrics.top(scores)
        values.append(metrics.METRICS[name].measure(targets, scores=scores, decisions=decided))
    np.testing.assert_allclose(np.mean(values, 0), level, atol=0.015)


def test_wrong_input_is_refused_with_a_message():
    with pytest.raises(DataError, match="have one shape"):
        metrics.METRICS["auc"].measure(np.ones((3, 2)), scores=np.ones((3, 1)))
    with pytest.raises(DataError, match="predictions contain NaN"):
        metrics.METRICS["auc"].measure(np.array([0.0, 1.0]), scores=np.array([0.0, np.nan]))
    with pytest.raises(UsageError, match="'Binary F1' needs decisions"):
        metrics.METRICS["binary_f1"].measure(np.ones(3), scores=np.ones(3))
