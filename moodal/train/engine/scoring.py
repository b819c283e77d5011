"""scoring: what a system says of rows, batched by length, shared among processes."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import is_wrapped
from torch import Tensor, nn

from moodal.core.emotions import EmotionSpace
from moodal.core.recipe import Train
from moodal.train.data.batch import of_type
from moodal.train.data.buckets import by_frames
from moodal.train.data.dataset import TensorData
from moodal.train.systems.system import System


def score(
    model: nn.Module,
    space: EmotionSpace,
    data: TensorData,
    rows: np.ndarray,
    size: int = 512,
    max_frames: int = 0,
    fabric: Fabric | None = None,
) -> np.ndarray:
    """Logits [n, C] of ``rows``, in their order, without dropout; batched by length.

    Args:
        size: rows of a batch.
        max_frames: rows times the longest of a batch, at most; then ``size`` counts for nothing.
        fabric: each of its processes scores a share, and all get the whole.
    """
    model.eval()
    # as in training, where the model is Fabric's
    precision = fabric.autocast() if fabric and is_wrapped(model) else contextlib.nullcontext()
    out = np.zeros((len(rows), len(space)), np.float32)
    place = {int(row): i for i, row in enumerate(rows)}
    rank, world = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    with torch.no_grad():
        for part in batches_of(data, rows, size, max_frames)[rank::world]:
            batch = data.batch(part, views=False)
            own = [place[row] for row in part.tolist()]
            with precision:
                told: Any = model.scores(of_type(batch, model).streams, space)  # type: ignore[operator]
            out[own] = told.float().cpu().numpy()
    if fabric is not None and world > 1:
        shared: Any = fabric.all_reduce(torch.from_numpy(out).to(fabric.device), reduce_op="sum")
        out = shared.cpu().numpy()
    return out


def scoring_sizes(system: System, config: Train) -> dict[str, int]:
    """``size`` and ``max_frames`` of the batches that are scored.

    A backbone's batches are those of its training: what fits there fits here, and where padding
    counts (faithful mode) it is the same kind of batch.
    """
    size = config.batch_size if system.heavy else 512
    return {"size": size, "max_frames": config.max_frames}


def batches_of(
    data: TensorData, rows: np.ndarray, size: int = 512, max_frames: int = 0
) -> list[Tensor]:
    """``rows`` in batches of like length, for what has no order."""
    lengths = data.lengths.cpu()
    if max_frames:
        return by_frames(torch.as_tensor(rows), lengths, max_frames)
    order = np.argsort(lengths.numpy()[rows], kind="stable")
    return [torch.as_tensor(rows[part]) for part in np.array_split(order, -(-len(rows) // size))]
