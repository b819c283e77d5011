"""Metrics equal those of the published code of EEA and MMER on the same predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as any_numpy
from safetensors import safe_open
from safetensors.numpy import load_file
from sklearn.metrics import f1_score

from moodal.evaluation import metrics

PARITY = Path(__file__).parents[2] / "parity"


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
        ours = metrics.METRICS[name].measure(targets, scores=logits, decisions=decided)
        np.testing.assert_allclose(_with_mean(ours), figures[name], atol=1e-9)
    for name, key in (
        ("exact_match", "exact"),
        ("subset_match", "subset"),
        ("intersect_match_published", "intersect"),
    ):
        ours = metrics.METRICS[name].measure(targets, decisions=decided)
        assert ours == pytest.approx(figures["subset"][key])


SETS = st.tuples(st.integers(1, 12), st.integers(1, 6)).flatmap(
    lambda shape: any_numpy.arrays(np.int8, (2, *shape), elements=st.integers(0, 1))
)
"""Targets and decisions [N, C]."""


@settings(max_examples=60, deadline=None)
@given(SETS, st.randoms(use_true_random=False))
def test_the_order_of_emotions_changes_the_published_intersection_alone(pair, random):
    targets, decided = pair
    right = metrics.METRICS["intersect_match"].measure(targets, decisions=decided)
    rows = [
        (t == d).all() or bool(set(np.flatnonzero(t)) & set(np.flatnonzero(d)))
        for t, d in zip(targets, decided, strict=True)
    ]
    assert right == pytest.approx(np.mean(rows))
    order = list(range(targets.shape[1]))
    random.shuffle(order)
    assert metrics.METRICS["intersect_match"].measure(
        targets[:, order], decisions=decided[:, order]
    ) == pytest.approx(right)

    # with the false alarms of each row at its right, the published figure is the same as ours;
    # at its left, they hide the emotions that were rightly decided
    alarms = (decided == 1) & (targets == 0)
    hidden = (alarms.any(1) & (targets * decided).any(1)).mean()
    for key, published in ((alarms, right), (~alarms, right - hidden)):
        columns = np.argsort(key, axis=1, kind="stable")
        t, d = (np.take_along_axis(x, columns, axis=1) for x in (targets, decided))
        assert metrics.METRICS["intersect_match"].measure(t, decisions=d) == pytest.approx(right)
        measured = metrics.METRICS["intersect_match_published"].measure(t, decisions=d)
        assert measured == pytest.approx(published)


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
        value = metrics.METRICS[ours].measure(targets, scores=logits, decisions=decided)
        np.testing.assert_allclose(_with_mean(value), figures[theirs], atol=1e-9)


def test_sentiment():
    arrays, figures = _case("metrics")
    truth, predicted = (arrays[f"sentiment.{x}"].astype(float) for x in ("targets", "predictions"))
    for zeros, key in (("", "sentiment"), ("_nonzero", "sentiment_exclude_zero")):
        theirs = figures[key]
        for ours, name in (
            ("mae", "mae"),
            (f"acc2{zeros}", "acc2"),
            ("acc5", "acc5"),
            ("acc7", "acc7"),
            ("pearson", "corr"),
        ):
            value = metrics.METRICS[ours].measure(truth, scores=predicted)
            assert value == pytest.approx(theirs[name], abs=1e-6), name
        # the published call has truth and prediction the wrong way round
        f1, of_truth, of_prediction = _sign_f1(truth, predicted, bool(zeros))
        assert theirs["f1"] == pytest.approx(f1 @ of_prediction)
        right = metrics.METRICS[f"sign_f1{zeros}"].measure(truth, scores=predicted)
        assert right == pytest.approx(f1 @ of_truth)


def _sign_f1(truth, predicted, nonzero):
    """Return the F1 of both signs [2], and their shares in the truth and in the prediction."""
    kept = truth != 0 if nonzero else np.full(len(truth), True)
    positive, predicted = truth[kept] > 0, predicted[kept] > 0
    f1 = f1_score(positive, predicted, labels=[False, True], average=None, zero_division=0)
    shares = [np.array([1 - signs.mean(), signs.mean()]) for signs in (positive, predicted)]
    return f1, *shares


VALUES = st.integers(1, 30).flatmap(
    lambda n: any_numpy.arrays(np.float64, (2, n), elements=st.sampled_from([-2.0, 0.0, 0.5]))
)
"""Truth and prediction [N], zeros among them."""


@settings(max_examples=60, deadline=None)
@given(VALUES, st.booleans())
def test_the_f1_of_signs_is_weighted_by_the_truth_and_not_by_the_prediction(pair, nonzero):
    truth, predicted = pair
    assume(not nonzero or (truth != 0).any())
    f1, of_truth, of_prediction = _sign_f1(truth, predicted, nonzero)
    name = "sign_f1_nonzero" if nonzero else "sign_f1"
    assert metrics.METRICS[name].measure(truth, scores=predicted) == pytest.approx(f1 @ of_truth)
    kept = truth != 0 if nonzero else np.full(len(truth), True)
    swapped = metrics.weighted_f1(predicted[kept] > 0, truth[kept] > 0)
    assert swapped == pytest.approx(f1 @ of_prediction)


@pytest.mark.parametrize("name", ["sign_f1", "sign_f1_nonzero"])
def test_a_sign_that_the_truth_lacks_has_no_weight(name):
    truth = np.array([0.5, 1.0, 2.0, 3.0])
    for positives in range(1, 5):
        predicted = np.where(np.arange(4) < positives, 1.0, -1.0)
        right = metrics.METRICS[name].measure(truth, scores=predicted)
        assert right == pytest.approx(2 * positives / (4 + positives))  # F1 of being positive
        swapped = metrics.METRICS[name].measure(predicted, scores=truth)
        assert swapped == pytest.approx(right * positives / 4)


def test_mmer_swaps_the_names():
    arrays, figures = _case("mmer_metrics")
    classes = int(max(arrays["true"].max(), arrays["predicted"].max())) + 1
    targets, decided = np.eye(classes)[arrays["true"]], np.eye(classes)[arrays["predicted"]]
    accuracy = metrics.METRICS["accuracy"].measure(targets, decisions=decided)
    balanced = metrics.METRICS["balanced_accuracy"].measure(targets, decisions=decided)
    assert accuracy == pytest.approx(figures["author_ua"])
    assert balanced == pytest.approx(figures["author_wa"])
