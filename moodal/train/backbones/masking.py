"""SpecAugment: random spans of frames, and of values, are masked in training.

Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech
Recognition", Interspeech 2019; as wav2vec 2.0 fine-tunes with it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def spans(lengths: Tensor, steps: int, share: float, length: int) -> Tensor:
    """Draw spans of ``length`` steps that cover about ``share`` of each row, less their overlap.

    They are drawn from torch's own random state on the CPU, so that a resumed run continues as
    it would have, on any device.

    Args:
        lengths: [B] valid steps; a row shorter than a span has none.
        steps: T.
        share: of the valid steps, from 0 to 1.
        length: of one span.

    Returns:
        [B, T] bool, True where masked.
    """
    valid = lengths.cpu()
    counts = (share * valid / length + torch.rand(len(valid))).long()
    counts = torch.where(valid >= length, counts, 0)
    most = int(counts.max()) if len(counts) else 0
    room = (valid - length + 1).clamp(min=1)
    starts = (torch.rand(len(valid), most) * room[:, None]).long()
    at = torch.arange(steps)
    inside = (at >= starts[..., None]) & (at < starts[..., None] + length)
    counted = torch.arange(most) < counts[:, None]
    return (inside & counted[..., None]).any(1).to(lengths.device)
