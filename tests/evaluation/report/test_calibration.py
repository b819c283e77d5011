"""Calibration and abstention in a report: as metrics.calibration has them, with intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.evaluation.metrics.calibration import expected_calibration_error
from moodal.evaluation.report import tables
from moodal.evaluation.report.calibration import (
    abstention,
    calibration,
    calibration_lines,
    reliability_diagram,
)
from moodal.evaluation.report.summary import combine, summarise


def test_it_is_the_calibration_error_with_an_interval(made):
    scored = made("single", n=300)
    told = calibration(scored, draws=200)
    expected = expected_calibration_error(scored.probabilities, scored.targets)
    assert told["ece"] == pytest.approx(expected)
    assert told["low"] < told["high"]
    assert sum(b["cases"] for b in told["bins"]) == 300
    assert told["of"] == "the most probable emotion"


def test_of_equal_weights_the_drawn_statistic_is_the_error(made):
    """One cluster: every draw is the whole, and the interval has no width."""
    scored = replace(made("single"), clusters=("one",) * 120)
    told = calibration(scored, draws=20)
    assert told["low"] == pytest.approx(told["ece"])
    assert told["high"] == pytest.approx(told["ece"])


def test_any_number_of_emotions_are_asked_one_by_one(made):
    scored = replace(made("multi"), clusters=("one",) * 120)
    told = calibration(scored, draws=20)
    assert sum(b["cases"] for b in told["bins"]) == 480
    assert told["low"] == pytest.approx(told["ece"])
    by_hand = sum(
        b["cases"] / 480 * abs(b["accuracy"] - b["confidence"]) for b in told["bins"] if b["cases"]
    )
    assert told["ece"] == pytest.approx(by_hand)


def test_values_have_none(made):
    assert calibration(made("regression")) is None
    test = made("regression")
    report = summarise(test, train_targets=test.targets, draws=0)
    assert "calibration" not in report
    with pytest.raises(DataError, match="no calibration"):
        reliability_diagram(report, "x.png")


def test_reports_hold_it_and_folds_pool_it(made, tmp_path):
    tests = [made("single", seed=i, subset=f"fold {i}") for i in range(2)]
    reports = [summarise(t, train_targets=t.targets, draws=10) for t in tests]
    both = combine(reports, tests, draws=10)
    assert sum(b["cases"] for b in both["calibration"]["bins"]) == 240
    assert "Calibration: expected calibration error" in tables.markdown(both)
    for ending in ("png", "svg"):
        path = reliability_diagram(both, tmp_path / f"r.{ending}")
        assert path.stat().st_size > 2000


def test_abstaining_by_hand(made):
    scored = made("single", n=8, speakers=8)
    decided = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    right = np.array([1, 1, 1, 0, 1, 0, 0, 0], bool)
    told = abstention(scored, decided, right, draws=100)
    assert told["rows"] == 4
    assert told["share"]["value"] == 0.5
    assert told["accuracy"]["value"] == 0.75
    assert told["accuracy_all"]["value"] == 0.5
    assert told["accuracy"]["low"] < 0.75 < told["accuracy"]["high"]
    never = abstention(scored, np.zeros(8, bool), right, draws=10)
    assert never["accuracy"] == {"value": None, "low": None, "high": None}
    report = {"extras": {"abstention": never}}
    assert calibration_lines(report)[0].startswith("Abstention: 0.000")
