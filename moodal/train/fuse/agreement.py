"""agreement: whether an exported graph says what its branch says."""

from __future__ import annotations

from typing import Any

import numpy as np

from moodal.core.errors import MoodalError
from moodal.model.branches import run
from moodal.train.export import onnx
from moodal.train.fuse.branch_scores import Held
from moodal.train.fuse.train_branch import Learned

ROWS = 200
"""Test rows that are compared."""
LEAST = 0.95
"""Share of rows whose most probable word must be the same."""


def agreement(learned: Learned, held: Held, content: bytes) -> dict[str, Any]:
    """A graph's logits beside those of the 32-bit network in PyTorch, on test rows.

    Returns:
        "rows", "top" (share with the same most probable word), "largest" and "mean" (absolute
        difference of a logit).

    Raises:
        MoodalError: fewer than `LEAST` agree; the artefact is not to be written.
    """
    frames = learned.experiment.manifest.features[learned.stream]
    rows = np.linspace(0, len(learned.experiment.test) - 1, ROWS).astype(int)
    rows = np.unique(rows)
    session = onnx.session(content)
    found = np.stack([_pooled(session, frames[learned.experiment.test[i]]) for i in rows])
    told, right = learned.logits(found), learned.logits(held.states["test"][rows])
    top = float((told.argmax(1) == right.argmax(1)).mean())
    if top < LEAST:
        raise MoodalError(
            f"The {learned.stream} graph agrees with its network on {top:.0%} of the rows only; "
            "set bits = 32 for it."
        )
    apart = np.abs(told - right)
    return {
        "rows": len(rows),
        "top": top,
        "largest": float(apart.max()),
        "mean": float(apart.mean()),
    }


def _pooled(session: Any, values: np.ndarray) -> np.ndarray:
    """Compute the mean state [H] of one row."""
    return np.asarray(run(session, values).mean(0), np.float64)
