"""The authors' protocol: no validation rows, the epoch chosen on the test.

Many papers, MMER among them, hold out a session, train on all others and tell the best of all
epochs on the held-out one. The figure is too high by what that choice wins; it is made here only
to be compared with, and every number of it is stamped.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from moodal.evaluation.protocols.experiment import Experiment

SELECTED_ON_TEST = "the epoch was selected on the test rows"
"""The stamp of every number that this protocol makes."""


def authors(experiment: Experiment) -> Experiment:
    """Trained on the rows of train and valid, the epoch selected on those of the test."""
    split = {k: v for k, v in experiment.split.items() if k not in ("valid_by", "valid")}
    return dataclasses.replace(
        experiment,
        train=np.union1d(experiment.train, experiment.valid),
        valid=experiment.test,
        stamps=(*experiment.stamps, SELECTED_ON_TEST),
        split=split,
    )
