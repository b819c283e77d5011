"""Rows to measure: multi-label with ties in the scores, and integer or real weights."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(params=["none", "integer", "real"])
def weights(request):
    rng = np.random.default_rng(3)
    made = {
        "none": None,
        "integer": rng.integers(0, 4, 200).astype(float),
        "real": rng.random(200),
    }
    return made[request.param]


@pytest.fixture
def rows():
    """targets, scores (rounded: many ties) and decisions, all [200, 5]."""
    rng = np.random.default_rng(5)
    targets = (rng.random((200, 5)) < [0.05, 0.2, 0.5, 0.8, 0.95]).astype(float)
    scores = np.round(rng.normal(size=(200, 5)) + targets, 1)
    return targets, scores, (scores > 0.6).astype(float)


@pytest.fixture
def classes():
    """One-hot targets, scores and decisions [200, 4]."""
    rng = np.random.default_rng(6)
    targets = np.eye(4)[rng.choice(4, 200, p=[0.6, 0.2, 0.15, 0.05])]
    scores = rng.normal(size=(200, 4)) + 1.5 * targets
    return targets, scores, np.eye(4)[scores.argmax(1)]
