"""Fusion weights are fitted on held-out rows, and measured on others."""

import numpy as np
import pytest

from moodal.model.fusion import Fusion, Weights
from moodal.model.fusion_info import FusionWeights
from moodal.train.fuse import fit_weights

BASICS = ("anger", "happiness", "neutral")


def rows(n=900, strength=2.0, seed=0, learned=(True, True, True)):
    """Evidence that points at the label, the stronger the better."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    raw = rng.normal(size=(n, 3)) + strength * np.eye(3)[labels]
    raw -= np.log(np.exp(raw).mean(1, keepdims=True))  # evidence is a ratio to the prior's mean
    raw = np.where(learned, raw, 0.0)
    return fit_weights.EvidenceRows(raw, labels, np.array(learned))


def test_evidence_is_the_ratio_to_the_prior():
    shares = {"anger": 0.2, "neutral": 0.8}
    logits = np.log([[0.5, 0.5], [0.2, 0.8]])
    evidence = fit_weights.evidence(logits, ["anger", "neutral"], shares, BASICS)
    np.testing.assert_allclose(evidence[0, [0, 2]], np.log([0.5 / 0.2, 0.5 / 0.8]), atol=1e-9)
    np.testing.assert_allclose(evidence[1], 0, atol=1e-9)  # the prior itself is no evidence
    assert (evidence[:, 1] == 0).all()  # happiness was never learned


def test_fitting_finds_what_made_the_labels():
    rng = np.random.default_rng(1)
    values = {"text": rng.normal(size=(8000, 3)), "speech": rng.normal(size=(8000, 3))}
    logits = 1.5 * values["text"] + 0.5 * values["speech"] + np.array([0.4, 0, -0.4])
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (chance.cumsum(1) > rng.random((8000, 1))).argmax(1)
    fitted = fit_weights.fit_set(values, labels, BASICS, decay=0.0)
    assert fitted["weights"]["text"] == pytest.approx(1.5, abs=0.15)
    assert fitted["weights"]["speech"] == pytest.approx(0.5, abs=0.1)
    assert fitted["bias"]["anger"] - fitted["bias"]["neutral"] == pytest.approx(0.8, abs=0.2)


def test_a_modality_without_evidence_gets_little_weight():
    rng = np.random.default_rng(2)
    good = rows(3000)
    values = {"text": rng.normal(size=(3000, 3)) * 3, "speech": good.evidence}
    fitted = fit_weights.fit_set(values, good.labels, BASICS)
    assert fitted["weights"]["text"] < 0.3
    alone = fit_weights.fit_set({"speech": good.evidence}, good.labels, BASICS)
    both = fit_weights.fused_probabilities(values, fitted, BASICS).argmax(1) == good.labels
    one = (
        fit_weights.fused_probabilities({"speech": good.evidence}, alone, BASICS).argmax(1)
        == good.labels
    )
    assert both.mean() >= one.mean() - 0.01


def test_two_informative_modalities_are_better_than_one():
    rows_of = {"text": rows(seed=3), "speech": rows(seed=4)}
    shown, labels = fit_weights.compose_utterances(rows_of, ("text", "speech"), BASICS, 0)
    fitted = fit_weights.fit_set(shown, labels, BASICS)
    both = (fit_weights.fused_probabilities(shown, fitted, BASICS).argmax(1) == labels).mean()
    speech = (shown["speech"].argmax(1) == labels).mean()
    assert both > speech + 0.01


def test_composed_utterances_depend_on_the_seed_alone():
    rows_of = {"text": rows(seed=3), "face": rows(seed=5)}
    first, labels = fit_weights.compose_utterances(rows_of, ("text", "face"), BASICS, 7)
    again, same = fit_weights.compose_utterances(rows_of, ("text", "face"), BASICS, 7)
    assert (labels == same).all()
    assert (first["face"] == again["face"]).all()
    assert set(labels) == {0, 1, 2}


def test_sums_agree_with_prediction():
    rows_of = {"text": rows(seed=3), "speech": rows(seed=4)}
    shown, labels = fit_weights.compose_utterances(rows_of, ("text", "speech"), BASICS, 0)
    fitted = fit_weights.fit_set(shown, labels, BASICS)
    probabilities = fit_weights.fused_probabilities(shown, fitted, BASICS)
    even = dict.fromkeys(BASICS, 1 / 3)
    sets = {"text+speech": Weights.of(FusionWeights(**fitted, other=0.0, threshold=0.0))}
    fusion = Fusion(BASICS, 3, {"text": even, "speech": even}, sets)
    known = {b: {"text": "learned", "speech": "learned"} for b in BASICS}
    for i in range(5):
        answer = fusion.fuse({s: shown[s][i] for s in shown}, known)
        np.testing.assert_allclose(answer.probabilities, probabilities[i], atol=1e-9)


def test_measures_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    figures = fit_weights.figures(probabilities, np.array([0, 1, 0, 1]), sure=0.65)
    assert figures["accuracy"] == 0.75
    # bins of a fifteenth: two at .9 (half right), one at .6, one at .7
    assert figures["ece"] == pytest.approx((2 * 0.4 + 0.4 + 0.3) / 4)
    assert figures["decided"] == 0.75
    assert figures["decided_accuracy"] == pytest.approx(2 / 3)


def test_every_set_of_modalities():
    assert list(fit_weights.modality_sets(["face", "text", "speech"])) == [
        "text",
        "speech",
        "face",
        "text+speech",
        "text+face",
        "speech+face",
        "text+speech+face",
    ]
