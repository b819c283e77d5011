"""A report that is made again from stored predictions is the report of the run."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.evaluation.protocols.audit_finding import AuditFinding
from moodal.evaluation.report import scores, summary
from moodal.evaluation.report.artefact import ReportedArtefact
from moodal.evaluation.report.summary import UNKNOWN, ReportContext, summarise
from moodal.evaluation.report.thresholds import choose
from moodal.evaluation.report.write import again, report_on, store

MARK = "the epoch was selected on the test rows"


def _context(task):
    finding = AuditFinding("warning", "speakers", "train and test", 2, 0.5, ("x",), "Shared.")
    unseen = () if task == "regression" else ("joy",)
    return ReportContext([MARK], [finding], unseen, {"title": "Trial", "recipe": {"a": 1}})


def _stored(predictions, task, folder, **more):
    """Store predictions with a report, as a run does, and return the report."""
    test, valid = predictions(task, **more), predictions(task, seed=1, subset="valid")
    train = predictions(task, n=300, seed=2).targets
    if task == "regression":
        test = dataclasses.replace(test, train_targets=train)
    report = summarise(
        test,
        train_targets=train,
        thresholds=None if task == "regression" else choose(valid),
        valid=valid,
        draws=30,
        seed=3,
        context=_context(task),
    )
    return store(folder, report, test, False, ()).report


@pytest.mark.parametrize("task", ["multi", "single", "regression"])
def test_a_report_made_again_is_equal(predictions, task, tmp_path):
    report = _stored(predictions, task, tmp_path)
    assert again(tmp_path) == report
    assert json.loads((tmp_path / "report.json").read_text()) == report


def test_other_draws_change_the_intervals_alone(predictions, tmp_path):
    report = _stored(predictions, "multi", tmp_path)
    more = again(tmp_path, draws=40)
    assert more["bootstrap"]["draws"] == 40
    for key in ("thresholds", "protocol", "train", "valid", "extras", "test"):
        assert more[key] == report[key]
    for key, entry in report["metrics"].items():
        one, two = summary.overall(entry), summary.overall(more["metrics"][key])
        assert (one["value"], one["baselines"]) == (two["value"], two["baselines"])


def test_marks_and_thresholds_stay_with_some_rows_and_labels(predictions, tmp_path):
    report = _stored(predictions, "multi", tmp_path)
    test = scores.load(tmp_path).rows(np.arange(50)).select(["joy", "fear"])
    part = summarise(test, draws=0, context=ReportContext(["another mark"]))
    assert part["protocol"]["stamps"] == [MARK, "another mark"]
    values = report["thresholds"]["values"]
    assert part["thresholds"]["values"] == {x: values[x] for x in ("joy", "fear")}
    assert part["train"]["counts"]["fear"] == report["train"]["counts"]["fear"]


def test_folds_are_combined_again(predictions, tmp_path):
    reports, tests = [], []
    for number in (1, 2):
        folder = tmp_path / f"fold-{number}"
        subset = f"fold {number}"
        reports.append(_stored(predictions, "multi", folder, subset=subset, seed=number))
        tests.append(scores.load(folder))
    whole = summary.combine(reports, tests, draws=20, seed=1, extras={"title": "Trial"})
    store(tmp_path, whole, scores.join(tests), False, ())
    assert again(tmp_path) == whole
    with pytest.raises(DataError, match="thresholds of each fold"):
        summarise(scores.load(tmp_path), draws=0)


def test_predictions_without_a_context_take_it_from_the_report(predictions, tmp_path):
    report = _stored(predictions, "multi", tmp_path)
    test = dataclasses.replace(scores.load(tmp_path), context={})
    test.save(tmp_path)  # as earlier versions stored them
    assert again(tmp_path) == report
    bare = summarise(scores.load(tmp_path), draws=0)
    assert "train" not in bare
    assert bare["protocol"]["stamps"] == [UNKNOWN]


@pytest.mark.parametrize(
    ("source", "other"), [("fixed at 0.3", 0.3), ("chosen for binary_f1 on valid", 0.5)]
)
def test_a_fixed_threshold_is_that_of_unseen_emotions(predictions, tmp_path, source, other) -> None:
    test = predictions("multi", n=20)
    known = dict.fromkeys(test.labels[:-1], 0.3)
    artefact = ReportedArtefact("eea", "0" * 64, known, source, test.labels[:-1])
    corpus = SimpleNamespace(corpus="made up", fingerprint="0" * 32)
    report = report_on(tmp_path / "out", artefact, corpus, test, ReportContext())
    assert report["thresholds"]["values"] == {**known, test.labels[-1]: other}


def test_a_folder_without_a_report_is_named(tmp_path):
    with pytest.raises(DataError, match="holds no report"):
        again(tmp_path)
