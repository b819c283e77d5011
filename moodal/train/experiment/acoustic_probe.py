"""The acoustic probe: what length, level, band and silence alone tell of the emotions.

A corpus whose classes were recorded at other levels, with other microphones or cut in other ways
can be told apart without hearing any emotion. A logistic regression on `Acoustics.measures` of the
training rows is tested on the test rows; what it reaches above chance is no merit of a system that
hears the same sounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from moodal.core.acoustics import MEASURES
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.report.scores import Scored
from moodal.train.experiment.text_baseline import classified

WHAT = "length, level, band and silence of the sounds, logistic regression"

FEWEST = 20
"""Training rows with a sound that a probe needs."""


def probe_entry(
    experiment: Experiment, test: Scored, draws: int = 1000, seed: int = 0
) -> dict[str, Any] | None:
    """Train and test the probe; None where it says nothing.

    That is where the corpus has no measures of sounds, or several emotions a row, or values; or
    where training has few sounds, or one emotion.

    Args:
        test: the system's predictions of the experiment's test rows.
        draws, seed: of the intervals.

    Returns:
        An entry as `moodal.train.experiment.text_baseline.entry` has it.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    manifest = experiment.manifest
    if manifest.acoustics is None or manifest.space.task != "single":
        return None
    values = _scaled(manifest.acoustics.measures)
    rows = experiment.shown[~np.isnan(values[experiment.shown]).any(1)]
    classes = manifest.labels[rows].argmax(1)
    if len(rows) < FEWEST or len(np.unique(classes)) < 2:
        return None
    scaler = StandardScaler().fit(values[rows])
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(
        scaler.transform(values[rows]), classes
    )
    # a row without sound is an average one
    asked = np.nan_to_num(scaler.transform(values[experiment.test]))
    names = [manifest.space.labels[c] for c in model.predict(asked)]
    column = {label: number for number, label in enumerate(test.labels)}
    decided = np.array([column.get(name, 0) for name in names], np.int64)
    return classified(test, decided, WHAT, draws, seed)


def _scaled(measures: np.ndarray) -> np.ndarray:
    """Return measures of which lengths and frequencies are logarithms: [N, 7] float64."""
    values = measures.astype(np.float64)
    for name in ("seconds", "peak", "band", "before", "after"):
        column = MEASURES.index(name)
        values[:, column] = np.log(values[:, column] + 0.01)
    return values
