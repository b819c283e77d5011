"""Scoring: the logits of many rows, batched by length and shared among processes."""

from __future__ import annotations

import contextlib
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import is_wrapped
from torch import Tensor, nn

from moodal.core.emotions import Targets, Values
from moodal.core.recipe import Train
from moodal.core.targets import JointTargets
from moodal.train.data.batch import Streams, of_type
from moodal.train.data.buckets import by_frames
from moodal.train.data.dataset import TensorData
from moodal.train.systems.system import System


def outputs(model: nn.Module, streams: Streams, space: Targets) -> Tensor:
    """Compute what a system says of a batch: logits [B, C] of emotions, or numbers of values."""
    return numbers(cast(System, model).scores(streams, space), space)


def numbers(scores: Tensor, space: Targets) -> Tensor:
    """Turn a system's scores [B, C] of values into numbers; logits of emotions stay as they are."""
    if isinstance(space, JointTargets):
        count = len(space.words)
        return torch.cat([scores[:, :count], numbers(scores[:, count:], space.values)], 1)
    if not isinstance(space, Values):
        return scores
    unit, middle = (
        torch.from_numpy(x).float().to(scores.device) for x in (space.unit, space.middle)
    )
    return scores.float() * unit + middle


def score(
    model: nn.Module,
    space: Targets,
    data: TensorData,
    rows: np.ndarray,
    size: int = 512,
    max_frames: int = 0,
    fabric: Fabric | None = None,
) -> np.ndarray:
    """Compute the logits or numbers [n, C] of ``rows``, in their order, without dropout.

    Args:
        model: a system, or a system that Fabric wrapped.
        size: rows of a batch.
        max_frames: rows times the longest of a batch, at most; ``size`` is then ignored.
        fabric: each of its processes scores a share, and all return the whole.
    """
    model.eval()
    # a model that Fabric wrapped is scored in the precision in which it is trained
    precision = fabric.autocast() if fabric and is_wrapped(model) else contextlib.nullcontext()
    out = np.zeros((len(rows), len(space)), np.float32)
    place = {int(row): i for i, row in enumerate(rows)}
    rank, world = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    with torch.no_grad():
        for part in batches_of(data, rows, size, max_frames)[rank::world]:
            streams = of_type(data.batch(part, views=False), model).streams
            with precision:
                logits = outputs(model, streams, space)
            out[[place[row] for row in part.tolist()]] = logits.float().cpu().numpy()
    if fabric is not None and world > 1:
        whole: Any = fabric.all_reduce(torch.from_numpy(out).to(fabric.device), reduce_op="sum")
        out = whole.cpu().numpy()
    return out


def transcribe(
    system: System, data: TensorData, rows: np.ndarray, size: int = 512, max_frames: int = 0
) -> list[str]:
    """Read ``rows`` with the system's CTC head, and return a text for each, in their order.

    Args:
        size, max_frames: of a batch, see `score`.
    """
    system.eval()
    texts = [""] * len(rows)
    place = {int(row): i for i, row in enumerate(rows)}
    with torch.no_grad():
        for part in batches_of(data, rows, size, max_frames):
            batch_texts = system.transcribe(data.batch(part, views=False).streams)
            for row, text in zip(part.tolist(), batch_texts, strict=True):
                texts[place[row]] = text
    return texts


def scoring_sizes(system: System, config: Train) -> dict[str, int]:
    """Choose ``size`` and ``max_frames`` of the batches that are scored.

    A backbone's batches are those of its training: what fits in memory there fits here, and where
    padding counts (faithful mode) the batches are of the same kind.
    """
    size = config.batch_size if system.heavy else 512
    return {"size": size, "max_frames": config.max_frames}


def batches_of(
    data: TensorData, rows: np.ndarray, size: int = 512, max_frames: int = 0
) -> list[Tensor]:
    """Split ``rows`` into batches of similar length, in any order."""
    lengths = data.lengths.cpu()
    if max_frames:
        return by_frames(torch.as_tensor(rows), lengths, max_frames)
    order = np.argsort(lengths.numpy()[rows], kind="stable")
    return [torch.as_tensor(rows[part]) for part in np.array_split(order, -(-len(rows) // size))]
