"""Calibration metrics equal cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.evaluation.metrics.calibration import binned, calibration_error


def two(*confidences):
    """Rows [p, 1 - p], the first the most probable."""
    return np.array([[p, 1 - p] for p in confidences])


def of_the_best(probabilities, targets, bins=15):
    """Sort each row's most probable emotion into bins."""
    best = probabilities.argmax(1)
    rows = np.arange(len(best))
    return binned(probabilities[rows, best], targets[rows, best] > 0, bins)


def test_by_hand():
    # (0.6, 0.8]: mean 0.7, both right: 0.3 off; (0.8, 1]: mean 0.9, one of two right: 0.4 off
    probabilities = two(0.65, 0.75, 0.85, 0.95)
    targets = np.array([[1, 0], [1, 0], [0, 1], [1, 0]])
    bins = of_the_best(probabilities, targets, 5)
    assert calibration_error(bins) == pytest.approx(0.35)
    assert [b.cases for b in bins] == [0, 0, 0, 2, 2]
    assert bins[3].confidence == pytest.approx(0.7)
    assert bins[4].accuracy == 0.5
    assert np.isnan(bins[0].accuracy)


def test_bins_are_weighed_by_their_rows():
    probabilities = two(0.9, 0.9, 0.9, 0.55)
    targets = np.array([[1, 0], [1, 0], [1, 0], [0, 1]])
    expected = 3 / 4 * 0.1 + 1 / 4 * 0.55
    assert calibration_error(of_the_best(probabilities, targets)) == pytest.approx(expected)


def test_the_upper_edge_belongs_to_the_bin():
    bins = binned(np.array([0.0, 0.2, 0.2000001, 1.0]), np.ones(4), 5)
    assert [b.cases for b in bins] == [2, 1, 0, 0, 1]


def test_one_who_is_sure_and_right_is_calibrated():
    assert calibration_error(of_the_best(np.eye(3), np.eye(3))) == 0
    assert calibration_error(of_the_best(np.eye(3), 1 - np.eye(3))) == 1


def test_probabilities_that_equal_accuracy_have_no_error():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, 50_000)
    right = rng.random(50_000) < p
    targets = np.stack([right, ~right], 1)
    assert calibration_error(of_the_best(two(*p), targets)) < 0.02
    sharper = np.clip(p + 0.2, 0, 1)
    assert calibration_error(of_the_best(two(*sharper), targets)) > 0.1


def test_no_rows_have_no_error():
    assert np.isnan(calibration_error(of_the_best(np.zeros((0, 3)), np.zeros((0, 3)))))
