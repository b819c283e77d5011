"""Metrics of values equal scikit-learn and numpy."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from moodal.evaluation import metrics


@pytest.fixture
def values():
    rng = np.random.default_rng(8)
    truth = np.round(rng.uniform(-3, 3, 200) * 3) / 3
    return truth, truth + rng.normal(size=200)


def test_mae_and_signs_equal_scikit_learn(values, weights):
    truth, said = values
    assert (truth == 0).any()
    w = {"sample_weight": weights}
    assert metrics.measure("mae", truth, scores=said, weights=weights) == pytest.approx(
        sk.mean_absolute_error(truth, said, **w)
    )
    assert metrics.measure("acc2", truth, scores=said, weights=weights) == pytest.approx(
        sk.accuracy_score(truth > 0, said > 0, **w)
    )
    assert metrics.measure("sign_f1", truth, scores=said, weights=weights) == pytest.approx(
        sk.f1_score(truth > 0, said > 0, average="weighted", **w)
    )
    kept = truth != 0
    w = {"sample_weight": None if weights is None else weights[kept]}
    assert metrics.measure("acc2_nonzero", truth, scores=said, weights=weights) == pytest.approx(
        sk.accuracy_score(truth[kept] > 0, said[kept] > 0, **w)
    )
    theirs = sk.f1_score(truth[kept] > 0, said[kept] > 0, average="weighted", **w)
    ours = metrics.measure("sign_f1_nonzero", truth, scores=said, weights=weights)
    assert ours == pytest.approx(theirs)


def test_correlation_equals_numpy(values, weights):
    truth, said = values
    spread = np.cov(truth, said, aweights=weights)
    theirs = spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1])
    assert metrics.pearson(truth, said, weights) == pytest.approx(theirs)
    # far from zero, where squares would swallow the digits
    assert metrics.pearson(truth + 1e6, said, weights) == pytest.approx(theirs, abs=1e-6)


def test_steps_by_hand():
    truth, said = np.array([2.6, -3.0, 0.4, 1.0]), np.array([3.9, -2.0, -0.4, 1.6])
    assert metrics.measure("acc7", truth, scores=said) == 0.5  # 3 = 3, 0 = 0
    assert metrics.measure("acc5", truth, scores=said) == 0.75  # and -2 = -2


def test_a_correlation_with_a_constant_is_undefined(values):
    truth, said = values
    assert np.isnan(metrics.pearson(truth, np.full(200, 0.1)))
    reason = metrics.why_undefined("pearson", truth, np.full(200, 0.1))
    assert reason == ["the prediction is the same in every row"]
    assert metrics.why_undefined("pearson", truth, said) == [None]
    assert np.isnan(metrics.pearson(np.ones(200), said))
