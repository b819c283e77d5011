"""AUC and average precision equal scikit-learn, ties and weights included."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from moodal.evaluation import metrics

THEIRS = {"auc": sk.roc_auc_score, "average_precision": sk.average_precision_score}


@pytest.mark.parametrize("name", THEIRS)
def test_equals_scikit_learn(name, rows, weights):
    targets, scores, _ = rows
    ours = metrics.METRICS[name].measure(targets, scores=scores, weights=weights)
    theirs = [THEIRS[name](targets[:, c], scores[:, c], sample_weight=weights) for c in range(5)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(-2, 2), st.integers(0, 3)), min_size=2, max_size=30
    )
)
def test_few_rows_of_few_levels(rows):
    target, score, weight = (np.array(x, float) for x in zip(*rows, strict=True))
    kept = weight > 0
    ours = metrics.METRICS["auc"].measure(target, scores=score, weights=weight)
    if len(set(target[kept])) < 2:
        assert np.isnan(ours)
        return
    assert ours == pytest.approx(sk.roc_auc_score(target, score, sample_weight=weight))
    ours = metrics.METRICS["average_precision"].measure(target, scores=score, weights=weight)
    theirs = sk.average_precision_score(target, score, sample_weight=weight)
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_many_weightings_at_once_equal_one_by_one(name, rows):
    targets, scores, decisions = rows
    weights = np.random.default_rng(0).multinomial(200, np.full(200, 1 / 200), size=7)
    together = metrics.METRICS[name].measure(
        targets, scores=scores, decisions=decisions, weights=weights
    )
    alone = [
        metrics.METRICS[name].measure(targets, scores=scores, decisions=decisions, weights=w)
        for w in weights
    ]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-12)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_integer_weights_are_repeated_rows(name, rows):
    targets, scores, decisions = rows
    times = np.random.default_rng(1).integers(0, 3, 200)
    weighted = metrics.METRICS[name].measure(
        targets, scores=scores, decisions=decisions, weights=times
    )
    repeated = metrics.METRICS[name].measure(
        targets.repeat(times, 0),
        scores=scores.repeat(times, 0),
        decisions=decisions.repeat(times, 0),
    )
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def test_a_hundred_draws_at_full_size_are_quick():
    rng = np.random.default_rng(0)
    targets = (rng.random((5500, 28)) < 0.05).astype(float)
    scores = rng.normal(size=(5500, 28))
    weights = rng.multinomial(5500, np.full(5500, 1 / 5500), size=100).astype(float)
    before = time.process_time()
    assert metrics.METRICS["auc"].measure(targets, scores=scores, weights=weights).shape == (
        100,
        28,
    )
    assert time.process_time() - before < 3  # 0.2 s on a desktop; sorting per draw takes 20
