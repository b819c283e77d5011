"""Every figure is a reproducible picture; its content was checked by eye."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from moodal.core.errors import DataError, UsageError
from moodal.evaluation.metrics import ccc
from moodal.evaluation.report import figures
from moodal.evaluation.report.summary import ReportContext, summarise

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def report(predictions):
    test = predictions("multi")
    targets = test.targets.copy()
    targets[:, 1] = 0
    test = dataclasses.replace(test, targets=targets)
    return summarise(test, train_targets=targets, draws=20, context=ReportContext(unseen=["joy"]))


def _draw(kind, predictions, report, path):
    return {
        "bars": lambda: figures.emotion_bars(report, "auc", path),
        "roc": lambda: figures.roc_curves(predictions("multi"), path),
        "confusion": lambda: figures.confusion(predictions("single"), path),
        "values": lambda: figures.values_against_truth(predictions("regression", c=2), path),
    }[kind]()


@pytest.mark.parametrize("kind", ["bars", "roc", "confusion", "values"])
def test_figures_are_reproducible_as_png_and_svg(kind, predictions, report, tmp_path):
    path = _draw(kind, predictions, report, tmp_path / "deep" / "a.png")
    assert path.read_bytes().startswith(PNG)
    again = _draw(kind, predictions, report, tmp_path / "b.png")
    assert path.read_bytes() == again.read_bytes()
    svg = [_draw(kind, predictions, report, tmp_path / f"{x}.svg").read_text() for x in "cd"]
    assert svg[0] == svg[1]
    assert "<svg" in svg[0]
    assert not list(tmp_path.rglob("*.part*"))


def test_values_are_drawn_over_their_truth_with_their_figures(predictions, tmp_path):
    test = predictions("regression", c=2)
    text = figures.values_against_truth(test, tmp_path / "a.svg", ["selected on test"]).read_text()
    value = float(ccc(test.targets[:, 1], test.logits[:, 1]))
    for words in ("anger", f"CCC {value:.2f}", "prediction = truth", "selected on test"):
        assert words in text
    many = predictions("regression", c=1, n=1500)
    figures.values_against_truth(many, tmp_path / "b.png")
    with pytest.raises(DataError, match="no numbers to draw"):
        figures.values_against_truth(predictions("multi"), tmp_path / "c.png")


def test_bars_of_errors_have_the_best_baseline_and_say_that_lower_is_better(predictions, tmp_path):
    test = predictions("regression")
    report = summarise(test, train_targets=test.targets, draws=0)
    text = figures.emotion_bars(report, "mae", tmp_path / "mae.svg").read_text()
    assert "lower is better" in text
    assert "best trivial baseline" in text
    entry = {"chance": 2.0, "baselines": {"train-mean": 1.5, "train-median": 1.4}}
    assert figures._levels(entry, True)["best trivial baseline"] == 1.4
    assert "best trivial baseline" not in figures._levels(entry, False)


def test_bars_say_what_is_undefined_unseen_and_marked(report, tmp_path):
    report["protocol"]["stamps"] = ["selected on test"]
    text = figures.emotion_bars(report, "auc", tmp_path / "a.svg").read_text()
    for words in (
        "undefined: no row has this emotion",
        "unseen in training",
        "chance",
        "selected on test",
        "AUC, with 95% intervals",
    ):
        assert words in text, words


def test_the_curve_is_scikit_learns():
    rng = np.random.default_rng(0)
    target, score = rng.random(80) < 0.4, np.round(rng.normal(size=80), 1)
    false, true = figures._roc(target, score)
    theirs = roc_curve(target, score, drop_intermediate=False)
    np.testing.assert_allclose(false, theirs[0])
    np.testing.assert_allclose(true, theirs[1])


def test_an_absent_emotion_has_no_curve(predictions, tmp_path):
    test = predictions("multi", c=1)
    test = dataclasses.replace(test, targets=np.zeros((120, 1)))
    text = figures.roc_curves(test, tmp_path / "a.svg").read_text()
    assert "no emotion has a curve" in text


def test_invalid_requests_are_refused(predictions, report, tmp_path):
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        figures.confusion(predictions("single"), tmp_path / "a.jpg")
    with pytest.raises(UsageError, match="'exact_match'"):
        figures.emotion_bars(report, "exact_match", tmp_path / "a.png")
    with pytest.raises(DataError, match="one emotion per row"):
        figures.confusion(predictions("multi"), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
