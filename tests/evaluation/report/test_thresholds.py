"""Chosen thresholds are optimal on validation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.errors import DataError, UsageError
from moodal.evaluation import metrics
from moodal.evaluation.report import thresholds
from moodal.evaluation.report.scores import Scored
from moodal.evaluation.report.thresholds import choose, fixed

MEASURE = {"binary_f1": "binary_f1", "balanced_accuracy": "weighted_accuracy"}


def _scored(targets, probabilities, subset="valid"):
    p = np.asarray(probabilities, float).reshape(len(targets), -1)
    return Scored(
        ids=[str(i) for i in range(len(p))],
        probabilities=p,
        logits=p,
        targets=np.asarray(targets, float).reshape(p.shape),
        labels=["joy", "fear"][: p.shape[1]],
        task="multi",
        clusters=[str(i) for i in range(len(p))],
        subset=subset,
    )


@pytest.mark.parametrize("criterion", MEASURE)
@given(rows=st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=2, max_size=25))
def test_no_other_threshold_is_better(criterion, rows):
    targets, tenths = (np.array(x, float) for x in zip(*rows, strict=True))
    probabilities = tenths / 10
    if len(set(targets)) < 2:
        return
    chosen = choose(_scored(targets, probabilities), criterion).values[0]

    def gain(threshold):
        decided = metrics.decide(probabilities, threshold)
        return float(metrics.METRICS[MEASURE[criterion]].measure(targets, decisions=decided))

    assert 0 <= chosen <= 1
    assert gain(chosen) >= max(gain(t) for t in np.linspace(0, 1, 41)) - 1e-9


@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(1, 499)), min_size=2, max_size=40),
)
def test_the_expected_f1_is_that_of_calibrated_rows(rows):
    target, scores = (np.array(x) for x in zip(*rows, strict=True))
    scores = scores / 500
    if target.all() or not target.any():
        return
    threshold = thresholds.best_threshold(target, scores, "expected_f1")
    assert 0 <= threshold <= 1
    logits = thresholds._logits(scores)
    probabilities = thresholds.calibrated(target, logits)

    def promised(decided):
        return 2 * probabilities[decided].sum() / (decided.sum() + probabilities.sum())

    best = max(promised(logits >= level) for level in logits)
    decided = scores > threshold
    assert decided.any()
    assert promised(decided) >= best - 1e-9


def test_calibration_is_the_logistic_regression_of_softened_targets():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=4000)
    target = rng.random(4000) < 1 / (1 + np.exp(-(2 * logits - 3)))
    probabilities = thresholds.calibrated(target, logits)
    slope, offset = np.polyfit(logits, np.log(probabilities / (1 - probabilities)), 1)
    assert (slope, offset) == (pytest.approx(2, abs=0.2), pytest.approx(-3, abs=0.25))
    backwards = thresholds.calibrated(target, -logits)
    assert np.ptp(backwards) < 1e-9  # scores that tell the opposite are not believed


def test_of_equally_good_ones_the_nearest_to_half():
    assert choose(_scored([0, 0, 1], [0.1, 0.2, 0.9])).values[0] == pytest.approx(0.55)


def test_an_emotion_without_positives_stays_fixed_and_says_so():
    valid = _scored([[1, 0], [0, 0]], [[0.9, 0.3], [0.7, 0.2]])
    chosen = choose(valid, "balanced_accuracy")
    assert chosen.values.tolist() == pytest.approx([0.8, 0.5])
    assert chosen.notes == (
        "fear has only positive or only negative rows in valid: the threshold stays at 0.5.",
    )
    assert chosen.source == "chosen for balanced_accuracy on valid"


def test_fixed():
    assert fixed(["a", "b"], 0.3).values.tolist() == [0.3, 0.3]
    with pytest.raises(UsageError, match="from 0 to 1"):
        fixed(["a"], 3)


def test_invalid_requests_are_refused(predictions):
    with pytest.raises(UsageError, match="No criterion"):
        choose(predictions("multi"), "accuracy")
    with pytest.raises(DataError, match="rows that have emotions"):
        choose(predictions("regression"))


@pytest.mark.parametrize("criterion", ["binary_f1", "balanced_accuracy"])
@pytest.mark.parametrize("only", [True, False])
def test_a_threshold_that_nothing_chooses_stays(criterion, only):
    target = np.full(3, only)
    assert thresholds.best_threshold(target, np.array([0.1, 0.2, 0.9]), criterion, 0.4) == 0.4
