"""Metrics of values equal scikit-learn, SciPy and numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from moodal.evaluation import metrics


@pytest.fixture
def values():
    rng = np.random.default_rng(8)
    truth = np.round(rng.uniform(-3, 3, 200) * 3) / 3
    return truth, truth + rng.normal(size=200)


def test_mae_and_signs_equal_scikit_learn(values, weights):
    truth, predicted = values
    assert (truth == 0).any()
    w = {"sample_weight": weights}
    assert metrics.METRICS["mae"].measure(
        truth, scores=predicted, weights=weights
    ) == pytest.approx(sk.mean_absolute_error(truth, predicted, **w))
    assert metrics.METRICS["acc2"].measure(
        truth, scores=predicted, weights=weights
    ) == pytest.approx(sk.accuracy_score(truth > 0, predicted > 0, **w))
    assert metrics.METRICS["sign_f1"].measure(
        truth, scores=predicted, weights=weights
    ) == pytest.approx(sk.f1_score(truth > 0, predicted > 0, average="weighted", **w))
    kept = truth != 0
    w = {"sample_weight": None if weights is None else weights[kept]}
    assert metrics.METRICS["acc2_nonzero"].measure(
        truth, scores=predicted, weights=weights
    ) == pytest.approx(sk.accuracy_score(truth[kept] > 0, predicted[kept] > 0, **w))
    theirs = sk.f1_score(truth[kept] > 0, predicted[kept] > 0, average="weighted", **w)
    ours = metrics.METRICS["sign_f1_nonzero"].measure(truth, scores=predicted, weights=weights)
    assert ours == pytest.approx(theirs)


def test_correlation_equals_numpy(values, weights):
    truth, predicted = values
    spread = np.cov(truth, predicted, aweights=weights)
    theirs = spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1])
    assert metrics.pearson(truth, predicted, weights) == pytest.approx(theirs)
    # far from zero, where squares would swallow the digits
    assert metrics.pearson(truth + 1e6, predicted, weights) == pytest.approx(theirs, abs=1e-6)


def test_steps_by_hand():
    truth, predicted = np.array([2.6, -3.0, 0.4, 1.0]), np.array([3.9, -2.0, -0.4, 1.6])
    assert metrics.METRICS["acc7"].measure(truth, scores=predicted) == 0.5  # 3 = 3, 0 = 0
    assert metrics.METRICS["acc5"].measure(truth, scores=predicted) == 0.75  # and -2 = -2


def test_a_correlation_with_a_constant_is_undefined(values):
    truth, predicted = values
    assert np.isnan(metrics.pearson(truth, np.full(200, 0.1)))
    reason = metrics.METRICS["pearson"].why_undefined(truth, np.full(200, 0.1))
    assert reason == ["the predictions are all equal"]
    assert metrics.METRICS["pearson"].why_undefined(truth, predicted) == [None]
    assert np.isnan(metrics.pearson(np.ones(200), predicted))


def test_rmse_equals_scikit_learn(values, weights):
    truth, predicted = values
    theirs = sk.root_mean_squared_error(truth, predicted, sample_weight=weights)
    assert metrics.rmse(truth, predicted, weights) == pytest.approx(theirs)


def test_correlations_equal_scipy(values):
    truth, predicted = values
    theirs = stats.pearsonr(truth, predicted).statistic
    assert metrics.pearson(truth, predicted) == pytest.approx(theirs)
    # Lin's coefficient is Pearson's times the bias correction C_b
    scale = truth.std() / predicted.std()
    shift = (truth.mean() - predicted.mean()) / np.sqrt(truth.std() * predicted.std())
    correction = 2 / (scale + 1 / scale + shift**2)
    assert metrics.ccc(truth, predicted) == pytest.approx(theirs * correction)


def test_concordance_equals_its_formula_with_weights(values, weights):
    truth, predicted = values
    spread = np.cov(truth, predicted, aweights=weights, bias=True)
    means = np.average(truth, weights=weights), np.average(predicted, weights=weights)
    below = spread[0, 0] + spread[1, 1] + (means[0] - means[1]) ** 2
    assert metrics.ccc(truth, predicted, weights) == pytest.approx(2 * spread[0, 1] / below)
    # far from zero, where squares would swallow the digits
    far = metrics.ccc(truth + 1e6, predicted + 1e6, weights)
    assert far == pytest.approx(metrics.ccc(truth, predicted, weights), abs=1e-6)


def test_whole_weights_are_repeated_rows(values):
    truth, predicted = values
    times = np.arange(200) % 4
    again = np.repeat(truth, times), np.repeat(predicted, times)
    for name in ("ccc", "pearson", "mae", "rmse"):
        weighted = metrics.METRICS[name].measure(
            truth, scores=predicted, weights=times.astype(float)
        )
        assert weighted == pytest.approx(
            metrics.METRICS[name].measure(again[0], scores=again[1])
        ), name


def test_a_constant_prediction_has_no_concordance_and_a_constant_truth_no_figure(values):
    truth, predicted = values
    assert metrics.ccc(truth, np.full(200, 0.1)) == pytest.approx(0)
    assert np.isnan(metrics.ccc(np.ones(200), predicted))
    reason = metrics.METRICS["ccc"].why_undefined(np.ones(200), predicted)
    assert reason == ["the true values are all equal"]


numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


@st.composite
def truth_and_prediction(draw):
    """A truth that varies, and a prediction of as many rows."""
    truth = np.array(draw(numbers))
    predicted = np.array(draw(st.lists(st.floats(-100, 100), min_size=len(truth), max_size=30)))
    assume(truth.std() > 1e-3)
    return truth, predicted[: len(truth)]


@given(truth_and_prediction())
def test_concordance_is_symmetric_bounded_and_never_above_the_correlation(rows):
    truth, predicted = rows
    value = metrics.ccc(truth, predicted)
    assert -1 - 1e-9 <= value <= 1 + 1e-9
    assume(predicted.std() > 1e-3)
    assert metrics.ccc(predicted, truth) == pytest.approx(value, abs=1e-9)
    assert abs(value) <= abs(metrics.pearson(truth, predicted)) + 1e-9


@given(truth_and_prediction(), st.floats(0.1, 10), st.floats(-50, 50))
def test_concordance_does_not_depend_on_the_scale_that_both_share(rows, factor, shift):
    truth, predicted = rows
    moved = metrics.ccc(truth * factor + shift, predicted * factor + shift)
    assert moved == pytest.approx(metrics.ccc(truth, predicted), abs=1e-6)


@given(truth_and_prediction(), st.floats(0.5, 50))
def test_only_the_truth_itself_has_a_concordance_of_one(rows, shift):
    truth, _ = rows
    assert metrics.ccc(truth, truth) == pytest.approx(1)
    assert metrics.ccc(truth, truth + shift) < 1
    assert metrics.pearson(truth, truth + shift) == pytest.approx(1)
