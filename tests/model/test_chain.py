"""The chain: gamma of all paths, evidence that is kept, and words that do not touch each other."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.model.chain import SWITCH, slice_edges, smooth


def ratios(count: int, words: int, basics: int, seed: int = 0) -> np.ndarray:
    """Draw log ratios whose mean over the basic emotions is 1 before the logarithm."""
    values = np.random.default_rng(seed).normal(0, 1.5, (count, words))
    return values - np.log(np.exp(values[:, :basics]).mean(1, keepdims=True))


def by_paths(logs: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """Sum over all paths: gamma [T, K]."""
    count, states = logs.shape
    gamma = np.zeros((count, states))
    for path in product(range(states), repeat=count):
        weight = np.exp(sum(logs[t, y] for t, y in enumerate(path)))
        for t, stay in enumerate(stays):
            weight *= stay if path[t] == path[t + 1] else (1 - stay) / (states - 1)
        for t, y in enumerate(path):
            gamma[t, y] += weight
    return gamma / gamma.sum(1, keepdims=True)


def test_forward_and_backward_are_the_sum_over_all_paths():
    given_ratios, times = ratios(5, 3, 3), np.array([0.25, 0.75, 1.25, 2.5, 3.0])
    counts = np.array([0.3, 0.3, 0.0, 0.3, 1.0])
    smoothed = smooth(given_ratios, np.arange(3), counts, times, 0.4)
    expected = by_paths(given_ratios * counts[:, None], 0.6 ** np.diff(times))
    np.testing.assert_allclose(smoothed, np.log(3 * expected), atol=1e-9)


def test_a_single_slice_keeps_its_evidence():
    values = ratios(1, 6, 4)
    smoothed = smooth(values, np.arange(4), np.ones(1), np.zeros(1))
    np.testing.assert_allclose(smoothed, values, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_other_words_change_neither_the_basic_ones_nor_each_other(seed, count):
    values, times = ratios(count, 7, 4, seed), np.arange(count) / 2
    counts = np.full(count, 0.25)
    every = smooth(values, np.arange(4), counts, times)
    basic = smooth(values[:, :4], np.arange(4), counts, times)
    one = smooth(values[:, [0, 1, 2, 3, 6]], np.arange(4), counts, times)
    np.testing.assert_allclose(every[:, :4], basic, atol=1e-12)
    np.testing.assert_allclose(every[:, 6], one[:, 4], atol=1e-12)
    np.testing.assert_allclose(np.exp(basic).mean(1), 1, atol=1e-9)


def test_what_lasts_becomes_surer_and_a_slip_is_mended():
    values = np.zeros((9, 3))
    values[:, 0] = 1.0
    values[4] = [0.0, 0.5, 0.0]
    smoothed = smooth(values, np.arange(3), np.ones(9), np.arange(9) / 2, switch=0.3)
    assert smoothed.argmax(1).tolist() == [0] * 9
    assert (smoothed[:4, 0] - smoothed[:4, 1] > 1.0).all()
    free = smooth(values, np.arange(3), np.ones(9), np.arange(9) / 2, switch=0.999)
    assert free[4].argmax() == 1


@pytest.mark.parametrize("step", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("clear", [2.0, 4.0])
def test_a_change_is_seen_within_a_second(step, clear):
    """Windows of two seconds that hear both emotions show each as far as they hear it."""
    spans = slice_edges(0.0, 8.0, step)
    times = np.array([(a + b) / 2 for a, b in spans])
    share = np.clip((times + 1 - 4.0) / 2, 0, 1)  # of the second emotion in each window
    values = clear * np.stack([1 - share, share, np.zeros(len(times))], 1)
    counts = np.full(len(times), 4 / len(times))
    top = smooth(values, np.arange(3), counts, times).argmax(1)
    assert set(top[times < 3.0]) == {0}
    assert set(top[times > 5.0]) == {1}


def test_impossible_evidence_stays_finite():
    values = np.array([[0.0, -2000.0], [-2000.0, 0.0], [0.0, -2000.0]])
    smoothed = smooth(values, np.arange(2), np.ones(3), np.arange(3.0))
    assert np.isfinite(smoothed).all()
    assert smoothed.argmax(1).tolist() == [0, 1, 0]


def test_the_probability_of_a_change_is_one():
    assert 0 < SWITCH < 1


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1e5), st.floats(0.001, 60), st.sampled_from([0.25, 0.5, 0.7, 1.0, 5.0]))
def test_slices_cover_an_utterance_and_meet(start, length, step):
    spans = slice_edges(start, start + length, step)
    assert (spans[0][0], spans[-1][1]) == (start, start + length)
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    lengths = [b - a for a, b in spans]
    assert lengths[:-1] == pytest.approx([step] * (len(spans) - 1), abs=1e-6)
    assert len(spans) == 1 or 0.5 * step - 1e-6 <= lengths[-1] < 1.5 * step + 1e-6
