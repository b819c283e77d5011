"""Contrastive losses: vectors of one label, or of one utterance, are drawn together.

Each takes z [B, D] and gives [B], one term per anchor, whose mean is the batch's loss. They
are computed in 32 bits: fewer are too coarse for products of wide vectors divided by a small
temperature.

Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, arXiv 2004.11362; Chen et al.,
"SimCLR", ICML 2020, for two views of one utterance.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def supervised(z: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Compute the supervised contrastive loss of Khosla et al., equation 2 (L_out): [B].

    z is scaled to length 1. For anchor i with the positives P(i) (the others of its label):
    -1/|P(i)| sum over p in P(i) of log softmax over a != i of z_i z_a / temperature, at p. An
    anchor without a positive contributes 0 and does not count: the others' terms are scaled so
    that the mean over B is the mean over those that have some.

    Args:
        labels: [B] integers.
    """
    z = _unit(z)
    alone = torch.eye(len(z), dtype=torch.bool, device=z.device)
    positives = (labels[:, None] == labels) & ~alone
    never = torch.finfo(torch.float32).min  # not -inf: a batch of one would have NaN gradients
    logits = (_products(z, z) / temperature).masked_fill(alone, never)
    log_p = logits.log_softmax(1).masked_fill(~positives, 0.0)
    count = positives.sum(1)
    each = -log_p.sum(1) / count.clamp(min=1)
    return each * (len(z) / (count > 0).sum().clamp(min=1))


def supervised_published(z: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Compute the supervised contrastive loss as MMER's public code does: [B].

    z has any length, the anchor counts among its own positives and in its own softmax, and the
    temperature divides after the softmax, where it only scales. The mean is over pairs, so that
    anchors with more positives weigh more.
    """
    positives = labels[:, None] == labels
    log_p = _products(z, z).log_softmax(1) / temperature
    each = -log_p.masked_fill(~positives, 0.0).sum(1)
    return each * (len(z) / positives.sum())


def between_views(z: Tensor, other: Tensor, temperature: float, *, unit: bool = True) -> Tensor:
    """Compute the loss of matching each z_i with its own second view among ``other`` [B, D]: [B].

    -log softmax over j of z_i other_j / temperature, at i.

    Args:
        unit: scale both to length 1 first; false is as published.
    """
    if unit:
        z, other = _unit(z), _unit(other)
    own = torch.arange(len(z), device=z.device)
    return F.cross_entropy(_products(z, other) / temperature, own, reduction="none")


def _unit(z: Tensor) -> Tensor:
    return F.normalize(z.float(), dim=1)


def _products(z: Tensor, other: Tensor) -> Tensor:
    with torch.autocast(z.device.type, enabled=False):
        return z.float() @ other.float().T
