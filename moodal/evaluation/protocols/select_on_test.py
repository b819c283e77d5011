"""The authors' protocol: no validation rows, and the epoch is selected on the test rows.

Many papers, MMER among them, hold out a session, train on all others and report the best of all
epochs on the held-out session. Such a figure is too high. It is reproduced here only for
comparison, and a stamp marks each of its numbers.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from moodal.evaluation.protocols.experiment import Experiment

SELECTED_ON_TEST = "the epoch was selected on the test rows"
"""The stamp of every number under this protocol."""


def select_on_test(experiment: Experiment) -> Experiment:
    """Train on the rows of train and validation, and select the epoch on the test rows."""
    split = {k: v for k, v in experiment.split.items() if k not in ("valid_by", "valid")}
    return dataclasses.replace(
        experiment,
        train=np.union1d(experiment.train, experiment.valid),
        valid=experiment.test,
        stamps=(*experiment.stamps, SELECTED_ON_TEST),
        split=split,
    )
