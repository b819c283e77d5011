"""The table of metrics and its documentation agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodal.evaluation import metrics

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


@pytest.mark.parametrize("name", metrics.METRICS)
def test_every_metric_is_documented_under_its_name(name):
    about = metrics.METRICS[name]
    assert f"`{name}`" in DOCS.read_text(encoding="utf-8")
    assert about.function.__name__ == name
    assert getattr(metrics, name) is about.function
    assert about.title
    assert about.tasks
