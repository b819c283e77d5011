"""LOSSES: what training lowers, per utterance, so that unequal shards can be weighted.

Each takes logits and targets [B, C] and gives [B]; its mean over utterances is
the published code's loss.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from moodal.core.errors import UsageError


def bce(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy, mean over emotions; positives count ``pos_weight`` [C] times."""
    return F.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=pos_weight, reduction="none"
    ).mean(1)


def ce(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Cross-entropy against the raw target rows: sum over emotions of -y_c log softmax_c.

    On one-hot rows this is ordinary cross-entropy. On multi-hot rows, which the
    published commands feed it, a row counts once per emotion in it, and a row
    with no emotion counts nothing. ``pos_weight`` is not used.
    """
    return F.cross_entropy(logits, targets, reduction="none")


def l1(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Absolute error, mean over columns. ``pos_weight`` is not used."""
    return (logits - targets).abs().mean(1)


def mse(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Squared error, mean over columns. ``pos_weight`` is not used."""
    return (logits - targets).square().mean(1)


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "bce": bce,
    "ce": ce,
    "l1": l1,
    "mse": mse,
}


def per_utterance(
    name: str, logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None
) -> Tensor:
    """The loss ``name`` of each utterance: [B], in float32 at least.

    Raises:
        UsageError: there is no such loss.
    """
    if name not in LOSSES:
        raise UsageError(f"No loss {name!r}; choose one of {', '.join(LOSSES)}.")
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()
    return LOSSES[name](logits, targets.to(logits.dtype), pos_weight)


def loss(name: str, logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """The mean of `per_utterance`: a scalar.

    >>> float(loss("mse", torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]])))
    2.5
    """
    return per_utterance(name, logits, targets, pos_weight).mean()


def pos_weight(labels: Tensor) -> Tensor:
    """Negatives per positive of each emotion: labels [N, C] of 0 and 1 -> [C] float32.

    An emotion without a positive gets 1: there is nothing for a weight to
    count, and negatives / 0 would make every loss infinite or NaN.

    >>> pos_weight(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])).tolist()
    [2.0, 1.0]
    """
    positives = (labels > 0).sum(0)
    negatives = len(labels) - positives
    ratio = negatives.float() / positives.clamp(min=1).float()
    return torch.where(positives > 0, ratio, torch.ones_like(ratio))
