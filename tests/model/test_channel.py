"""The channel model: exact shares, odds that do not depend on the question, and its two regimes."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.records import Frames
from moodal.model.chain import smooth
from moodal.model.channel import Channel, ChannelFusion, log_ratios
from moodal.model.fusion import key

BASICS = ("anger", "fear", "happiness", "surprise", "neutral")
STREAMS = ("text", "speech", "face")
EVERY = [c for size in range(4) for c in combinations(STREAMS, size)]


def channel(seed: int = 0, **changes) -> Channel:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(len(EVERY)), 2).T
    values = {
        "sharpness": dict(zip(STREAMS, rng.uniform(0.5, 2, 3).tolist(), strict=True)),
        "floor": dict(zip(STREAMS, rng.uniform(0.01, 0.2, 3).tolist(), strict=True)),
        "expected": dict.fromkeys(STREAMS, -1.5),
        "telling": {key(z): tuple(w) for z, w in zip(EVERY, weights.tolist(), strict=True)},
    }
    return Channel(**values | changes)


def fusion(words=BASICS, seed: int = 0, prior=None, **changes) -> ChannelFusion:
    basic = np.log(np.full(len(BASICS), 1 / len(BASICS)) if prior is None else prior)
    odds = np.concatenate([basic, np.full(len(words) - len(BASICS), -2.0)])
    return ChannelFusion(words, len(BASICS), channel(seed), odds, 0.5, **changes)


def sources(words=BASICS, streams=STREAMS, absent=(("speech", "surprise"),)):
    return {w: {s: "absent" if (s, w) in absent else "learned" for s in streams} for w in words}


def evidence(seed: int, count: int = 4, words=BASICS, streams=STREAMS):
    rng = np.random.default_rng(seed)
    return {s: rng.normal(0, 2, (count, len(words))) for s in streams}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_shares_and_bias_are_the_logits_and_subsets_their_own_answers(seed, pattern):
    streams = tuple(s for i, s in enumerate(STREAMS) if pattern >> i & 1)
    logits = evidence(seed, streams=streams)
    fused = fusion(seed=seed).fuse(logits, sources(streams=streams))
    total = fused.bias + sum(fused.shares.values())
    np.testing.assert_allclose(total, fused.logits, atol=1e-9)
    assert fused.probabilities.sum(1) == pytest.approx(np.ones(4))
    for s in streams:
        alone = fusion(seed=seed).fuse({s: logits[s]}, sources(streams=[s]))
        np.testing.assert_allclose(fused.alone[s], alone.probabilities, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_another_word_leaves_the_answers_of_the_others(seed):
    more = (*BASICS, "relief")
    logits = evidence(seed, words=more)
    wide = fusion(more, seed).fuse(logits, sources(more))
    narrow = fusion(seed=seed).fuse({s: v[:, :5] for s, v in logits.items()}, sources())
    np.testing.assert_allclose(wide.probabilities[:, :5], narrow.probabilities, atol=1e-12)
    for s in STREAMS:
        np.testing.assert_allclose(wide.shares[s][:, :5], narrow.shares[s], atol=1e-9)


def test_the_equation_is_that_of_the_module():
    c, logits = channel(3), evidence(5, count=1)
    fused = fusion(seed=3).fuse(logits, sources())
    learned = {
        s: np.array([not (s == "speech" and w == "surprise") for w in BASICS]) for s in STREAMS
    }
    r = {}
    for s in STREAMS:
        e = np.exp(c.sharpness[s] * logits[s][0])
        r[s] = learned[s].sum() * e / e[learned[s]].sum()
    p = np.zeros(5)
    for y, z in product(range(5), EVERY):
        term = c.telling[key(z)][int(BASICS[y] == "neutral")]
        for s in STREAMS:
            if s not in z:
                term *= r[s][BASICS.index("neutral")]
            elif learned[s][y]:
                term *= (1 - c.floor[s]) * r[s][y] + c.floor[s]
            else:
                term *= np.exp(c.expected[s])
        p[y] += term / 5
    np.testing.assert_allclose(fused.probabilities[0], p / p.sum(), rtol=1e-9)


def test_a_prior_multiplies_the_odds():
    prior = np.array([0.1, 0.1, 0.1, 0.1, 0.6])
    logits = evidence(8)
    level = fusion(seed=1).fuse(logits, sources()).probabilities
    shifted = fusion(seed=1, prior=prior).fuse(logits, sources()).probabilities
    expected = level * prior
    np.testing.assert_allclose(shifted, expected / expected.sum(1, keepdims=True), rtol=1e-9)


def test_what_a_voice_never_learned_is_not_its_answer():
    """A voice that tells anger speaks against surprise, which it cannot know."""
    logits = {"speech": np.array([[4.0, 0, 0, 0, 0]])}
    unknown = fusion().fuse(logits, sources(streams=["speech"])).probabilities[0]
    assert unknown[BASICS.index("surprise")] < 0.2


def test_telling_words_tell_beside_a_plain_voice_and_the_other_way_round():
    telling = {"": (0.1, 0.4), "text": (0.4, 0.3), "speech": (0.4, 0.2), "text+speech": (0.1, 0.1)}
    same = [dict.fromkeys(STREAMS, value) for value in (1.0, 0.02, -1.5)]
    c = Channel(*same, telling)
    prior = np.log(np.full(5, 0.2))
    angry = np.array([[5.0, 0, 0, 0, 0]])
    plain = np.array([[0, 0, 0, 0, 3.0]])
    both = ChannelFusion(BASICS, 5, c, prior, 0.5)
    known = sources(streams=["text", "speech"], absent=())
    for logits in ({"text": angry, "speech": plain}, {"text": plain, "speech": angry}):
        assert both.fuse(logits, known).probabilities[0].argmax() == 0


def test_parts_of_the_steps_keep_their_proportions():
    logits = evidence(4, count=2, streams=["text"])
    steps = np.concatenate([np.outer([0.2, 0.3, 0.5], logits["text"][0]), logits["text"][[1]]])
    frames = {"text": Frames(steps, np.array([3, 1]))}
    fused = fusion().fuse(logits, sources(streams=["text"]), frames)
    parts = fused.steps["text"]
    np.testing.assert_allclose(parts[1] / parts[0], np.full(5, 1.5), rtol=1e-6)
    assert np.abs(parts[3]).max() > 0


def test_ratios_have_mean_one_over_the_learned_emotions():
    ratios = log_ratios(evidence(2)["text"], np.array([0, 1, 4]), 1.7)
    np.testing.assert_allclose(np.exp(ratios[:, [0, 1, 4]]).mean(1), np.ones(4))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["text", "speech"]))
def test_the_evidence_that_is_smoothed_is_levelled(seed, stream):
    rng = np.random.default_rng(seed)
    own, values = fusion(seed=seed), evidence(seed, 6, streams=[stream])[stream]
    level = np.tile(rng.normal(size=len(BASICS)), (6, 1))
    counts, times = np.full(6, 0.8), np.arange(6) / 2
    known = sources(streams=[stream])
    learned = [i for i, w in enumerate(BASICS) if known[w][stream] == "learned"]
    smoothed = own.smoothed(stream, values, known, counts, times, level)
    expected = smooth(own.ratios(stream, values, known, level), np.array(learned), counts, times)
    np.testing.assert_allclose(own.ratios(stream, smoothed, known, level), expected, atol=1e-9)
    # without the level, the chain would hold on to what the level takes off
    plain = own.smoothed(stream, values, known, counts, times)
    assert np.abs(own.ratios(stream, plain, known, level) - expected).max() > 1e-3
