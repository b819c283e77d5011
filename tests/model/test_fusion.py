"""Fusion: sums that add up, and words that do not disturb each other."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.records import Frames
from moodal.model.fusion import Fusion, Weights, key, normaliser, probabilities

WORDS = ("anger", "neutral", "sadness", "relieved")
LEARNED = {
    "text": {"anger": 0.2, "neutral": 0.5, "sadness": 0.3},
    "speech": {"anger": 0.5, "neutral": 0.5},
}


def fusion(words=WORDS):
    weights = Weights(
        {"text": 0.6, "speech": 0.8},
        {"text": 0.2, "speech": 0.9},
        {"anger": 0.1, "neutral": -0.2, "sadness": 0.3},
        -1.0,
        0.4,
    )
    one = {s: Weights({s: 0.7}, {s: 0.3}, {}, -0.5, 0.4) for s in ("text", "speech")}
    return Fusion(tuple(words), 3, LEARNED, {"text+speech": weights, **one})


def known(words=WORDS, **other):
    learned = {w: {"text": "learned", "speech": "learned"} for w in words}
    return learned | {"sadness": {"text": "learned", "speech": "absent"}} | other


def drawn(seed=0, words=WORDS):
    rng = np.random.default_rng(seed)
    return {s: rng.normal(0, 2, (1, len(words))) for s in ("text", "speech")}


def test_names_of_sets_have_one_order():
    assert key(["face", "text"]) == "text+face"
    assert key({"speech": 1, "face": 2, "text": 3}) == "text+speech+face"


def test_normaliser_is_the_log_of_the_weighed_sum():
    logits = np.array([[1.0, 2.0, 900.0], [0.0, -1.0, 5.0]])
    found = normaliser(logits, np.array([0, 1]), np.array([0.25, 0.75]))
    assert found == pytest.approx(np.log(0.25 * np.exp([1, 0]) + 0.75 * np.exp([2, -1])))


def test_shares_are_weighed_evidence_and_add_up_to_the_logits():
    logits = drawn()
    fused = fusion().fuse(logits, known())
    text, speech = logits["text"][0], logits["speech"][0]
    prior = np.array([0.2, 0.5, 0.3])
    by_hand = text - np.log((prior * np.exp(text[:3])).sum())
    assert fused.shares["text"][0] == pytest.approx(np.array([0.6, 0.2, 0.6, 0.6]) * by_hand)
    by_hand = speech - np.log((0.5 * np.exp(speech[:2])).sum())
    assert fused.shares["speech"][0] == pytest.approx(np.array([0.8, 0.9, 0.0, 0.8]) * by_hand)
    assert fused.bias.tolist() == [0.1, -0.2, 0.3, -1.0]
    total = (fused.bias + fused.shares["text"] + fused.shares["speech"])[0]
    assert fused.logits[0] == pytest.approx(total)
    expected = np.exp(total[:3]) / np.exp(total[:3]).sum()
    assert fused.probabilities[0, :3] == pytest.approx(expected)
    beside = np.exp(total[3]) / np.exp(total).sum()
    assert fused.probabilities[0, 3] == pytest.approx(beside)


def test_many_utterances_are_summed_as_if_each_were_alone():
    many = {s: np.concatenate([drawn(seed)[s] for seed in range(5)]) for s in ("text", "speech")}
    fused = fusion().fuse(many, known())
    for seed in range(5):
        alone = fusion().fuse(drawn(seed), known())
        assert fused.logits[seed] == pytest.approx(alone.logits[0])
        assert fused.probabilities[seed] == pytest.approx(alone.probabilities[0])
        assert fused.shares["text"][seed] == pytest.approx(alone.shares["text"][0])


def test_evidence_of_a_flat_branch_is_none():
    fused = fusion().fuse({"text": np.full((1, 4), 3.3)}, known())
    assert fused.shares["text"] == pytest.approx(np.zeros((1, 4)))


def test_evidence_averages_to_one_over_the_training_prior():
    """Sum over basics of p(k) exp e(k) is 1: no branch makes everything likelier."""
    fused = Fusion(WORDS, 3, LEARNED, {"text": Weights({"text": 1}, {"text": 1}, {}, 0, 0)}).fuse(
        {"text": drawn(3)["text"]}, known()
    )
    evidence = fused.shares["text"][0, :3]
    assert (np.array([0.2, 0.5, 0.3]) * np.exp(evidence)).sum() == pytest.approx(1)


def test_a_word_does_not_depend_on_its_company():
    words = (*WORDS, "bored")
    logits = drawn(1, words)
    whole = fusion(words).fuse(logits, known(words))
    alone = fusion().fuse({s: v[:, :4] for s, v in logits.items()}, known())
    assert alone.probabilities == pytest.approx(whole.probabilities[:, :4])
    assert alone.shares["text"] == pytest.approx(whole.shares["text"][:, :4])


def test_steps_and_a_rest_that_they_do_not_have_add_up_to_the_share():
    """The rest is of the constants, so it is the same whatever the steps are."""
    rng = np.random.default_rng(2)
    constants = rng.normal(size=4)
    sources = known(relieved={"text": "adapted", "speech": "guess"})

    def rest(steps):
        logits = {"text": (steps.sum(0) + constants)[None], "speech": rng.normal(size=(1, 4))}
        parts = {"text": Frames(steps, [5]), "speech": Frames(np.zeros((0, 4)), [0])}
        fused = fusion().fuse(logits, sources, parts)
        assert fused.steps["text"].shape == (5, 4)
        assert fused.steps["speech"].shape == (0, 4)
        # less the normaliser's curvature, which no single step has
        shared = fused.shares["text"][0] - fused.steps["text"].sum(0)
        return shared[[0, 2]] - shared[1] * 3, shared[3]

    one, other = rest(rng.normal(size=(5, 4))), rest(rng.normal(size=(5, 4)))
    assert one[0] == pytest.approx(other[0])
    assert one[1] == pytest.approx(other[1]) == pytest.approx(0.6 * constants[3])


def test_an_adapted_word_is_evidence_as_it_stands():
    logits = drawn(4)
    parts = {
        "text": Frames(np.array([[0.1, 0.2, 0.3, 0.4]]), [1]),
        "speech": Frames(np.zeros((0, 4)), [0]),
    }
    sources = known(relieved={"text": "adapted", "speech": "learned"})
    fused = fusion().fuse(logits, sources, parts)
    plain = fusion().fuse(logits, known(), parts)
    assert fused.shares["text"][0, 3] == pytest.approx(0.6 * logits["text"][0, 3])
    assert fused.steps["text"][0, 3] == pytest.approx(0.6 * 0.4)
    assert fused.shares["text"][:, :3] == pytest.approx(plain.shares["text"][:, :3])


def test_an_adapted_basic_emotion_leaves_the_normaliser():
    logits = drawn(5)
    fused = fusion().fuse(logits, known(anger={"text": "adapted", "speech": "learned"}))
    text, prior = logits["text"][0], np.array([0.5, 0.3]) / 0.8
    by_hand = text[1:3] - np.log((prior * np.exp(text[1:3])).sum())
    assert fused.shares["text"][0, 1:3] == pytest.approx(np.array([0.2, 0.6]) * by_hand)
    assert fused.shares["text"][0, 0] == pytest.approx(0.6 * text[0])


def test_huge_logits_stay_finite():
    found = probabilities(np.array([[900.0, -900.0, 1200.0]]), 2)
    assert np.isfinite(found).all()
    assert found[0] == pytest.approx([1, 0, 1])
