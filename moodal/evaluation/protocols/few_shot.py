"""Few-shot: an emotion of which training shows a handful of rows.

The published code keeps the first ceil(1%) + 1 rows with the emotion and all
rows without it; `keep` gives those very rows, or a random draw.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from moodal.core.errors import DataError
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.protocols.zero_shot import hold_out


def count(rows: int, share: float) -> int:
    """How many rows the published code keeps of ``rows``: ceil(share * rows) + 1.

    >>> count(300, 0.01), count(301, 0.01)
    (4, 5)
    """
    return min(rows, math.ceil(share * rows) + 1)


def keep(
    experiment: Experiment,
    emotions: Sequence[str],
    *,
    shots: int = 0,
    share: float = 0.01,
    seed: int = -1,
) -> Experiment:
    """Show only a few training rows of each of ``emotions``.

    The first such rows are kept, as published, or with ``seed`` >= 0 a random draw.
    With ``shots`` exactly that many, else `count` of ``share``. ``train`` becomes the
    rows of the zero-shot protocol, ``shots`` the few; a training from scratch uses both.

    Raises:
        DataError: fewer rows carry the emotion than are asked for.
    """
    manifest = experiment.manifest
    chosen: set[int] = set()
    told = []
    for emotion in emotions:
        column = manifest.labels[:, manifest.space.index(emotion)]
        rows = experiment.train[column[experiment.train] > 0]
        wanted = shots or count(len(rows), share)
        if len(rows) < max(wanted, 1):
            raise DataError(
                f"{len(rows)} training rows carry {emotion!r}; {wanted} are asked for. "
                "Lower protocol.shots."
            )
        if seed >= 0:
            rows = np.random.default_rng(seed).permutation(rows)
        chosen.update(int(row) for row in rows[:wanted])
        told.append(f"few-shot: training was shown {wanted} rows of {emotion}")
    held = hold_out(experiment, emotions)
    return dataclasses.replace(
        held, shots=np.array(sorted(chosen), np.int64), stamps=(*held.stamps, *told)
    )
