"""Pooling: one vector of a sequence, from its valid steps."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_mean(x: Tensor, mask: Tensor | None) -> Tensor:
    """Average over valid steps: [B, T, D] -> [B, D]; 0 where no step is valid.

    Args:
        mask: [B, T] bool, True on valid steps; None: all are.

    >>> x = torch.tensor([[[1.0], [3.0], [8.0]]])
    >>> masked_mean(x, torch.tensor([[True, True, False]])).tolist()
    [[2.0]]
    """
    if mask is None:
        return x.mean(1)
    total = x.masked_fill(~mask[..., None], 0).sum(1)
    return total / mask.sum(1).clamp(min=1)[:, None].to(total.dtype)


def masked_max(x: Tensor, mask: Tensor | None) -> Tensor:
    """Take each column's maximum over valid steps: [B, T, D] -> [B, D].

    Args:
        mask: [B, T] bool, True on valid steps; None: all are. A sequence without a valid step
            gives 0.

    >>> x = torch.tensor([[[1.0], [-3.0], [8.0]]])
    >>> masked_max(x, torch.tensor([[True, True, False]])).tolist()
    [[1.0]]
    """
    if mask is None:
        return x.amax(1)
    largest = x.masked_fill(~mask[..., None], -torch.inf).amax(1)
    return largest.masked_fill(~mask.any(1)[:, None], 0)
