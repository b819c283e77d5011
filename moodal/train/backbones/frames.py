"""FrameNetwork: a small network for features of any modality, each step by itself."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class FrameNetwork(nn.Module):
    """Features [B, T, D] -> states [B, T, H]: two layers with a GELU after each.

    Args:
        values: D, per step.
        width: H.
        dropout: between the layers.
    """

    def __init__(self, values: int, width: int = 48, dropout: float = 0.1):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(
            nn.Linear(values, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
        )

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute states [B, T, H], zero beyond the lengths [B], and the lengths."""
        inside = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        return self.states(values).masked_fill(~inside[..., None], 0.0), lengths

    def states(self, frames: Tensor) -> Tensor:
        """Compute the states [..., H] of features [..., D]."""
        return cast(Tensor, self.layers(frames))
