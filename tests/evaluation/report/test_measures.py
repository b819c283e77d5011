"""Reports contain only metrics of their task, and the docs name every key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.measures import HEADLINES, LINES, NO_EVIDENCE, NO_SENTIMENT
from moodal.evaluation.report.scores import Scored, ScoredRows
from moodal.evaluation.report.summary import SCHEMA, ReportContext, combine, summarise
from moodal.evaluation.report.tables import markdown

DOCS = Path(__file__).parents[3] / "docs" / "reports.md"


@pytest.mark.parametrize("task", LINES)
def test_lines_are_metrics_of_their_task(task):
    assert all(task in METRICS[line.metric].tasks for line in LINES[task])
    keys = [line.key for line in LINES[task]]
    assert len(set(keys)) == len(keys)
    assert set(HEADLINES[task]) <= set(keys)


def numbers(values, n=80, seed=0):
    """Return predictions of values that correlate with the truth."""
    rng = np.random.default_rng(seed)
    space = Values(values)
    truth = rng.uniform(space.low, space.high, (n, len(space)))
    predicted = truth * 0.6 + 0.3 * rng.normal(size=truth.shape)
    return Scored.from_logits(
        predicted,
        truth,
        space,
        ScoredRows([f"u{i}" for i in range(n)], [f"s{i % 8}" for i in range(n)], "speaker"),
    )


STEPS = {name for name, metric in METRICS.items() if metric.sentiment}


def test_steps_and_signs_are_of_sentiment_alone():
    assert {"acc7", "acc5", "acc2", "acc2_nonzero", "sign_f1", "sign_f1_nonzero"} == STEPS
    scale = [Value("sentiment", 1, 5)]
    for values in (["valence", "arousal"], scale):
        test = numbers(values)
        report = summarise(test, train_targets=test.targets, draws=10)
        assert list(report["metrics"]) == ["ccc", "pearson", "mae", "rmse"]
        assert report["headlines"] == ["ccc", "pearson", "mae"]
    test = numbers(["sentiment"])
    report = summarise(test, train_targets=test.targets, draws=10)
    assert set(report["metrics"]) == {"ccc", "pearson", "mae", "rmse", *STEPS}
    assert report["headlines"] == ["mae", "pearson", "acc2_nonzero"]


def test_other_values_than_sentiment_have_gaps_for_steps_and_signs():
    test = numbers(["valence", "sentiment"])
    report = summarise(test, train_targets=test.targets, draws=10)
    entry = report["metrics"]["acc7"]
    assert entry["emotions"]["valence"] == {"value": None, "gap": NO_SENTIMENT}
    alone = numbers(["valence", "sentiment"]).select(["sentiment"])
    value = summarise(alone, train_targets=alone.targets, draws=10)["metrics"]["acc7"]["mean"]
    assert entry["mean"] == value
    assert entry["mean"]["over"] == 1
    assert report["metrics"]["ccc"]["mean"]["over"] == 2
    assert NO_SENTIMENT not in markdown(report)


def test_figures_of_values_use_the_unclipped_outputs():
    """Papers do not clip; the output for users is clipped."""
    test = numbers(["valence", Value("trust", 0, 4)])
    far = test.logits.copy()
    far[0] = (3.0, 9.0)
    test = dataclasses.replace(test, logits=far)
    report = summarise(test, train_targets=test.targets, draws=0)
    for column, label in enumerate(test.labels):
        truth = test.targets[:, column]
        for name in ("ccc", "pearson", "mae", "rmse"):
            value = report["metrics"][name]["emotions"][label]["value"]
            expected = METRICS[name].function(truth, far[:, column])
            assert value == pytest.approx(float(expected)), name
    mean = report["metrics"]["rmse"]["emotions"]["trust"]["baselines"]["train-mean"]
    assert mean == pytest.approx(test.targets[:, 1].std())
    assert report["values"][1] == {"name": "trust", "low": 0.0, "high": 4.0}


def test_every_key_of_a_report_is_documented(predictions):
    docs = DOCS.read_text(encoding="utf-8")
    assert SCHEMA in docs
    tests = [predictions("multi", seed=s) for s in (0, 1)]
    reports = [
        summarise(
            t,
            train_targets=t.targets,
            valid=t,
            draws=10,
            context=ReportContext(unseen=["joy"]),
        )
        for t in tests
    ]
    both = combine(reports, tests, draws=10)
    of_values = numbers(["valence"])
    reports.append(summarise(of_values, train_targets=of_values.targets, draws=10))
    for report in (*reports, both):
        for key in report:
            assert f"`{key}`" in docs, key
        for metric in report["metrics"].values():
            for key in metric:
                assert key in docs, key
            for key in metric.get("mean", metric.get("all")):
                assert key in docs, key


def test_an_emotion_without_evidence_is_not_ranked_and_says_why():
    rng = np.random.default_rng(0)
    labels = ("anger", "surprise", "neutral")
    targets = np.eye(3)[rng.integers(0, 3, 60)]
    scored = Scored.from_logits(
        rng.normal(size=(60, 3)) + targets,
        targets,
        EmotionSpace(labels, "single"),
        ScoredRows([str(i) for i in range(60)]),
        info={"without_evidence": ["surprise"]},
    )
    report = summarise(scored, draws=10)
    auc = report["metrics"]["auc"]
    assert auc["emotions"]["surprise"] == {"value": None, "gap": NO_EVIDENCE}
    assert auc["emotions"]["anger"]["value"] > 0.5
    assert auc["mean"]["over"] == 2
    assert report["metrics"]["binary_f1"]["emotions"]["surprise"]["value"] is not None
    assert NO_EVIDENCE in markdown(report)
    assert scored.select(["surprise", "anger"]).evident.tolist() == [False, True]
