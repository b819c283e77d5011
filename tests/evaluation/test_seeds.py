"""Runs with several seeds: their mean, the spread over seeds, and their comparison."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.evaluation import metrics, seeds
from moodal.evaluation.compare import compare
from moodal.evaluation.report import comparison, paired
from moodal.evaluation.report.intervals import interval
from moodal.evaluation.report.scores import Scored, ScoredRows
from moodal.evaluation.report.stored import save
from moodal.evaluation.report.summary import summarise

LABELS = ["angry", "happy", "sad"]
SPACE = EmotionSpace(LABELS, "single")


def scored(skill, seed, n=80):
    targets = np.eye(3)[np.random.default_rng(9).integers(3, size=n)]
    logits = np.random.default_rng(seed).normal(size=(n, 3)) + skill * targets
    rows = ScoredRows([f"u{i}" for i in range(n)], [f"s{i % 10}" for i in range(n)], "speaker")
    return Scored.from_logits(logits, targets, SPACE, rows)


def run(folder, skill, numbers=(0, 1, 2), **more):
    """A run with several seeds, finished."""
    folders = {}
    for number in numbers:
        test = scored(skill, 10 * skill + number, **more)
        folders[number] = folder / f"seed-{number}"
        report = summarise(test, train_targets=test.targets, draws=0)
        test.save(folders[number])
        save(report, folders[number] / "report.json")
    return folders


def test_means_deviations_and_both_intervals(tmp_path):
    report = seeds.write_seeds(run(tmp_path, 1), tmp_path, draws=200)
    tests = [scored(1, 10 + number) for number in (0, 1, 2)]
    recalls = [float(np.mean(metrics.recall(t.targets, metrics.top(t.logits)))) for t in tests]
    entry = report["metrics"]["balanced_accuracy"]
    assert entry["seeds"]["values"] == pytest.approx(recalls)
    assert entry["value"] == pytest.approx(np.mean(recalls))
    assert entry["seeds"]["deviation"] == pytest.approx(np.std(recalls, ddof=1))
    half = 4.303 * np.std(recalls, ddof=1) / 3**0.5
    assert entry["seeds"]["high"] - entry["value"] == pytest.approx(half)

    def mean_recall(weights):
        each = [metrics.recall(t.targets, metrics.top(t.logits), weights) for t in tests]
        return np.mean(each, axis=0).mean(-1)

    low, high = interval(mean_recall, tests[0].clusters, draws=200)
    assert (entry["low"], entry["high"]) == pytest.approx((low, high), abs=1e-9)
    assert (tmp_path / "seeds.md").read_text() == seeds.markdown(report)
    shown = io.StringIO()
    seeds.show(report, Console(file=shown, width=160))
    assert f"[{entry['seeds']['low']:.3f}, {entry['seeds']['high']:.3f}]" in shown.getvalue()


def test_students_quantiles():
    stats = pytest.importorskip("scipy.stats")
    exact = stats.t.ppf(0.975, np.arange(1, 21))
    assert np.abs(exact - paired.T975).max() < 6e-4


def test_runs_are_compared_over_pairs_of_seeds(tmp_path):
    folders = []
    for skill in (1, 2):
        folder = tmp_path / f"skill{skill}"
        seeds.write_seeds(run(folder, skill), folder, draws=0)
        folders.append(folder)
    compared = compare(folders, tmp_path / "out", draws=100)
    first, second = compared["runs"]
    assert (first["seeds"], second["seeds"]) == (3, 3)
    difference = second["difference"]["accuracy"]
    own = [r["metrics"]["accuracy"]["seeds"]["values"] for r in (first, second)]
    assert difference["seeds"]["values"] == pytest.approx(np.subtract(own[1], own[0]).tolist())
    assert difference["value"] == pytest.approx(np.mean(own[1]) - np.mean(own[0]))
    assert difference["low"] < difference["value"] < difference["high"]
    text = comparison.markdown(compared)
    assert "the mean of 3 seeds" in text
    assert "Over 3 pairs of seeds" in text


def test_a_run_with_one_seed_beside_one_with_several(tmp_path):
    several = tmp_path / "several"
    seeds.write_seeds(run(several, 2), several, draws=0)
    one = run(tmp_path / "one", 1, numbers=(0,))[0]
    compared = compare([one, several], tmp_path / "out", draws=0)
    assert [r["seeds"] for r in compared["runs"]] == [1, 3]
    assert "seeds" not in compared["runs"][1]["difference"]["accuracy"]
    assert "pairs of seeds" not in comparison.markdown(compared)


def test_seeds_of_different_rows_are_refused(tmp_path):
    folders = run(tmp_path, 1, numbers=(0,)) | run(tmp_path, 1, numbers=(1,), n=70)
    with pytest.raises(DataError, match=r"seed-1 tested other rows than .*split\.seed"):
        seeds.write_seeds(folders, tmp_path)
