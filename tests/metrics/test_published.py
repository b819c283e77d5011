"""The figures that the published code of EEA and MMER gives on the same predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from moodal import metrics

PARITY = Path(__file__).parent.parent / "parity"


def _case(name: str):
    path = PARITY / f"{name}.safetensors"
    with safe_open(path, "np") as file:
        return load_file(path), json.loads(file.metadata()["json"])


def _with_mean(values):
    return [*values, np.mean(values)]


def test_mosei():
    arrays, figures = _case("metrics")
    figures = figures["mosei_emo"]
    targets, logits = arrays["mosei.targets"], arrays["mosei.logits"]
    decided = metrics.decide(1 / (1 + np.exp(-logits)), 0.5)
    for name in ("weighted_accuracy", "weighted_f1", "auc"):
        ours = metrics.measure(name, targets, scores=logits, decisions=decided)
        np.testing.assert_allclose(_with_mean(ours), figures[name], atol=1e-9)
    for name, key in (
        ("exact_match", "exact"),
        ("subset_match", "subset"),
        ("intersect_match_published", "intersect"),
    ):
        ours = metrics.measure(name, targets, decisions=decided)
        assert ours == pytest.approx(figures["subset"][key])
    # one decided emotion that is true: twice as many rows as the published reading finds
    assert metrics.measure("intersect_match", targets, decisions=decided) == pytest.approx(0.54)


def test_iemocap():
    arrays, figures = _case("metrics")
    figures = figures["iemocap"]
    targets, logits = arrays["iemocap.targets"], arrays["iemocap.logits"]
    decided = metrics.decide(1 / (1 + np.exp(-logits)), 0.5)  # each emotion asked by itself
    for ours, theirs in (
        ("binary_accuracy", "accuracy"),
        ("weighted_f1", "weighted_f1"),
        ("auc", "auc"),
    ):
        value = metrics.measure(ours, targets, scores=logits, decisions=decided)
        np.testing.assert_allclose(_with_mean(value), figures[theirs], atol=1e-9)


def test_sentiment():
    arrays, figures = _case("metrics")
    truth, said = (arrays[f"sentiment.{x}"].astype(float) for x in ("targets", "predictions"))
    for zeros, key in (("", "sentiment"), ("_nonzero", "sentiment_exclude_zero")):
        theirs = figures[key]
        for ours, name in (
            ("mae", "mae"),
            (f"acc2{zeros}", "acc2"),
            ("acc5", "acc5"),
            ("acc7", "acc7"),
            ("pearson", "corr"),
        ):
            value = metrics.measure(ours, truth, scores=said)
            assert value == pytest.approx(theirs[name], abs=1e-6), name
        kept = truth != 0 if zeros else np.full(len(truth), True)
        # the published call has truth and prediction the wrong way round
        swapped = metrics.weighted_f1(said[kept] > 0, truth[kept] > 0)
        assert swapped == pytest.approx(theirs["f1"])
        right = metrics.measure(f"sign_f1{zeros}", truth, scores=said)
        assert right == pytest.approx(metrics.weighted_f1(truth[kept] > 0, said[kept] > 0))
        assert abs(right - theirs["f1"]) > 1e-4


def test_mmer_swaps_the_names():
    arrays, figures = _case("mmer_metrics")
    classes = int(max(arrays["true"].max(), arrays["predicted"].max())) + 1
    targets, decided = np.eye(classes)[arrays["true"]], np.eye(classes)[arrays["predicted"]]
    accuracy = metrics.measure("accuracy", targets, decisions=decided)
    balanced = metrics.measure("balanced_accuracy", targets, decisions=decided)
    assert accuracy == pytest.approx(figures["author_ua"])
    assert balanced == pytest.approx(figures["author_wa"])
