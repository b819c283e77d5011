"""The files of savings/ hold the figures that the authors' code computed of the same scores."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from moodal.published import eea_cli
from moodal.published.eea_savings import _name, best_of, figures, recorded, validation_figures

CASE = Path(__file__).parents[1] / "parity" / "metrics.safetensors"
"""Scores, and what the authors' code computed of them."""


def arguments(*flags: str):
    return eea_cli.parser().parse_args(["-bs=1", "-lr=1", "-ep=1", *flags])


def case() -> tuple[dict[str, np.ndarray], dict]:
    with safe_open(CASE, "np") as file:
        return load_file(CASE), json.loads(file.metadata()["json"])


def test_mosei_has_four_rows_with_the_matches_last() -> None:
    arrays, theirs = case()
    theirs = theirs["mosei_emo"]
    args = arguments("--dataset=mosei_emo")
    rows = figures(args, arrays["mosei.logits"], arrays["mosei.targets"])
    assert [len(row) for row in rows] == [7, 7, 7, 3]
    expected = [theirs[key] for key in ("weighted_accuracy", "weighted_f1", "auc")]
    expected.append([theirs["subset"][key] for key in ("exact", "subset", "intersect")])
    for row, values in zip(rows, expected, strict=True):
        np.testing.assert_allclose(row, values, atol=1e-9)
    assert _name(args, rows, 3).startswith("rnn_ef_wacc_0.4966_f1_0.5434_auc_0.4768_ep3_rand0_")


def test_iemocap_has_the_accuracy_that_their_names_call_wacc() -> None:
    arrays, theirs = case()
    theirs = theirs["iemocap"]
    args = arguments("--dataset=iemocap", "--model=eea")
    rows = figures(args, arrays["iemocap.logits"], arrays["iemocap.targets"])
    assert [len(row) for row in rows] == [5, 5, 5]
    for row, key in zip(rows, ("accuracy", "weighted_f1", "auc"), strict=True):
        np.testing.assert_allclose(row, theirs[key], atol=1e-9)
    assert _name(args, rows, 1).startswith("eea_wacc_0.5138_f1_0.5473_ep1_rand0_")


@pytest.mark.parametrize(
    ("flags", "key"), [([], "sentiment"), (["--exclude-zero"], "sentiment_exclude_zero")]
)
def test_sentiment_is_one_row_with_or_without_zeros(flags, key) -> None:
    arrays, theirs = case()
    predicted, truth = (arrays[f"sentiment.{x}"][:, None] for x in ("predictions", "targets"))
    args = arguments("--dataset=mosi", *flags)
    (row,) = figures(args, predicted.astype(float), truth.astype(float))
    names = ("mae", "acc2", "acc5", "acc7", "f1", "corr")
    np.testing.assert_allclose(row, [theirs[key][name] for name in names], atol=1e-6)


def test_validation_figures_of_epochs_have_the_layout_of_the_test() -> None:
    args, labels = arguments("--dataset=iemocap"), ["sad", "happy"]
    keys = [f"valid/{m}/{x}" for m in ("binary_accuracy", "weighted_f1", "auc") for x in labels]
    epochs = [dict(zip(keys, row, strict=True)) for row in ([0.5, 0.7, 0, 1, 1, 1], [0.9, 0.1] * 3)]
    del epochs[1]["valid/auc/sad"]
    rows = [validation_figures(args, row, labels) for row in epochs]
    np.testing.assert_allclose(rows[0], [[0.5, 0.7, 0.6], [0, 1, 0.5], [1, 1, 1]])
    np.testing.assert_allclose(rows[1][2], [math.nan, 0.1, 0.1])
    best = best_of(args, rows)
    np.testing.assert_allclose(best, [[0.9, 0.7, 0.6], [0.9, 1, 0.5], [1, 1, 1]])
    assert recorded(args) == ("binary_accuracy", "weighted_f1", "auc")


def test_the_best_sentiment_has_the_lowest_error() -> None:
    args = arguments("--dataset=mosi", "--exclude-zero")
    names = recorded(args)
    assert names[:2] == ("mae", "acc2_nonzero")
    epochs = [{f"valid/{name}/sentiment": value for name in names} for value in (0.25, 0.75)]
    rows = [validation_figures(args, row, ["sentiment"]) for row in epochs]
    assert best_of(args, rows) == [[0.25, 0.75, 0.75, 0.75, 0.75, 0.75]]


def test_the_threshold_moves_the_decisions() -> None:
    logits, targets = np.array([[0.0], [2.0]]), np.array([[1.0], [0.0]])
    for threshold, accuracy in (("0.4", 0.5), ("0.6", 0.0), ("0.9", 0.5)):
        rows = figures(arguments("--dataset=iemocap", f"--threshold={threshold}"), logits, targets)
        assert rows[0] == [accuracy, accuracy], threshold


def test_an_undefined_figure_is_nan_and_left_out_of_the_mean() -> None:
    logits = np.array([[1.0, 1.0], [-1.0, -1.0]])
    targets = np.array([[1.0, 0.0], [0.0, 0.0]])
    wacc, _, auc, _ = figures(arguments("--dataset=mosei_emo"), logits, targets)
    for one, undefined, mean in (wacc, auc):
        assert (one, mean) == (1.0, 1.0)
        assert math.isnan(undefined)
