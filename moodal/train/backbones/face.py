"""FaceNetwork: a small residual network for faces of 48 x 48 grey pixels.

After He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, in the sizes of
FER2013; about 1.5 million weights at width 48.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.train.layers.convolution import compute_singly

SIDE = 48


class FaceNetwork(nn.Module):
    """A residual network: pixels [B, T, 2304] -> [B, T, H], H = 4 x width, picture by picture.

    In training each picture is augmented, see `augmented`.

    Args:
        width: channels of the first layers.
        dropout: of the states.
    """

    def __init__(self, width: int = 48, dropout: float = 0.2):
        super().__init__()
        w = width
        self.width = 4 * w
        self.stem = nn.Sequential(nn.Conv2d(1, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w))
        self.blocks = nn.Sequential(
            _Block(w, w, 2),
            _Block(w, 2 * w, 2),
            _Block(2 * w, 2 * w, 1),
            _Block(2 * w, 4 * w, 2),
            _Block(4 * w, 4 * w, 1),
        )
        self.dropout = dropout
        compute_singly(self)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute [B, T, 2304] in 0..1 and [B] -> [B, T, H], zero beyond the lengths, and [B]."""
        valid = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        pictures = values[valid].reshape(-1, 1, SIDE, SIDE)
        if self.training and len(pictures):
            pictures = augmented(pictures.float())
        out = values.new_zeros((*valid.shape, self.width), dtype=torch.float32)
        if len(pictures):
            states = self.states(pictures)
            if self.training:
                states = F.dropout(states, self.dropout)
            else:
                states = (states + self.states(pictures.flip(3))) / 2
            out = out.masked_scatter(valid[..., None], states.float())
        return out, lengths

    def states(self, pictures: Tensor) -> Tensor:
        """Compute [N, 1, 48, 48] in 0..1 -> [N, H]; each picture's light is normalised first."""
        mean = pictures.mean((2, 3), keepdim=True)
        deviation = (pictures - mean).square().mean((2, 3), keepdim=True).sqrt()
        hidden = (pictures - mean) / (deviation + 0.02)
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        hidden = self.blocks(torch.relu(self.stem(hidden)))
        return cast(Tensor, hidden.mean((2, 3)))


class _Block(nn.Module):
    def __init__(self, into: int, out: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(out)
        self.stride = stride
        self.skip: nn.Module = nn.Identity()
        if into != out:
            self.skip = nn.Sequential(nn.Conv2d(into, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        return torch.relu(y + self.skip(_halved(x) if self.stride == 2 else x))


def _halved(x: Tensor) -> Tensor:
    """Average 2 x 2 values, [.., 2 h, 2 w] -> [.., h, w].

    In 16 bits on a CPU this is faster than torch's own pooling.
    """
    above, below = x[:, :, ::2], x[:, :, 1::2]
    return (above[..., ::2] + above[..., 1::2] + below[..., ::2] + below[..., 1::2]) / 4


def augmented(pictures: Tensor) -> Tensor:
    """Augment pictures of faces at random: [N, 1, 48, 48] in 0..1.

    They are rotated by up to 15 degrees, scaled by 0.85 to 1.2, shifted by up to 10 %, half of
    them mirrored, made lighter or darker, a third coarsened to as few as 20 pixels, and a third
    partly hidden by a rectangle.
    """
    n, device = len(pictures), pictures.device

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, device=device)

    angle = between(-15, 15) * math.pi / 180
    scale, mirror = between(1 / 1.2, 1 / 0.85), (torch.rand(n, device=device) < 0.5) * 2.0 - 1
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = torch.stack(
        [mirror * cos, -mirror * sin, between(-0.2, 0.2), sin, cos, between(-0.2, 0.2)], 1
    )
    grid = F.affine_grid(rows.reshape(n, 2, 3), list(pictures.shape), align_corners=False)
    pictures = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    coarse = torch.rand(n, device=device) < 0.33
    if coarse.any():
        size = int(torch.randint(20, 40, ()))
        small = F.interpolate(pictures[coarse], size=size, mode="area")
        back = F.interpolate(small, size=SIDE, mode="bilinear", align_corners=False)
        pictures = pictures.masked_scatter(coarse[:, None, None, None], back)
    gamma = torch.exp(between(-0.4, 0.4))[:, None, None, None]
    pictures = pictures.clamp(0, 1) ** gamma
    pictures = pictures * between(0.6, 1.1)[:, None, None, None]
    noise = between(0, 0.04)[:, None, None, None]
    pictures = pictures + noise * torch.randn_like(pictures)
    # a rectangle of the picture's mean hides up to a third of each side
    at = torch.arange(SIDE, device=device)
    hidden = (torch.rand(n, device=device) < 0.33)[:, None, None]
    for axis in (0, 1):
        half, middle = between(2, 8)[:, None], between(0, SIDE)[:, None]
        inside = (at - middle).abs() < half
        hidden = hidden & (inside[:, :, None] if axis == 0 else inside[:, None, :])
    mean = pictures.mean((2, 3), keepdim=True)
    return torch.where(hidden[:, None], mean, pictures).clamp(0, 1)
