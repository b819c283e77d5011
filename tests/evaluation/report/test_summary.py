"""report.json contains the measured figures and is reproducible."""

from __future__ import annotations

import dataclasses
import json
import time

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.evaluation import metrics
from moodal.evaluation.protocols.audit_finding import AuditFinding
from moodal.evaluation.report.intervals import interval
from moodal.evaluation.report.measures import lines
from moodal.evaluation.report.scores import Scored, ScoredRows
from moodal.evaluation.report.stored import save
from moodal.evaluation.report.summary import SCHEMA, ReportContext, combine, overall, summarise
from moodal.evaluation.report.thresholds import Thresholds, choose


def _report(test, **kw):
    return summarise(test, train_targets=test.targets, draws=kw.pop("draws", 60), **kw)


@pytest.mark.parametrize("task", ["multi", "single", "regression"])
def test_the_report_is_json_with_every_metric_and_reproducible(predictions, task):
    test = predictions(task)
    report = _report(test, valid=predictions(task, seed=1, subset="valid"))
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text) == report
    assert json.dumps(_report(test, valid=predictions(task, seed=1, subset="valid"))) == text
    assert report["schema"] == SCHEMA
    assert list(report["metrics"]) == [line.key for line in lines(test)]
    assert set(report["headlines"]) <= set(report["metrics"])
    assert report["clusters"]["count"] == 12
    assert (report["rows"], report["valid"]["rows"]) == (120, 120)
    for entry in report["metrics"].values():
        value = overall(entry)
        assert value["low"] <= value["value"] <= value["high"] or entry["metric"] == "precision"


def test_values_and_intervals_equal_those_of_the_metrics(predictions):
    test = predictions("multi")
    thresholds = choose(predictions("multi", seed=1, subset="valid"))
    report = _report(test, thresholds=thresholds, seed=5)
    decided = metrics.decide(test.probabilities, thresholds.values)
    for name in ("weighted_accuracy", "auc", "exact_match"):
        given = {"scores": test.probabilities, "decisions": decided}
        value = metrics.METRICS[name].measure(test.targets, **given)
        low, high = interval(
            lambda w, n=name, g=given: metrics.METRICS[n].measure(test.targets, weights=w, **g),
            test.clusters,
            draws=60,
            seed=5,
        )
        entry = report["metrics"][name]
        if name == "exact_match":
            found = [entry["all"]]
        else:
            found = [entry["emotions"][x] for x in test.labels]
            assert entry["mean"]["value"] == pytest.approx(value.mean())
        np.testing.assert_allclose([e["value"] for e in found], np.atleast_1d(value))
        np.testing.assert_allclose([e["low"] for e in found], np.atleast_1d(low))
        np.testing.assert_allclose([e["high"] for e in found], np.atleast_1d(high))
    assert report["thresholds"]["source"] == "chosen for binary_f1 on valid"
    assert report["thresholds"]["values"]["joy"] == thresholds.values[2]


def test_an_absent_emotion_is_a_gap_with_its_reason(predictions):
    test = predictions("multi")
    targets = test.targets.copy()
    targets[:, 1] = 0
    report = _report(dataclasses.replace(test, targets=targets))
    gap = {"value": None, "gap": "no row has this emotion"}
    for name in ("auc", "binary_f1", "weighted_accuracy"):
        assert report["metrics"][name]["emotions"]["fear"] == gap
        assert report["metrics"][name]["mean"]["over"] == 3
        assert report["metrics"][name]["mean"]["chance"] is not None
    alone = metrics.auc(targets[:, [0, 2, 3]], test.probabilities[:, [0, 2, 3]])
    assert report["metrics"]["auc"]["mean"]["value"] == pytest.approx(alone.mean())


def test_a_metric_undefined_for_every_emotion_is_a_gap(predictions):
    test = predictions("multi", c=1)
    report = _report(dataclasses.replace(test, targets=np.zeros((120, 1))))
    mean = report["metrics"]["auc"]["mean"]
    assert mean == {"value": None, "gap": "it is undefined for every emotion", "over": 0}
    assert report["metrics"]["macro_f1"]["all"]["value"] is None


