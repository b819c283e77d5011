"""report.md and the terminal show the content of report.json."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from moodal.evaluation.report.null_tests import retrained
from moodal.evaluation.report.summary import ReportContext, combine, summarise
from moodal.evaluation.report.tables import emotions, gaps, headlines, markdown, show
from moodal.evaluation.report.thresholds import choose


@pytest.fixture
def report(predictions):
    test = predictions("multi")
    targets = test.targets.copy()
    targets[:, 1] = 0
    nulls = {"joy": {"auc": 0.7, "cosine": {"auc": 0.65}, "retrained": retrained([0.5, 0.8], 0.7)}}
    return summarise(
        dataclasses.replace(test, targets=targets),
        train_targets=test.targets,
        thresholds=choose(predictions("multi", seed=1, subset="valid")),
        valid=predictions("multi", seed=1, subset="valid"),
        draws=50,
        context=ReportContext(
            stamps=["selected on test"],
            audit=[
                {
                    "level": "warning",
                    "what": "speakers",
                    "detail": "They share | two.",
                    "examples": ["a\nb"],
                }
            ],
            unseen=["joy"],
            extras={"title": "EEA, text", "nulls": nulls},
        ),
    )


def test_markdown_tells_it_all(report):
    text = markdown(report)
    auc = report["metrics"]["auc"]
    joy = auc["emotions"]["joy"]
    for words in (
        "# EEA, text: results on test",
        "Mark of every number here: selected on test",
        "120 rows, 12 speakers, 4 labels",
        "50 draws of whole speakers",
        "chosen for binary_f1 on valid",
        "| AUC, mean of 3 |",
        "| joy (unseen) |",
        f"{joy['value']:.3f} [{joy['low']:.3f}, {joy['high']:.3f}]",
        "Mean of the unseen",
        "| all-negative |",
        "- fear: no AUC, Average precision, Weighted accuracy, Binary F1, Precision, Recall, "
        "as no row has this emotion.",
        "| joy | 0.700 | 0.650 | models retrained with permuted vectors (2 draws) | 0.650 |",
        "- warning: They share | two. For example `a b`.",
        "F1 (EEA); both classes of the binary decision",
    ):
        assert words in text, words
    assert "nan" not in text.lower().split()
    assert "None" not in text


def tables(text):
    """The tables of a Markdown text: lists of rows, each a list of cells."""
    found, inside = [], False
    for line in text.split("\n"):
        if line.startswith("| ") and "---" not in line:
            found += [] if inside else [[]]
            found[-1].append(line.strip("| ").split(" | "))
        inside = line.startswith("|")
    return found


@pytest.mark.parametrize("task", ["multi", "single", "regression"])
def test_no_table_shows_chance_or_a_mean_twice(predictions, task):
    tests = [predictions(task, seed=s, subset=f"fold {s}") for s in (0, 1)]
    reports = [summarise(t, train_targets=t.targets, draws=20) for t in tests]
    for text in (markdown(reports[0]), markdown(combine(reports, tests, draws=20))):
        assert "chance" in text
        assert "prior-random" not in text
        for rows in tables(text):
            names = [row[0] for row in rows[1:]]
            assert len(set(names)) == len(names)
            assert len(set(rows[0])) == len(rows[0])
    out = io.StringIO()
    show(reports[0], Console(file=out, width=80))
    assert "prior" not in out.getvalue()


@pytest.mark.parametrize("absent", [False, True])
def test_the_means_that_are_left_out_equal_the_figures_in_their_place(predictions, absent):
    test = predictions("single", n=300)
    if absent:
        test = test.rows(np.flatnonzero(test.targets[:, 0] == 0))
    metrics = summarise(test, train_targets=test.targets, draws=50)["metrics"]
    for each, mean in (("recall", "balanced_accuracy"), ("binary_f1", "macro_f1")):
        for key in ("value", "low", "high"):
            assert metrics[each]["mean"][key] == pytest.approx(metrics[mean]["all"][key])
    text = markdown(summarise(test, train_targets=test.targets, draws=0))
    assert "| Macro F1 |" in text
    assert "of each emotion: F1 (NAACL 2021 re-run)" in text
    assert "| Recall, mean" not in text


def test_a_fixed_threshold_is_told_once(predictions):
    test = predictions("multi")
    text = markdown(summarise(test, train_targets=test.targets, draws=0))
    assert "Thresholds: fixed at 0.5." in text
    assert "## Thresholds" not in text
    chosen = choose(predictions("multi", seed=1, subset="valid"))
    text = markdown(summarise(test, train_targets=test.targets, thresholds=chosen, draws=0))
    assert "## Thresholds" in text


def test_the_kept_epoch_stands_above_the_figures(predictions):
    test = predictions("multi")
    extras = {
        "epochs": [{"epoch": 0, "valid_loss": 0.5}],
        "kept": [{"epoch": 0, "by": "loss", "epochs": 1, "planned": 1}],
    }
    report = summarise(
        test, train_targets=test.targets, draws=0, context=ReportContext(extras=extras)
    )
    line = "Training: 1 epoch; epoch 1, the best on validation (loss 0.500), was kept and tested."
    assert line in markdown(report).split("## In short")[0]
    out = io.StringIO()
    show(report, Console(file=out, width=200))
    assert line in out.getvalue()


def test_every_row_of_every_table_is_as_wide_as_its_head(report):
    lines = markdown(report).split("\n")
    for first, line in enumerate(lines):
        if line.startswith("| ---"):
            columns = line.count("|")
            rest = lines[first + 1 :]
            end = next(i for i, x in enumerate(rest) if not x.startswith("|"))
            for row in [lines[first - 1], *rest[:end]]:
                assert row.replace("\\|", "").count("|") == columns, row


def test_the_terminal_keeps_to_its_width(report):
    out = io.StringIO()
    show(report, Console(file=out, width=80))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    value = report["metrics"]["auc"]["emotions"]["joy"]
    assert f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" in text
    assert "Mark of every number here: selected on test." in text
    assert "fear: no AUC" in text


@pytest.mark.parametrize("task", ["single", "regression"])
def test_other_tasks_and_folds(predictions, task):
    tests = [predictions(task, seed=s, subset=f"fold {s}") for s in (0, 1)]
    reports = [summarise(t, train_targets=t.targets, draws=20) for t in tests]
    text = markdown(combine(reports, tests, draws=20))
    assert "| Metric | fold 0 | fold 1 | mean | std | pooled |" in text
    assert f"## Each {'value' if task == 'regression' else 'emotion'}" in text
    out = io.StringIO()
    show(reports[0], Console(file=out, width=80))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    one = predictions(task, c=1)
    assert "## Each" not in markdown(summarise(one, train_targets=one.targets, draws=0))


def test_tables_as_rows(report):
    assert headlines(report)[0][:3] == ["Metric", "value [interval]", "chance"]
    rows = emotions(report)
    assert rows[2][0] == "fear"
    assert "undefined" in rows[2]
    assert rows[1][1] == str(report["train"]["counts"]["anger"])
    assert len(gaps(report)) == 1
    only = emotions(report, ["auc"])
    assert len(only[0]) == 4


def test_without_intervals(predictions):
    test = predictions("multi")
    text = markdown(summarise(test, train_targets=np.ones((2, 4)), draws=0))
    assert "No intervals were computed." in text
    assert "[" not in text.split("## All metrics")[0].replace("[interval]", "")


def test_only_a_split_has_an_audit(predictions):
    test = predictions("single")
    trained = summarise(test, train_targets=test.targets, draws=0)
    assert "## Audit of the split\n\n- No findings." in markdown(trained)
    context = ReportContext(extras={"artefact": {"weights": ""}})
    tested = summarise(test, train_targets=test.targets, draws=0, context=context)
    assert "Audit" not in markdown(tested)


def test_training_that_is_unknown_is_a_dash_and_the_tested_rows_have_their_name(predictions):
    test = predictions("multi", subset="valid")
    rows = emotions(summarise(test, draws=0))
    assert rows[0][1:3] == ["train", "valid"]
    assert [row[1] for row in rows[1:5]] == ["–"] * 4


def test_tested_rows_of_the_training_split_have_a_column_of_their_own(predictions):
    test = predictions("multi", subset="train")
    unknown = emotions(summarise(test, draws=0))
    assert unknown[0][1:3] == ["train", "tested"]
    assert {row[1] for row in unknown[1:5]} == {"–"}
    known = emotions(summarise(test, train_targets=np.ones((7, 4)), draws=0))
    assert [row[1] for row in known[1:5]] == ["7"] * 4
    counts = [f"{count:,.0f}" for count in test.targets.sum(0)]
    assert [row[2] for row in known[1:5]] == counts != ["7"] * 4


def test_the_terminal_warns_of_few_speakers(predictions, capsys):
    test = predictions("multi", speakers=1)
    show(summarise(test, train_targets=test.targets))
    assert "Note: Only 1 speaker: there are no intervals" in " ".join(
        capsys.readouterr().out.split()
    )
