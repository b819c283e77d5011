"""Predictions to report on, of each task."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.evaluation.report.scores import Scored, ScoredRows

LABELS = ("anger", "fear", "joy", "sadness")


@pytest.fixture
def predictions():
    """Return a factory of predictions that correlate with the truth."""

    def make(task, n=120, c=4, seed=0, subset="test", speakers=12):
        rng = np.random.default_rng(seed)
        if task == "regression":
            space = Values([Value(x, -3, 3) for x in LABELS[:c]])
        else:
            space = EmotionSpace(LABELS[:c], task)
        if task == "multi":
            targets = (rng.random((n, c)) < np.linspace(0.1, 0.5, c)).astype(float)
        elif task == "single":
            targets = np.eye(c)[rng.integers(c, size=n)]
        else:
            targets = np.round(rng.uniform(-3, 3, (n, c)) * 3) / 3
        return Scored.from_logits(
            rng.normal(size=(n, c)) + 1.5 * targets - 1,
            targets,
            space,
            ScoredRows(
                ids=[f"{subset} {i}" for i in range(n)],
                clusters=[f"speaker {i % speakers}" for i in range(n)],
                cluster_kind="speaker",
            ),
            subset=subset,
            info={"corpus": "made up"},
        )

    return make