def test_single_label_corpora_have_both_kinds_of_decisions(predictions):
    test = predictions("single")
    found = _report(test, thresholds=np.full(4, 0.4))["metrics"]
    top = metrics.top(test.logits)
    each = metrics.decide(test.each, 0.4)
    recall = metrics.recall(test.targets, top)
    assert found["balanced_accuracy"]["all"]["value"] == pytest.approx(recall.mean())
    by_row = metrics.weighted_f1(test.targets, each)
    values = [found["weighted_f1_each"]["emotions"][x]["value"] for x in test.labels]
    np.testing.assert_allclose(values, by_row)
    assert found["balanced_accuracy"]["all"]["chance"] == 0.25


def test_unseen_emotions_have_separate_means(predictions):
    test = predictions("multi")
    report = _report(test, context=ReportContext(unseen=["joy"]))
    entry = report["metrics"]["auc"]
    assert entry["mean_unseen"]["value"] == entry["emotions"]["joy"]["value"]
    seen = [entry["emotions"][x]["value"] for x in ("anger", "fear", "sadness")]
    assert entry["mean_seen"]["value"] == pytest.approx(np.mean(seen))


def test_reports_contain_stamps_audit_and_extras(predictions):
    finding = AuditFinding(
        "warning", "speakers", "train and test", 2, 0.5, ("x",), "They share two."
    )
    report = _report(
        predictions("multi"),
        context=ReportContext(
            stamps=["selected on test"],
            audit=[finding, {"level": "note"}],
            extras={"seconds": 3.5},
        ),
    )
    assert report["protocol"]["stamps"] == ["selected on test"]
    assert report["protocol"]["audit"][0]["examples"] == ["x"]
    assert report["protocol"]["audit"][1] == {"level": "note"}
    assert report["extras"] == {"seconds": 3.5}


def test_without_draws_there_are_no_intervals(predictions):
    entry = _report(predictions("multi"), draws=0)["metrics"]["auc"]["mean"]
    assert entry["value"] > 0.5
    assert entry["low"] is entry["high"] is None


def test_what_cannot_be_reported_is_refused(predictions):
    test = predictions("multi")
    with pytest.raises(DataError, match="as many thresholds"):
        _report(test, thresholds=np.zeros(3))
    with pytest.raises(DataError, match="JSON"):
        _report(test, draws=0, context=ReportContext(extras={"loss": float("nan")}))
    empty = Scored(
        ids=(),
        probabilities=np.zeros((0, 1)),
        logits=np.zeros((0, 1)),
        targets=np.zeros((0, 1)),
        labels=("joy",),
        task="multi",
        clusters=(),
    )
    with pytest.raises(DataError, match="no rows"):
        _report(empty)


@pytest.mark.parametrize("task", ["multi", "single", "regression"])
def test_folds_pool_and_average(predictions, task):
    tests = [predictions(task, seed=s, subset=f"fold {s}", n=100 + 20 * s) for s in (0, 1, 2)]
    given = [Thresholds(np.full(4, t), "given") for t in (0.3, 0.5, 0.7)]
    reports = [
        _report(t, thresholds=h, context=ReportContext(["made up"]))
        for t, h in zip(tests, given, strict=True)
    ]
    both = combine(reports, tests, draws=60)
    json.dumps(both, allow_nan=False)
    key = {"multi": "weighted_accuracy", "single": "accuracy", "regression": "mae"}[task]
    entry = both["metrics"][key]
    singles = [overall(r["metrics"][key])["value"] for r in reports]
    assert entry["folds"]["values"] == singles
    assert entry["folds"]["mean"] == pytest.approx(np.mean(singles))
    assert entry["folds"]["std"] == pytest.approx(np.std(singles, ddof=1))
    assert both["rows"] == 360
    assert both["clusters"]["count"] == 12
    assert both["protocol"]["stamps"] == ["made up"]
    targets = np.concatenate([t.targets for t in tests])
    if task == "multi":  # each fold decides with its own thresholds
        decided = [metrics.decide(t.each, h.values) for t, h in zip(tests, given, strict=True)]
        pooled = metrics.weighted_accuracy(targets, np.concatenate(decided)).mean()
        assert overall(entry)["value"] == pytest.approx(pooled)
    if task == "single":
        weighted = np.average(singles, weights=[100, 120, 140])
        assert overall(entry)["value"] == pytest.approx(weighted)
        majority = [r["metrics"][key]["all"]["baselines"]["majority"] for r in reports]
        expected = np.average(majority, weights=[100, 120, 140])
        assert entry["all"]["baselines"]["majority"] == pytest.approx(expected)


