"""Calibration and abstention of a report equal those of the metrics, with intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.evaluation.metrics.calibration import binned, calibration_error
from moodal.evaluation.report import tables
from moodal.evaluation.report.calibration import (
    abstention,
    calibration,
    calibration_lines,
    reliability_diagram,
)
from moodal.evaluation.report.summary import combine, summarise


def test_the_report_has_the_calibration_error_with_an_interval(predictions):
    scored = predictions("single", n=300)
    entry = calibration(scored, draws=200)
    best = scored.probabilities.argmax(1)
    bins = binned(scored.probabilities.max(1), scored.targets[np.arange(300), best])
    assert entry["ece"] == pytest.approx(calibration_error(bins))
    assert entry["low"] < entry["high"]
    assert sum(b["cases"] for b in entry["bins"]) == 300
    assert entry["of"] == "the most probable emotion"


def test_the_statistic_with_equal_weights_is_the_error(predictions):
    """Two clusters of the same rows: every draw is the whole, and the interval has no width."""
    scored = predictions("single").rows([*range(120), *range(120)])
    scored = replace(scored, clusters=("one",) * 120 + ("two",) * 120)
    entry = calibration(scored, draws=20)
    assert entry["low"] == pytest.approx(entry["ece"])
    assert entry["high"] == pytest.approx(entry["ece"])
    alone = calibration(replace(scored, clusters=("one",) * 240), draws=20)
    assert (alone["ece"], alone["low"], alone["high"]) == (entry["ece"], None, None)


def test_multi_label_calibration_covers_every_emotion(predictions):
    entry = calibration(predictions("multi"), draws=20)
    assert sum(b["cases"] for b in entry["bins"]) == 480
    assert entry["low"] <= entry["high"]
    by_hand = sum(
        b["cases"] / 480 * abs(b["accuracy"] - b["confidence"]) for b in entry["bins"] if b["cases"]
    )
    assert entry["ece"] == pytest.approx(by_hand)


def test_values_have_no_calibration(predictions):
    assert calibration(predictions("regression")) is None
    test = predictions("regression")
    report = summarise(test, train_targets=test.targets, draws=0)
    assert "calibration" not in report
    with pytest.raises(DataError, match="no calibration"):
        reliability_diagram(report, "x.png")


def test_reports_contain_calibration_and_folds_pool_it(predictions, tmp_path):
    tests = [predictions("single", seed=i, subset=f"fold {i}") for i in range(2)]
    reports = [summarise(t, train_targets=t.targets, draws=10) for t in tests]
    both = combine(reports, tests, draws=10)
    assert sum(b["cases"] for b in both["calibration"]["bins"]) == 240
    assert "Calibration: expected calibration error" in tables.markdown(both)
    for ending in ("png", "svg"):
        path = reliability_diagram(both, tmp_path / f"r.{ending}")
        assert path.stat().st_size > 2000


def test_abstention_by_hand(predictions):
    scored = predictions("single", n=8, speakers=8)
    decided = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    right = np.array([1, 1, 1, 0, 1, 0, 0, 0], bool)
    entry = abstention(scored, decided, right, draws=100)
    assert entry["rows"] == 4
    assert entry["share"]["value"] == 0.5
    assert entry["accuracy"]["value"] == 0.75
    assert entry["accuracy_all"]["value"] == 0.5
    assert entry["accuracy"]["low"] < 0.75 < entry["accuracy"]["high"]
    never = abstention(scored, np.zeros(8, bool), right, draws=10)
    assert never["accuracy"] == {"value": None, "low": None, "high": None}
    report = {"extras": {"abstention": never}}
    assert calibration_lines(report)[0].startswith("Abstention: 0.000")
