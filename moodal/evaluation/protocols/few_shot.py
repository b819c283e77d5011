"""Few-shot: training contains only a few rows of an emotion.

The published code keeps the first ceil(1%) + 1 rows with the emotion and all rows without it;
`keep` selects exactly these rows, or a random sample. Where labels are the shares of raters, the
rows with an emotion are those of which it has the most votes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from moodal.core.errors import DataError
from moodal.core.recipe import Protocol
from moodal.core.votes import HardRule, is_soft
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.protocols.zero_shot import hold_out


def count(rows: int, share: float) -> int:
    """Count the rows that the published code keeps: ceil(share * rows) + 1.

    >>> count(300, 0.01), count(301, 0.01)
    (4, 5)
    """
    return min(rows, math.ceil(share * rows) + 1)


def apply(experiment: Experiment, protocol: Protocol) -> Experiment:
    """Keep a few rows of the unseen emotions of a recipe; training from scratch includes them.

    Raises:
        DataError: as `keep`.
    """
    kept = keep(
        experiment,
        protocol.unseen,
        shots=protocol.shots,
        share=protocol.share,
        seed=protocol.shots_seed,
    )
    if protocol.method != "scratch":
        return kept
    return dataclasses.replace(kept, train=kept.shown, seen=kept.manifest.space.labels)


def keep(
    experiment: Experiment,
    emotions: Sequence[str],
    *,
    shots: int = 0,
    share: float = 0.01,
    seed: int = -1,
) -> Experiment:
    """Keep only a few training rows of each of some emotions.

    ``train`` becomes the rows of the zero-shot protocol, and ``shots`` the few rows; a training
    from scratch uses both.

    Args:
        experiment: the rows and emotions before the protocol.
        emotions: the few-shot emotions.
        shots: rows of each emotion; 0: `count` of ``share``.
        share: of the rows with the emotion, 0 to 1.
        seed: of a random sample; -1: the first rows are kept, as published.

    Raises:
        DataError: fewer rows have the emotion than are requested.
    """
    manifest = experiment.manifest
    chosen: set[int] = set()
    stamps = []
    labels, which = manifest.labels, ""
    if manifest.space.task == "single" and is_soft(labels):
        labels = HardRule().decide(labels, ())[0]
        which = ", which has the most votes there"
    for emotion in emotions:
        column = labels[:, manifest.space.index(emotion)]
        rows = experiment.train[column[experiment.train] > 0]
        wanted = shots or count(len(rows), share)
        if len(rows) < max(wanted, 1):
            raise DataError(
                f"{len(rows)} training rows have {emotion!r}{which}, but {wanted} are requested; "
                "lower protocol.shots."
            )
        if seed >= 0:
            rows = np.random.default_rng(seed).permutation(rows)
        chosen.update(int(row) for row in rows[:wanted])
        stamps.append(f"few-shot: training was shown {wanted} rows of {emotion}{which}")
    held = hold_out(experiment, emotions)
    return dataclasses.replace(
        held, shots=np.array(sorted(chosen), np.int64), stamps=(*held.stamps, *stamps)
    )
