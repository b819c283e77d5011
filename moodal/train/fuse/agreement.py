"""Agreement: how closely an exported graph reproduces the logits of its branch."""

from __future__ import annotations

from typing import Any

import numpy as np

from moodal.core.errors import MoodalError
from moodal.model.branches import run, session
from moodal.train.fuse.branch_scores import BranchScores
from moodal.train.fuse.train_branch import FusedBranch

ROWS = 200
"""The number of test rows that are compared."""
LEAST = 0.95
"""The share of rows whose most probable word must be the same."""


def agreement(learned: FusedBranch, scores: BranchScores, content: bytes) -> dict[str, Any]:
    """Compare a graph's logits with those of the 32-bit PyTorch network on test rows.

    Returns:
        "rows", "top" (share with the same most probable word), "largest" and "mean" (absolute
        difference of a logit).

    Raises:
        MoodalError: fewer than `LEAST` of the rows agree, so the artefact must not be written.
    """
    frames = learned.experiment.manifest.features[learned.stream]
    rows = np.linspace(0, len(learned.experiment.test) - 1, ROWS).astype(int)
    rows = np.unique(rows)
    network = session(content)
    states = np.stack([_pooled(network, frames[learned.experiment.test[i]]) for i in rows])
    logits, expected = learned.logits(states), learned.logits(scores.states["test"][rows])
    top = float((logits.argmax(1) == expected.argmax(1)).mean())
    if top < LEAST:
        raise MoodalError(
            f"The {learned.stream} graph agrees with its network on {top:.0%} of the rows only; "
            "set bits = 32 for it."
        )
    difference = np.abs(logits - expected)
    return {
        "rows": len(rows),
        "top": top,
        "largest": float(difference.max()),
        "mean": float(difference.mean()),
    }


def _pooled(network: Any, values: np.ndarray) -> np.ndarray:
    """Compute the mean state [H] of one row."""
    return np.asarray(run(network, values).mean(0), np.float64)
