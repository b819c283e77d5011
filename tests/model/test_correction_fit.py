"""The fit of scales and offsets: its optimum, its choice by cross-validation, and its refusal."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.model.corrected import KINDS, Corrected, centred, fit, log_probabilities
from moodal.model.correction_fit import Labelled, cross_validated

LEVEL = np.log(np.full(4, 0.25))


def drawn(n, scale, offset, seed=0, prior=LEVEL):
    """Utterances whose labels are drawn from the corrected model."""
    rng = np.random.default_rng(seed)
    likelihood = centred(rng.normal(0, 2, (n, 4)))
    p = np.exp(log_probabilities(Corrected(scale, offset), likelihood, prior))
    labels = np.array([rng.choice(4, p=row) for row in p])
    return Labelled(likelihood, labels, np.arange(n) // 2, prior)


def test_without_parameters_the_answer_is_the_likelihood_times_the_prior():
    rng = np.random.default_rng(0)
    likelihood = centred(rng.normal(0, 1, (5, 4)))
    prior = np.log([0.1, 0.2, 0.3, 0.4])
    p = np.exp(likelihood + prior)
    own = log_probabilities(Corrected.none(4), likelihood, prior)
    np.testing.assert_allclose(np.exp(own), p / p.sum(1, keepdims=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_fit_is_the_optimum_of_the_penalised_likelihood(kind):
    rows = drawn(80, np.array([0.5, 1.5, 1.0, 1.0]), np.array([1.0, 0.0, -1.0, 0.0]))
    width = 0.8

    def objective(c):
        moved = c.scale - 1 if kind == "scales" else (c.scale - 1)[:1]
        penalty = (c.offset**2).sum() / width**2 + (moved**2).sum() / (width / 2) ** 2
        return -rows.losses(c).sum() - penalty / 2

    best = rows.fit(kind, width)
    rng = np.random.default_rng(1)
    for _ in range(200):
        scale, offset = best.scale.copy(), best.offset.copy()
        if kind != "none":
            offset += rng.normal(0, 0.05, 4)
        if kind == "one scale":
            scale += rng.normal(0, 0.05)
        if kind == "scales":
            scale += rng.normal(0, 0.05, 4)
        assert objective(Corrected(scale, offset)) <= objective(best) + 1e-9
    if kind == "none":
        assert (best.scale == 1).all()
        assert (best.offset == 0).all()


def test_parameters_are_recovered_from_many_corrections():
    scale, offset = np.array([0.6, 1.4, 1.0, 1.0]), np.array([1.0, 0.0, -1.0, 0.0])
    best = drawn(6000, scale, offset).fit("scales", 10.0)
    np.testing.assert_allclose(best.scale, scale, atol=0.12)
    np.testing.assert_allclose(centred(best.offset), centred(offset), atol=0.12)


def test_an_emotion_that_nobody_names_keeps_its_parameters():
    rows = drawn(60, np.ones(4), np.zeros(4))
    some = rows[np.flatnonzero(rows.labels != 3)]
    best = some.fit("scales", 2.0)
    assert (best.scale[3], best.offset[3]) == (1, 0)
    assert best.offset[0] != 0


def test_what_helps_is_kept_and_the_loss_is_that_of_held_out_rows():
    rows = drawn(60, np.full(4, 0.3), np.array([2.0, 0.0, -1.0, 0.0]))
    fitted = cross_validated(rows)
    assert fitted.kind != "none"
    assert fitted.after < fitted.before
    assert rows.losses(fitted.corrected).mean() < fitted.after  # its own rows look better
    new = drawn(4000, np.full(4, 0.3), np.array([2.0, 0.0, -1.0, 0.0]), seed=9)
    assert new.losses(fitted.corrected).mean() < new.losses(Corrected.none(4)).mean()


def test_what_does_not_help_is_not_kept():
    """Of a model that is right already, and of labels without any relation to it."""
    kept = [cross_validated(drawn(30, np.ones(4), np.zeros(4), seed)).kind for seed in range(12)]
    assert kept.count("none") >= 9
    right = drawn(30, np.ones(4), np.zeros(4), 3)
    fitted = cross_validated(right)
    if fitted.kind == "none":
        assert (fitted.corrected.scale == 1).all()


def test_folds_keep_recordings_whole():
    """One recording with a mood of its own teaches nothing about others."""
    rng = np.random.default_rng(0)
    likelihood = centred(rng.normal(0, 1, (40, 4)))
    recordings = np.repeat(np.arange(4), 10)
    rows = Labelled(likelihood, recordings, recordings, LEVEL)  # each its own emotion throughout
    assert cross_validated(rows).kind == "none"


def test_earlier_parameters_are_undone():
    rng = np.random.default_rng(0)
    likelihood = centred(rng.normal(0, 1, (6, 4)))
    one = Corrected(np.array([0.5, 2.0, 1.0, 1.5]), np.array([1.0, 0.0, -1.0, 0.0]))
    odds = one.log_odds(np.tile(LEVEL, (6, 1)), likelihood) - LEVEL
    np.testing.assert_allclose(one.undone(odds), likelihood, atol=1e-12)


def test_other_words_keep_their_probability():
    rng = np.random.default_rng(0)
    prior, likelihood = np.zeros((6, 6)), rng.normal(0, 1, (6, 6))
    one = Corrected(np.array([0.5, 2.0, 1.0, 1.5]), np.array([1.0, 0.0, -1.0, 0.0]))
    before, after = prior + likelihood, one.log_odds(prior, likelihood)

    def others(odds):
        return odds[:, 4:] - np.logaddexp.reduce(odds[:, :4], axis=1)[:, None]

    np.testing.assert_allclose(others(after), others(before), atol=1e-12)
    assert np.abs(after[:, :4] - before[:, :4]).max() > 0.1


def test_separable_corrections_have_finite_parameters():
    likelihood = centred(np.eye(4)[[0, 1, 2, 3] * 5] * 40)
    best = fit("scales", likelihood, np.array([0, 1, 2, 3] * 5), LEVEL, 2.0)
    assert np.isfinite(best.scale).all()
    opposite = fit("scales", likelihood, np.array([1, 2, 3, 0] * 5), LEVEL, 2.0)
    assert (opposite.scale > 0).all()
