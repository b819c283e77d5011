"""The files of savings/ hold the authors' figures of a report."""

import math

from moodal.published.eea_savings import figures


def test_an_undefined_figure_is_nan() -> None:
    mae, corr = {"mean": {"value": 0.0}}, {"mean": {"value": None}}
    values = figures({"labels": ["sentiment"], "metrics": {"mae": mae, "correlation": corr}})
    assert values["mae"] == [0.0]
    assert math.isnan(values["correlation"][0])
    each = {"emotions": {"a": {"value": None}}, "mean": {"value": 0.5}}
    one, mean = figures({"labels": ["a"], "metrics": {"auc": each}})["auc"]
    assert math.isnan(one)
    assert mean == 0.5
