"""SpecAugment: spans of frames, and of values, hidden in training.

Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech
Recognition", Interspeech 2019; as wav2vec 2.0 fine-tunes with it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def spans(lengths: Tensor, steps: int, share: float, length: int) -> Tensor:
    """Random spans of ``length`` steps that cover about ``share`` of each row, where they part.

    Drawn from torch's own random state on the CPU, so that a run that is taken up again goes
    on as it would have, on any device.

    Args:
        lengths: [B] valid steps; a row shorter than a span has none.
        steps: T.
        share: of the valid steps, from 0 to 1.
        length: of one span.

    Returns:
        [B, T] bool, True where hidden.
    """
    there = lengths.cpu()
    wanted = (share * there / length + torch.rand(len(there))).long()
    wanted = torch.where(there >= length, wanted, 0)
    most = int(wanted.max()) if len(wanted) else 0
    room = (there - length + 1).clamp(min=1)
    starts = (torch.rand(len(there), most) * room[:, None]).long()
    at = torch.arange(steps)
    inside = (at >= starts[..., None]) & (at < starts[..., None] + length)
    counted = torch.arange(most) < wanted[:, None]
    return (inside & counted[..., None]).any(1).to(lengths.device)
