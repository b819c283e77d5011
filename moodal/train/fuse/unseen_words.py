"""Unseen words: how well a branch scores words that it never learned.

Each word in turn is left out, and the two projections of the branch are retrained on the fixed
states; then the word is scored by its vector alone. The states themselves have been trained on
every word, so the result is optimistic: if it is no better than chance, such scores are useless.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from moodal.evaluation.metrics import auc
from moodal.train.fuse.branch_scores import BranchScores
from moodal.train.fuse.train_branch import FusedBranch
from moodal.train.layers.losses import bce

STEPS = 300
USELESS = 0.6
"""The mean AUC below which scores of unseen words are ignored where a better modality exists."""


def score_unseen_words(
    learned: FusedBranch, branch_scores: BranchScores, prefix: str = ""
) -> dict[str, Any]:
    """Compute the mean AUC of words left out in turn, and the weight that follows from it.

    Args:
        prefix: words with this prefix are ignored, as a second set of labels for the same rows.

    Returns:
        "auc": the mean on test rows (None where no word could be tested), "each": word -> its
        AUC, "weight": 0 where the validation AUC is below `USELESS`, else 1.
    """
    experiment, space = learned.experiment, learned.space
    vectors = torch.tensor(space.vectors, dtype=torch.float32)
    words = [w for w in space.labels if not (prefix and w.startswith(prefix))]
    own = [space.index(w) for w in words]
    targets = experiment.manifest.labels
    states = {p: torch.tensor(x, dtype=torch.float32) for p, x in branch_scores.states.items()}
    center, scale = states["train"].mean(0), states["train"].std(0).clamp(min=1e-6)
    states = {p: (x - center) / scale for p, x in states.items()}
    each: dict[str, dict[str, float]] = {"valid": {}, "test": {}}
    for word in words:
        others = [space.index(w) for w in words if w != word]
        seen = targets[branch_scores.rows["train"]][:, others]
        shown = np.nansum(seen, 1) > 0
        w = _projections(
            states["train"][shown], torch.tensor(seen[shown]), vectors[others], space.task
        )
        for part, aucs in each.items():
            scores = (states[part] @ (w @ vectors[space.index(word)])).numpy()
            truth = _truth(targets[branch_scores.rows[part]], space.index(word), own, space.task)
            known = ~np.isnan(targets[branch_scores.rows[part]][:, space.index(word)])
            truth, scores = truth[known], scores[known]
            if 0 < truth.sum() < len(truth):
                aucs[word] = float(auc(truth, scores))
    means = {part: float(np.mean(list(x.values()))) if x else None for part, x in each.items()}
    useless = means["valid"] is None or means["valid"] < USELESS
    return {"auc": means["test"], "each": each["test"], "weight": 0.0 if useless else 1.0}


def _truth(targets: np.ndarray, column: int, own: list[int], task: str) -> np.ndarray:
    """Return [n] whether rows have a word: at all, or with more than half of the labels."""
    if task == "multi":
        return (targets[:, column] > 0).astype(np.float32)
    return (targets[:, column] > 0.5 * np.maximum(targets[:, own].sum(1), 1e-9)).astype(np.float32)


def _projections(
    states: torch.Tensor, targets: torch.Tensor, vectors: torch.Tensor, task: str
) -> torch.Tensor:
    """Fit a projection [H, d] from states to word vectors by the branch's loss and slight decay."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(states.shape[1], vectors.shape[1], generator=generator) * 0.01
    w.requires_grad_()
    optimiser = torch.optim.Adam([w], 1e-2)
    for _ in range(STEPS):
        logits = states @ (w @ vectors.T)
        if task == "multi":
            loss = bce(logits, targets).mean()
        else:
            loss = F.cross_entropy(logits, targets / targets.sum(1, keepdim=True))
        optimiser.zero_grad()
        (loss + 1e-3 * w.square().mean()).backward()
        optimiser.step()
    return w.detach()
