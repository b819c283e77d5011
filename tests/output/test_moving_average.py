"""A moving average is the exact mean over its window, weighted by time."""

from __future__ import annotations

import numpy as np

from moodal.core.timeline import Prediction
from moodal.output.formats.timed import Annotation
from moodal.output.moving_average import moving_average, window


def annotations(*spans):
    return [Annotation(start, end, Prediction("a", {})) for start, end in spans]


def test_it_equals_a_sum_over_every_millisecond():
    rng = np.random.default_rng(0)
    edges = np.sort(rng.choice(60_000, 80, replace=False)).reshape(-1, 2)
    numbers = rng.normal(size=40)
    value = np.full(60_000, np.nan)
    for (start, end), number in zip(edges, numbers, strict=True):
        value[start:end] = number
    curve = moving_average(annotations(*edges), numbers, 60.0)
    half = window(60.0) / 2 * 1000
    for i in range(0, 401, 7):
        low, high = (round(curve.at[i] * 1000 + side) for side in (-half, half))
        inside = value[max(0, low) : high]
        inside = inside[~np.isnan(inside)]
        if not len(inside):
            assert np.isnan(curve.mean[i])
            continue
        np.testing.assert_allclose(curve.mean[i], inside.mean(), atol=1e-9)
        np.testing.assert_allclose(curve.deviation[i], inside.std(), atol=1e-6)


def test_an_utterance_counts_as_long_as_it_lasts():
    curve = moving_average(annotations((10_000, 10_300), (10_300, 10_400)), [1, 5], 20.0)
    at = np.argmin(abs(curve.at - 10.2))
    np.testing.assert_allclose(curve.mean[at], (3 * 1 + 1 * 5) / 4)


def test_there_is_a_gap_where_nobody_speaks():
    curve = moving_average(annotations((0, 5000), (55_000, 60_000)), [0.3, 0.3], 60.0)
    np.testing.assert_allclose(curve.mean[~np.isnan(curve.mean)], 0.3)
    np.testing.assert_allclose(curve.deviation[~np.isnan(curve.mean)], 0, atol=1e-9)
    spoken = (curve.at < 5 + window(60) / 2) | (curve.at > 55 - window(60) / 2)
    assert (np.isnan(curve.mean) == ~spoken).all()


def test_without_utterances_there_is_no_curve():
    curve = moving_average([], [], 60.0)
    assert np.isnan(curve.mean).all()
    assert len(curve.at) == len(curve.mean)
