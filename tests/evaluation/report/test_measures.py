"""Reports show metrics that there are, for tasks they are for, and the docs name every key."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.measures import HEADLINES, LINES
from moodal.evaluation.report.summary import SCHEMA, combine, summarise

DOCS = Path(__file__).parents[3] / "docs" / "reports.md"


@pytest.mark.parametrize("task", LINES)
def test_lines_are_metrics_of_their_task(task):
    assert all(task in METRICS[line.metric].tasks for line in LINES[task])
    keys = [line.key for line in LINES[task]]
    assert len(set(keys)) == len(keys)
    assert set(HEADLINES[task]) <= set(keys)


def test_every_key_of_a_report_is_documented(made):
    docs = DOCS.read_text(encoding="utf-8")
    assert SCHEMA in docs
    tests = [made("multi", seed=s) for s in (0, 1)]
    reports = [
        summarise(t, train_targets=t.targets, valid=t, draws=10, unseen=["joy"]) for t in tests
    ]
    both = combine(reports, tests, draws=10)
    for report in (*reports, both):
        for key in report:
            assert f"`{key}`" in docs, key
        for metric in report["metrics"].values():
            for key in metric:
                assert key in docs, key
            for key in metric.get("mean", metric.get("all")):
                assert key in docs, key