def test_the_pooled_report_says_which_fold_lacks_an_emotion(predictions):
    tests = [predictions("single", seed=s, subset=f"fold {s}") for s in (1, 2)]
    common = {"level": "warning", "between": "train and test", "count": 1, "share": 0.1}
    found = [
        {**common, "what": "emotions", "examples": ["joy"], "detail": "No joy."},
        {**common, "what": "speakers", "examples": ["ann"], "detail": "Ann is in both."},
    ]
    reports = [
        _report(tests[0], draws=0, context=ReportContext(audit=found)),
        _report(tests[1], draws=0, context=ReportContext(extras={"experiment": "fold-1"})),
    ]
    assert [f["detail"] for f in combine(reports, tests, draws=0)["protocol"]["audit"]] == [
        "fold 1: No joy.",
        "Ann is in both.",
    ]


def test_baselines_of_folds_are_of_the_pooled_rows(predictions):
    """A fold without an emotion does not raise the majority's balanced accuracy above chance."""
    tests = [predictions("single", seed=s, subset=f"fold {s}") for s in (1, 2)]
    tests[0] = tests[0].rows(np.flatnonzero(tests[0].targets[:, 0] == 0))  # fold 1 has no anger
    train = np.eye(4)[[1, 1, 2, 3, 0]]
    reports = [summarise(t, train_targets=train, draws=0) for t in tests]
    assert reports[0]["metrics"]["balanced_accuracy"]["all"]["baselines"]["majority"] > 0.3
    whole = combine(reports, [dataclasses.replace(t, train_targets=train) for t in tests], draws=0)
    for figure in (
        whole["metrics"]["balanced_accuracy"]["all"],
        whole["metrics"]["recall"]["mean"],
    ):
        assert figure["baselines"]["majority"] == pytest.approx(0.25)
    without = combine([{**r, "train": {}} for r in reports], tests, draws=0)  # unknown training
    assert without["metrics"]["balanced_accuracy"]["all"]["baselines"]["majority"] > 0.28
    auc = whole["metrics"]["auc"]["mean"]["baselines"]
    assert auc["majority"] == pytest.approx(0.5)


def test_a_single_cluster_has_no_interval(predictions):
    report = _report(dataclasses.replace(predictions("multi"), clusters=("one",) * 120))
    assert {e["mean"]["low"] for e in report["metrics"].values() if "mean" in e} == {None}
    assert "no intervals" in report["clusters"]["warning"]


def test_report_json_is_saved(predictions, tmp_path):
    report = _report(predictions("multi"), draws=10)
    save(report, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_thousand_draws_at_full_size_take_seconds():
    rng = np.random.default_rng(0)
    targets = (rng.random((5500, 28)) < np.linspace(0.005, 0.3, 28)).astype(float)
    test = Scored.from_logits(
        rng.normal(size=targets.shape) + targets,
        targets,
        EmotionSpace([f"emotion {i}" for i in range(28)]),
        ScoredRows([str(i) for i in range(5500)]),
    )
    before = time.process_time()
    summarise(test, train_targets=targets, draws=100)
    assert time.process_time() - before < 8  # about 1 s; 13 metrics, baselines, 100 draws
