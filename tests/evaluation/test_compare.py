"""Runs are compared on their common rows, with differences within each resample."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console

from moodal.cli.main import main
from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import DataError, UsageError
from moodal.evaluation import metrics
from moodal.evaluation.compare import compare
from moodal.evaluation.protocols.select_on_test import SELECTED_ON_TEST
from moodal.evaluation.report import comparison
from moodal.evaluation.report.intervals import interval
from moodal.evaluation.report.scores import Scored, ScoredRows, join
from moodal.evaluation.report.stored import save
from moodal.evaluation.report.summary import ReportContext, combine, summarise

LABELS = ["angry", "happy", "sad"]


def _scored(task="single", n=80, skill=1.0, seed=0, offset=0, high=3):
    """Return predictions of ten speakers; the truth is independent of skill and seed."""
    truth = np.random.default_rng([9, offset])
    if task == "regression":
        space = Values([Value(label, -3, high) for label in LABELS])
    else:
        space = EmotionSpace(LABELS, task)
    if task == "regression":
        targets = truth.normal(size=(n, 3))
    elif task == "multi":
        targets = (truth.random((n, 3)) < 0.4).astype(float)
    else:
        targets = np.eye(3)[truth.integers(3, size=n)]
    logits = np.random.default_rng(seed).normal(size=(n, 3)) + skill * targets - 0.5
    return Scored.from_logits(
        logits,
        targets,
        space,
        ScoredRows(
            ids=[f"u{offset + i}" for i in range(n)],
            clusters=[f"s{i % 10}" for i in range(n)],
            cluster_kind="speaker",
            groups={"style": [["read", "free"][i % 2] for i in range(n)]},
        ),
    )


def _run(folder, test, stamps=(), thresholds=None, **recipe):
    settings = {"train": {"select_on": "valid", "lr": 0.1}, "title": folder.name} | recipe
    report = summarise(
        test,
        train_targets=test.targets,
        draws=0,
        thresholds=thresholds,
        context=ReportContext(
            stamps=stamps,
            extras={
                "recipe": settings,
                "experiment": folder.name,
                "title": f"run {folder.name}",
            },
        ),
    )
    test.save(folder)
    save(report, folder / "report.json")
    return folder


@pytest.fixture
def pair(tmp_path):
    weak, strong = _scored(skill=1, seed=1), _scored(skill=3, seed=2)
    other = {"train": {"select_on": "test", "lr": 0.1}}
    return (
        _run(tmp_path / "valid", weak),
        _run(tmp_path / "test", strong, stamps=[SELECTED_ON_TEST], **other),
    )


def test_the_difference_is_the_metrics_own_within_each_resample(pair, tmp_path):
    result = compare(pair, tmp_path / "out", draws=80, seed=4)
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == result
    weak, strong = (_scored(skill=s, seed=i) for s, i in ((1, 1), (3, 2)))
    each = [metrics.top(s.logits) for s in (weak, strong)]

    def between(w):
        first, second = (metrics.balanced_accuracy(weak.targets, d, w) for d in each)
        return second - first

    entry = result["runs"][1]["difference"]["balanced_accuracy"]
    low, high = interval(between, weak.clusters, draws=80, seed=4)
    found = [entry["value"], entry["low"], entry["high"]]
    np.testing.assert_allclose(found, [between(np.ones(80)), low, high])
    own = json.loads((pair[1] / "report.json").read_text())["metrics"]["balanced_accuracy"]["all"]
    assert result["runs"][1]["metrics"]["balanced_accuracy"]["value"] == own["value"]
    assert "difference" not in result["runs"][0]
    assert set(result["groups"]["style"]) == {"free", "read"}
    assert result["groups"]["style"]["read"]["rows"] == 40


def test_the_gap_of_the_authors_protocol_is_named_and_stamped(pair, tmp_path):
    result = compare(pair, tmp_path / "out", draws=20)
    assert [run["gap"] for run in result["runs"]] == [False, True]
    assert result["runs"][1]["differs"] == {"train.select_on": ["valid", "test"]}
    text = (tmp_path / "out" / "compare.md").read_text()
    assert "# valid against test" in text
    assert "of Balanced accuracy (UA) is the gap of the authors' protocol" in text
    assert text.count(SELECTED_ON_TEST) >= 3  # beside every number of that run
    assert "MMER's published code prints its UA as WA" in text
    assert (tmp_path / "out" / "compare.png").stat().st_size > 5000


def test_a_mark_of_all_runs_is_told_once_and_others_beside_every_number(tmp_path):
    runs = [
        _run(tmp_path / name, _scored(), stamps=["made up", *own])
        for name, own in (("first", []), ("second", ["few rows"]))
    ]
    text = comparison.markdown(compare(runs, tmp_path / "out", draws=0))
    assert text.count("made up") == 1
    assert "> **Mark of every number here: made up.**" in text
    assert text.count("| few rows |") == text.count("| run | ") + 2 * 2  # and in each group
    third = _run(tmp_path / "third", _scored(), stamps=["made up"])
    same = comparison.markdown(compare([runs[0], third], tmp_path / "same", draws=0))
    assert "| mark |" not in same


def test_what_else_differs_is_no_gap(pair, tmp_path):
    third = {"train": {"select_on": "test", "lr": 0.1, "early_stop": 0}}
    fourth = {"train": {"select_on": "test", "lr": 0.2}}
    more = [
        _run(tmp_path / name, _scored(), **recipe)
        for name, recipe in (("third", third), ("fourth", fourth))
    ]
    result = compare([pair[0], *more], tmp_path / "out", draws=0)
    assert [run["gap"] for run in result["runs"]] == [False, True, False]
    assert "It differs from valid in train.select_on, train.lr." in comparison.markdown(result)


def test_only_shared_rows_count_in_any_order_of_rows_and_labels(tmp_path):
    first = _scored()
    shuffled = first.rows(np.random.default_rng(0).permutation(80)[:50])
    second = shuffled.select(["sad", "angry", "happy"])
    a, b = _run(tmp_path / "a", first), _run(tmp_path / "b", second)
    result = compare([a, b], tmp_path / "out", draws=10)
    assert (result["rows"], [run["left_out"] for run in result["runs"]]) == (50, [30, 0])
    for entry in result["runs"][1]["difference"].values():
        assert entry["value"] == pytest.approx(0)
    assert "30 of them left out" in (tmp_path / "out" / "compare.md").read_text()


@pytest.mark.parametrize("task", ["multi", "single", "regression"])
def test_folds_keep_their_own_thresholds(tmp_path, task):
    tests = [_scored(task, seed=i, offset=100 * i) for i in (0, 1)]
    whole = tmp_path / "whole"
    for i, test in enumerate(tests):
        given = None if task == "regression" else np.full(3, 0.3 + 0.3 * i)
        _run(whole / f"fold-{i}", test, thresholds=given)
    reports = [json.loads((whole / f"fold-{i}" / "report.json").read_text()) for i in (0, 1)]
    for i, report in enumerate(reports):
        report["extras"]["experiment"] = f"fold {i}"
    pooled = combine(reports, tests, draws=0)
    join(tests).save(whole)
    save(pooled, whole / "report.json")
    result = compare([whole, whole / "fold-1"], tmp_path / "out", draws=5)
    assert result["rows"] == 80
    for key, entry in result["runs"][1]["difference"].items():
        assert entry["value"] == pytest.approx(0), key


def test_runs_that_cannot_be_compared_are_refused(pair, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="at least two runs"):
        compare(pair[:1], out)
    with pytest.raises(UsageError, match="given twice"):
        compare([pair[0], pair[0]], out)
    with pytest.raises(UsageError, match="choose another --out"):
        compare(pair, pair[0])
    with pytest.raises(DataError, match=r"contains no report\.json"):
        compare([pair[0], tmp_path / "nothing"], out)
    others = _run(tmp_path / "others", _scored(offset=1000))
    with pytest.raises(DataError, match="no test row in common"):
        compare([pair[0], others], out)
    fewer = _run(tmp_path / "fewer", _scored().select(["sad", "angry"]))
    with pytest.raises(DataError, match=r"scores angry, happy, sad \(single\), fewer sad, angry"):
        compare([pair[0], fewer], out)
    turned = _scored()
    turned = dataclasses.replace(turned, targets=turned.targets[:, [1, 2, 0]])
    with pytest.raises(DataError, match="different true emotions for"):
        compare([pair[0], _run(tmp_path / "turned", turned)], out)
    assert not out.exists()
    values = [_run(tmp_path / f"to-{high}", _scored("regression", high=high)) for high in (3, 5)]
    with pytest.raises(DataError, match=r"scores angry \(-3 to 3\).*to-5 angry \(-3 to 5\)"):
        compare(values, out)


def test_runs_with_equal_folder_names_get_longer_names(tmp_path):
    a, b = (_run(tmp_path / x / "run", _scored(seed=i)) for i, x in enumerate("ab"))
    result = compare([a, b], tmp_path / "out", draws=0)
    assert [run["name"] for run in result["runs"]] == ["a/run", "b/run"]
    assert result["runs"][1]["difference"]["accuracy"]["low"] is None


def test_the_command_prints_a_table_or_json(pair, tmp_path, capsys):
    words = ["compare", *map(str, pair), "--out", str(tmp_path / "out"), "--draws", "10"]
    main(words)
    shown = capsys.readouterr().out
    assert "80 rows that all 2 runs tested, 10 speakers." in shown
    assert "Balanced accuracy (UA)" in shown
    main([*words, "--json"])
    assert json.loads(capsys.readouterr().out)["schema"] == "moodal.compare/1"


def test_the_terminal_keeps_to_its_width(pair, tmp_path):
    result = compare(pair, tmp_path / "out", draws=10)
    out = io.StringIO()
    comparison.show(result, Console(file=out, width=80))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert f"Mark 1: {SELECTED_ON_TEST}." in out.getvalue()
