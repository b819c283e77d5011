"""Metrics against shares equal SciPy, and count ties as people would."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from moodal.core.errors import DataError
from moodal.evaluation import metrics


@pytest.fixture
def pairs():
    rng = np.random.default_rng(5)
    shares = rng.multinomial(9, rng.dirichlet(np.ones(4), 60)[0], size=60) / 9
    return shares, rng.dirichlet(np.ones(4), 60)


def test_divergences_equal_scipy(pairs):
    p, q = pairs
    assert (p == 0).any()
    squared = jensenshannon(p, q, base=2, axis=1) ** 2
    assert metrics.jsd(p, q).item() == pytest.approx(squared.mean())
    soft = entropy(p, axis=1) + entropy(p, q, axis=1)
    assert metrics.cross_entropy(p, q).item() == pytest.approx(soft.mean())
    assert metrics.jsd(p, p).item() == pytest.approx(0, abs=1e-12)


def test_weights_are_those_of_repeated_rows(pairs):
    p, q = pairs
    times = np.random.default_rng(0).integers(0, 3, len(p))
    for name in ("jsd", "cross_entropy", "mode_accuracy", "top2_accuracy"):
        function = metrics.METRICS[name].function
        weighted = function(p, q, np.stack([times, np.ones(len(p))]).astype(float))
        assert weighted[0] == pytest.approx(function(p.repeat(times, 0), q.repeat(times, 0)).item())
        assert weighted[1] == pytest.approx(function(p, q).item())


def test_any_of_the_tied_emotions_is_right():
    shares = np.array([[0.5, 0.5, 0], [0.4, 0.3, 0.3], [0, 0.2, 0.8]])
    said = np.array([[0.1, 0.6, 0.3], [0.2, 0.5, 0.3], [0.5, 0.3, 0.2]])
    assert metrics.mode_accuracy(shares, said).item() == pytest.approx(1 / 3)
    # of the second row the mode is the lowest, of the third it is not among the two highest
    assert metrics.top2_accuracy(shares, said).item() == pytest.approx(1 / 3)
    assert metrics.top2_accuracy(shares, shares).item() == 1


def test_a_probability_of_zero_costs_much_and_stays_finite():
    value = metrics.cross_entropy(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).item()
    assert value == pytest.approx(-np.log(1e-12))
    with pytest.raises(DataError, match="NaN"):
        metrics.jsd(np.array([[np.nan, 1.0]]), np.array([[0.5, 0.5]]))
