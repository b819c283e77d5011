"""Figures by group of rows, in one run and over folds."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console

from moodal.core.errors import DataError
from moodal.evaluation.report.measures import HEADLINES, overall
from moodal.evaluation.report.scores import join, load
from moodal.evaluation.report.summary import ReportContext, combine, summarise
from moodal.evaluation.report.tables import SWAPPED, markdown, show


@pytest.fixture
def grouped(predictions):
    """Return a factory of predictions whose rows are scripted, improvised, or neither."""

    def make(task, **kw):
        test = predictions(task, **kw)
        styles = tuple(("improvised", "scripted", "")[i % 3] for i in range(len(test)))
        return dataclasses.replace(test, groups={"style": styles})

    return make


def _report(test, **kw):
    return summarise(test, train_targets=test.targets, draws=kw.pop("draws", 40), **kw)


@pytest.mark.parametrize("task", ["multi", "single", "regression"])
def test_a_group_has_the_figures_of_its_rows_alone(grouped, task):
    test = grouped(task)
    report = _report(test, seed=2)
    json.dumps(report, allow_nan=False)
    groups = report["groups"]["style"]
    assert list(groups) == ["improvised", "scripted", ""]
    rows = [i for i, style in enumerate(test.groups["style"]) if style == "scripted"]
    alone = summarise(test.rows(rows), train_targets=test.targets, draws=40, seed=2)
    assert list(groups["scripted"]["metrics"]) == list(HEADLINES[task])
    for key, entry in groups["scripted"]["metrics"].items():
        assert entry == alone["metrics"][key]
    assert groups["scripted"]["rows"] == 40
    assert sum(about["rows"] for about in groups.values()) == len(test)


def test_reports_without_columns_have_no_groups(predictions):
    assert "groups" not in _report(predictions("single"))


def test_folds_are_pooled_and_their_baselines_averaged(grouped):
    tests = [grouped("single", seed=s, n=90 + 30 * s, subset=f"fold {s}") for s in (0, 1)]
    reports = [_report(t) for t in tests]
    both = combine(reports, tests, draws=40)
    pooled = join(tests)
    rows = np.flatnonzero(np.array(pooled.groups["style"]) == "improvised")
    right = pooled.logits.argmax(1) == pooled.targets.argmax(1)
    entry = both["groups"]["style"]["improvised"]
    found = entry["metrics"]["accuracy"]["all"]
    assert found["value"] == pytest.approx(right[rows].mean())
    each = [r["groups"]["style"]["improvised"] for r in reports]
    weights = [e["rows"] for e in each]
    majority = [overall(e["metrics"]["accuracy"])["baselines"]["majority"] for e in each]
    assert found["baselines"]["majority"] == pytest.approx(np.average(majority, weights=weights))
    assert entry["rows"] == sum(weights)


def test_a_group_of_only_one_fold_is_pooled(grouped):
    first, second = grouped("single", seed=0), grouped("single", seed=1)
    second = second.rows([i for i, s in enumerate(second.groups["style"]) if s == "scripted"])
    both = combine([_report(first), _report(second)], [first, second], draws=5)
    assert both["groups"]["style"]["improvised"]["rows"] == 40
    assert both["groups"]["style"]["scripted"]["rows"] == 80


def test_groups_are_stored_joined_and_read(grouped, predictions, tmp_path):
    test = grouped("multi", n=6)
    test.save(tmp_path)
    assert load(tmp_path).groups == test.groups
    assert (tmp_path / "predictions.csv").read_text().startswith("id,speaker,style,true:anger")
    assert join([test, test]).groups["style"] == test.groups["style"] * 2
    assert join([test, predictions("multi", n=6)]).groups == {}
    assert test.select(["joy"]).groups == test.groups
    assert test.rows([3, 1]).groups["style"] == ("improvised", "scripted")
    predictions("multi", n=6).save(tmp_path / "old")
    assert "groups" not in json.loads((tmp_path / "old" / "predictions.json").read_text())
    assert load(tmp_path / "old").groups == {}
    with pytest.raises(DataError, match="6 utterances, but 2 style"):
        dataclasses.replace(test, groups={"style": ("a", "b")})


def test_report_md_has_groups_text_baseline_and_ua(grouped):
    test = grouped("single")
    words = {
        "what": "TF-IDF",
        "metrics": {
            k: {"value": 0.5, "low": 0.4, "high": 0.6}
            for k in ("balanced_accuracy", "accuracy", "macro_f1")
        },
        "difference": {"balanced_accuracy": {"value": 0.1, "low": -0.02, "high": 0.2}},
        "groups": {
            "style": {
                "scripted": {
                    "metrics": {"balanced_accuracy": {"value": 0.75, "low": 0.7, "high": 0.8}}
                }
            }
        },
    }
    split = {
        "by": "session",
        "test": ["Ses01"],
        "valid_by": "session",
        "valid": ["Ses04"],
        "apart": {"script": "script01_1"},
    }
    report = _report(test, context=ReportContext(extras={"words": words, "split": split}))
    text = markdown(report)
    for said in (
        "Tested on session Ses01; script script01_1 held out of training; validated on session "
        "Ses04.",
        SWAPPED,
        "| Balanced accuracy (UA) |",
        "## By style",
        "| style | rows | UA | WA | AUC | text baseline: UA |",
        "| without style | 40 |",
        "| scripted | 40 | 0.",
        "0.750 [0.700, 0.800] |",
        "Text baseline (TF-IDF): UA 0.500 [0.400, 0.600]",
        "the system's UA minus the baseline's: +0.100 [-0.020, +0.200].",
    ):
        assert said in text, said
    out = io.StringIO()
    show(report, Console(file=out, width=80))
    assert "By style" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 80


def test_findings_of_many_folds_are_one_line(predictions):
    audit = [
        {
            "level": "warning",
            "what": "scripts",
            "between": "train and test",
            "count": 7,
            "share": share,
            "examples": ["script01_1"],
            "detail": f"They share {share}.",
        }
        for share in (0.5, 0.4, 0.6)
    ] + [
        {
            "level": "note",
            "what": "notes",
            "between": "all rows",
            "count": 1,
            "share": 1.0,
            "examples": [],
            "detail": "Made up.",
        }
    ] * 3
    text = markdown(_report(predictions("single"), context=ReportContext(audit=audit)))
    line = (
        "- warning: They share 0.5. For example `script01_1`. The same holds in 3 folds, for 40.0% "
    )
    assert line in text
    assert text.count("Made up.") == 1
