"""Whole clusters are drawn, and weights are equivalent to repeated rows."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from moodal.evaluation import metrics
from moodal.evaluation.report.intervals import describe, interval, percentiles, resamples


def test_rows_of_a_cluster_come_together_and_clusters_keep_their_number():
    clusters = ["a", "b", "a", "c", "b", "d"]
    weights = np.concatenate(list(resamples(clusters, 250, seed=1)))
    assert weights.shape == (250, 6)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    assert (weights[:, [0, 1, 3, 5]].sum(1) == 4).all()
    again = np.concatenate(list(resamples(clusters, 250, seed=1)))
    np.testing.assert_array_equal(weights, again)
    other = np.concatenate(list(resamples(clusters, 250, seed=2)))
    assert (weights != other).any()


def test_equals_the_bootstrap_of_repeated_rows():
    rng = np.random.default_rng(0)
    targets = (rng.random(60) < 0.4).astype(float)
    scores = np.round(rng.normal(size=60) + targets, 1)
    clusters = [f"s{i % 15}" for i in range(60)]
    ours = interval(
        lambda w: metrics.METRICS["auc"].measure(targets, scores=scores, weights=w),
        clusters,
        draws=150,
        seed=3,
    )
    drawn = []
    for w in np.concatenate(list(resamples(clusters, 150, seed=3))).astype(int):
        drawn.append(roc_auc_score(targets.repeat(w), scores.repeat(w)))
    np.testing.assert_allclose(ours, np.percentile(drawn, [2.5, 97.5]), atol=1e-12)


def test_an_interval_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        # 25 speakers of 4 rows, who differ: rows are far from independent
        values = np.repeat(rng.normal(size=25), 4) + 0.3 * rng.normal(size=100)
        names = [str(i) for i in range(25) for _ in range(4)]
        low, high = interval(lambda w, v=values: w @ v / w.sum(1), names, draws=200, seed=trial)
        hits += low <= 0 <= high
    assert 0.88 <= hits / 200 <= 0.98


def test_rows_of_one_speaker_widen_it():
    values = np.repeat(np.random.default_rng(0).normal(size=20), 10)

    def mean(weights):
        return weights @ values / weights.sum(1)

    def width(clusters):
        low, high = interval(mean, clusters, draws=300)
        return high - low

    by_speaker = width([str(i // 10) for i in range(200)])
    by_row = width([str(i) for i in range(200)])
    assert by_speaker > 2 * by_row


def test_undefined_draws_are_left_out():
    low, high = percentiles(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]]))
    assert 1 <= low[0] < high[0] <= 3
    assert np.isnan([low[1], high[1]]).all()


def test_few_clusters_are_warned_of():
    assert "Only 9 speakers" in describe([str(i) for i in range(9)], "speaker")["warning"]
    assert "Only 1 dialogue:" in describe(["a"], "dialogue")["warning"]
    assert describe([str(i) for i in range(10)], "speaker")["warning"] is None
    assert "unknown" in describe([str(i) for i in range(10)], "utterance")["warning"]
