"""The calibration of values: slope, error, bins and figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from moodal.core.errors import DataError
from moodal.evaluation.metrics.values import calibration_slope
from moodal.evaluation.report import tables
from moodal.evaluation.report.summary import combine, summarise
from moodal.evaluation.report.value_calibration import (
    value_calibration,
    value_calibration_figure,
)


def test_the_slope_is_that_of_the_line_of_truth_over_prediction(predictions):
    scored = predictions("regression", n=200)
    entries = value_calibration(scored, draws=100)
    assert list(entries) == list(scored.labels)
    for column, label in enumerate(scored.labels):
        entry = entries[label]
        line = stats.linregress(scored.logits[:, column], scored.targets[:, column])
        assert entry["slope"]["value"] == pytest.approx(line.slope)
        assert entry["slope"]["low"] < line.slope < entry["slope"]["high"]


def test_weights_count_as_repeated_rows():
    rng = np.random.default_rng(3)
    truth, predicted = rng.normal(size=(2, 30))
    times = rng.integers(0, 4, 30)
    repeated = np.repeat(truth, times), np.repeat(predicted, times)
    assert calibration_slope(truth, predicted, times) == pytest.approx(calibration_slope(*repeated))
    assert np.isnan(calibration_slope(truth, np.ones(30)))


def test_bins_are_of_similar_predictions_and_the_error_is_their_distance(predictions):
    scored = predictions("regression", n=100, c=1)
    [entry] = value_calibration(scored, draws=0).values()
    order = np.argsort(scored.logits[:, 0]).reshape(10, 10)
    truth = scored.targets[order, 0].mean(1)
    predicted = scored.logits[order, 0].mean(1)
    assert [b["rows"] for b in entry["bins"]] == [10] * 10
    assert [b["truth"] for b in entry["bins"]] == pytest.approx(truth.tolist())
    assert entry["error"]["value"] == pytest.approx(np.abs(truth - predicted).mean())
    assert entry["error"]["low"] is None


def test_a_perfect_model_is_calibrated_and_half_of_it_is_not(predictions):
    scored = predictions("regression", n=100, c=1)
    for scale, slope in ((1, 1), (0.5, 2)):
        made = replace(scored, logits=scale * scored.targets)
        [entry] = value_calibration(made, draws=0).values()
        assert entry["slope"]["value"] == pytest.approx(slope)
        assert (entry["error"]["value"] < 1e-9) == (scale == 1)


def test_reports_tell_it_and_draw_it(predictions, tmp_path):
    folds = [predictions("regression", seed=seed) for seed in (0, 1)]
    reports = [summarise(test, train_targets=test.targets, draws=20) for test in folds]
    pooled = combine(reports, folds, draws=20)
    assert sum(b["rows"] for b in pooled["value_calibration"]["anger"]["bins"]) == 240
    assert "Calibration of anger: slope " in tables.markdown(pooled)
    assert value_calibration_figure(pooled, tmp_path / "c.png").stat().st_size > 5000


def test_emotions_have_none(predictions, tmp_path):
    test = predictions("multi")
    assert value_calibration(test) is None
    report = summarise(test, train_targets=test.targets, draws=0)
    assert "value_calibration" not in report
    with pytest.raises(DataError, match="about emotions"):
        value_calibration_figure(report, tmp_path / "c.png")
