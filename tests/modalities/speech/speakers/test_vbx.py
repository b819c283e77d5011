"""Clusters, VBx and merging on vectors drawn from the model that they assume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.modalities.speech.speakers import clusters
from moodal.modalities.speech.speakers.clusters import grouped, numbered
from moodal.modalities.speech.speakers.merging import merged, same_speaker
from moodal.modalities.speech.speakers.vbx import VbxSettings, _forward_backward, find_speakers

BETWEEN = np.array([14.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.0, 0.5])


def drawn(speakers, turns=8, length=12, seed=0):
    """Vectors of speakers who take turns, and who they are."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(speakers, len(BETWEEN))) * np.sqrt(BETWEEN)
    truth = np.repeat(np.arange(turns * speakers) % speakers, length)
    return places[truth] + rng.normal(size=(len(truth), len(BETWEEN))), truth


@pytest.mark.parametrize("speakers", [1, 2, 4])
def test_speakers_and_their_number_are_found(speakers):
    vectors, truth = drawn(speakers)
    found = find_speakers(vectors, grouped(vectors, 0.6), BETWEEN, VbxSettings())
    labels = numbered(merged(vectors, found.shares, BETWEEN).argmax(1))
    assert labels.max() + 1 == speakers
    assert (labels == truth).mean() > 0.98
    np.testing.assert_allclose(found.shares.sum(1), 1, atol=1e-9)


def test_forward_backward_is_the_sum_over_all_paths():
    rng = np.random.default_rng(0)
    score, pi, stay = rng.normal(size=(4, 2)), np.array([0.7, 0.3]), 0.8
    move = stay * np.eye(2) + (1 - stay) * pi
    weights = {}
    for path in np.ndindex(2, 2, 2, 2):
        weight = pi[path[0]] * np.exp(score[0, path[0]])
        for t in range(1, 4):
            weight *= move[path[t - 1], path[t]] * np.exp(score[t, path[t]])
        weights[path] = weight
    total = sum(weights.values())
    gamma = np.full(score.shape, np.nan)
    entries, likelihood = _forward_backward(score.copy(), pi, stay, gamma)
    assert likelihood == pytest.approx(np.log(total))
    for t in range(4):
        expected = sum(w for path, w in weights.items() if path[t] == 1) / total
        assert gamma[t, 1] == pytest.approx(expected)
    # the first state, and every later one that was drawn rather than kept
    drawn_anew = [sum(w for path, w in weights.items() if path[0] == k) / total for k in (0, 1)]
    for t in range(1, 4):
        for path, weight in weights.items():
            share = (1 - stay) * pi[path[t]] / move[path[t - 1], path[t]]
            drawn_anew[path[t]] += share * weight / total
    np.testing.assert_allclose(entries, drawn_anew)


def test_a_ratio_of_likelihoods_is_positive_for_one_person():
    vectors, truth = drawn(2, turns=2)
    halves = [vectors[:12], vectors[24:36], vectors[12:24]]
    assert [int(t) for t in truth[[0, 24, 12]]] == [0, 0, 1]
    sums = np.stack([half.sum(0) for half in halves])
    ratios = same_speaker(sums, np.full(3, 12.0), BETWEEN)
    assert ratios[0, 1] > 0 > ratios[0, 2]
    assert np.isneginf(np.diag(ratios)).all()


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_number_may_be_given(most):
    vectors, _ = drawn(4)
    shares = find_speakers(vectors, grouped(vectors, 0.6), BETWEEN, VbxSettings()).shares
    assert merged(vectors, shares, BETWEEN, most).shape[1] == most
    assert grouped(vectors, -np.inf, most).max() + 1 == most


def test_many_vectors_are_grouped_in_blocks(monkeypatch):
    truth = np.arange(720) // 9 % 3
    places = 6 * np.eye(3, len(BETWEEN))
    vectors = places[truth] + np.random.default_rng(0).normal(size=(720, len(BETWEEN)))
    monkeypatch.setattr(clusters, "BLOCK", 100)
    labels = grouped(vectors, 0.6)
    assert (labels == truth).mean() > 0.95


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.floats(0, 2), st.integers(0, 5))
def test_groups_are_numbered_by_first_appearance(count, distance, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    labels = grouped(vectors, distance)
    firsts = [int(np.flatnonzero(labels == k)[0]) for k in range(labels.max() + 1)]
    assert firsts == sorted(firsts)
    coarser = grouped(vectors, distance + 0.5)
    assert coarser.max() <= labels.max()
