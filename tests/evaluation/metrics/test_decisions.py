"""Every metric of decisions equals scikit-learn, with and without weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from moodal.evaluation import metrics

EACH = {
    "binary_accuracy": sk.accuracy_score,
    "weighted_accuracy": sk.balanced_accuracy_score,
    "recall": sk.recall_score,
    "precision": sk.precision_score,
    "binary_f1": sk.f1_score,
    "weighted_f1": lambda *a, **k: sk.f1_score(*a, average="weighted", **k),
}
SINGLE = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "macro_f1": lambda *a, **k: sk.f1_score(*a, average="macro", **k),
    "support_weighted_f1": lambda *a, **k: sk.f1_score(*a, average="weighted", **k),
}
MULTI = {
    "macro_f1": lambda *a, **k: sk.f1_score(*a, average="macro", **k),
    "support_weighted_f1": lambda *a, **k: sk.f1_score(*a, average="weighted", **k),
    "exact_match": sk.accuracy_score,
}


@pytest.mark.parametrize("name", EACH)
def test_each_emotion_equals_scikit_learn(name, rows, weights):
    targets, _, decisions = rows
    ours = metrics.METRICS[name].measure(targets, decisions=decisions, weights=weights)
    theirs = [EACH[name](targets[:, c], decisions[:, c], sample_weight=weights) for c in range(5)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    one = metrics.METRICS[name].measure(targets[:, 1], decisions=decisions[:, 1], weights=weights)
    assert one == pytest.approx(theirs[1])


@pytest.mark.parametrize("name", SINGLE)
def test_classes_equal_scikit_learn(name, classes, weights):
    targets, _, decisions = classes
    ours = metrics.METRICS[name].measure(targets, decisions=decisions, weights=weights)
    theirs = SINGLE[name](targets.argmax(1), decisions.argmax(1), sample_weight=weights)
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("name", MULTI)
def test_label_sets_equal_scikit_learn(name, rows, weights):
    targets, _, decisions = rows
    ours = metrics.METRICS[name].measure(targets, decisions=decisions, weights=weights)
    assert ours == pytest.approx(MULTI[name](targets, decisions, sample_weight=weights))


def test_weighted_accuracy_is_its_formula():
    targets, decisions = np.array([1, 1, 0, 0, 0]), np.array([1, 0, 0, 0, 1])
    tp, tn, p, n = 1, 2, 2, 3
    assert metrics.weighted_accuracy(targets, decisions) == pytest.approx(
        (tp * n / p + tn) / (2 * n)
    )


def test_sets_by_hand():
    targets = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0]])
    decided = np.array([[1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0], [0, 0, 0]])
    assert metrics.exact_match(targets, decided) == pytest.approx(2 / 6)
    assert metrics.subset_match(targets, decided) == pytest.approx(3 / 6)
    assert metrics.intersect_match(targets, decided) == pytest.approx(5 / 6)
    # as published, a false alarm to the left of the hit hides it
    assert metrics.intersect_match_published(targets, decided) == pytest.approx(4 / 6)


def test_an_absent_class_is_left_out_of_the_mean():
    targets = np.eye(3)[[0, 0, 1, 1]]
    decisions = np.eye(3)[[0, 2, 1, 1]]
    assert metrics.balanced_accuracy(targets, decisions) == pytest.approx(0.75)
    assert metrics.macro_f1(targets, decisions) == pytest.approx((2 / 3 + 1) / 2)


def test_thresholds_and_tops():
    scores = np.array([[0.5, 0.7], [0.2, 0.2]])
    assert metrics.decide(scores).tolist() == [[0, 1], [0, 0]]
    assert metrics.decide(scores, np.array([0.1, 0.9])).tolist() == [[1, 0], [1, 0]]
    assert metrics.top(scores).tolist() == [[0, 1], [1, 0]]
