"""step: one optimiser step over a group of batches, on any number of processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import MoodalError
from moodal.core.recipe import Train
from moodal.train.data.batch import Batch, of_type
from moodal.train.data.dataset import TensorData
from moodal.train.layers.losses import per_utterance
from moodal.train.systems.system import Objective, System

Constrain = Callable[[Fabric, nn.Module], None]
"""Changes the gradients between backward and step (GEM's projection)."""


def parameters(system: System, config: Train) -> list[dict[str, Any]]:
    """What is trained, the backbone at a rate of its own where the recipe gives one."""
    wanted = [p for p in system.parameters() if p.requires_grad]
    backbone: list[Tensor] = []
    if config.backbone_lr:
        backbone = [p for p in system.backbone_parameters() if p.requires_grad]
    own = {id(p) for p in backbone}
    groups: list[dict[str, Any]] = [{"params": [p for p in wanted if id(p) not in own]}]
    if backbone:
        groups.append({"params": backbone, "lr": config.backbone_lr})
    return groups


def set_rates(optimiser: Any, number: int, warm: int, total: int, decay: str) -> None:
    """The rates of step ``number`` of ``total``: rising to step ``warm``, then as decay says."""
    if number < warm:
        share = (number + 1) / warm
    elif decay == "linear":
        share = (total - number) / max(total - warm, 1)
    else:
        return
    for group in optimiser.param_groups:
        group["lr"] = group["full_lr"] * share


COUNTS = ("ctc_infinite",)
"""Parts of an objective that are added up over an epoch; the others are means over rows."""


def step(
    fabric: Fabric,
    model: Any,
    optimiser: Any,
    space: EmotionSpace,
    data: TensorData,
    group: list[Tensor],
    config: Train,
    pos_weight: Tensor | None,
    constrain: Constrain | None,
) -> tuple[float, dict[str, float]]:
    """One optimiser step over a group of batches.

    Each process takes every world-size-th row. Losses are summed and divided by the
    rows of the whole group, so that the gradient is that of one process with one
    batch, however uneven the shares. Terms that compare rows with each other (contrastive
    losses) do so within what one process computes at once.

    Returns:
        The mean loss over all processes, and the sum over rows of each part of a system's own
        objective.
    """
    total = sum(len(rows) for rows in group)
    mean = 0.0
    parts: dict[str, float] = {}
    for i, rows in enumerate(group):
        own = rows[fabric.global_rank :: fabric.world_size]
        weight, counted = fabric.world_size / total, len(own)
        if not len(own):  # fewer rows than processes: take part, but count for nothing
            own, weight = rows[:1], 0.0
        batch = data.batch(own)
        with fabric.no_backward_sync(model, enabled=i < len(group) - 1):
            losses, told = _losses(fabric, model, batch, space, config, pos_weight)
            loss = losses.sum() * weight
            fabric.backward(loss)
        mean += float(loss.detach()) / fabric.world_size
        for name, value in told.items():
            share = float(value) * (counted if name not in COUNTS else min(counted, 1))
            parts[name] = parts.get(name, 0.0) + share
    if constrain is not None:
        constrain(fabric, model)
    if config.clip > 0:
        fabric.clip_gradients(model, optimiser, max_norm=config.clip, error_if_nonfinite=False)
    optimiser.step()
    optimiser.zero_grad()
    if fabric.world_size > 1:
        named = sorted(parts)
        every: Any = torch.tensor([mean, *(parts[n] for n in named)], device=fabric.device)
        mean, *summed = fabric.all_reduce(every, reduce_op="sum").tolist()  # type: ignore[union-attr]
        parts = dict(zip(named, summed, strict=True))
    if not np.isfinite(mean):
        raise MoodalError(
            "The training loss is not finite; lower train.lr, set train.clip, or check the "
            "features with `moodal inspect`."
        )
    return mean, parts


def _losses(
    fabric: Fabric,
    model: Any,
    batch: Batch,
    space: EmotionSpace,
    config: Train,
    pos_weight: Tensor | None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of each row [B]: the system's own objective, or the recipe's loss of its logits."""
    # Fabric's own forward would round all inputs to the precision, token numbers and samples too
    with fabric.autocast():
        batch = of_type(batch, model.module)
        if model.module.multitask:
            objective: Objective = model.objective(batch, space)
            return objective.each, objective.parts
        logits = model.scores(batch.streams, space)
    return per_utterance(config.loss, logits, batch.targets, pos_weight), {}
