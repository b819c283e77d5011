"""step: one optimiser step over a group of batches, on any number of processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from moodal.core.errors import MoodalError
from moodal.core.recipe import Train
from moodal.train.backbones.layered import Layered
from moodal.train.data.batch import Batch, of_type
from moodal.train.engine.scoring import outputs
from moodal.train.engine.training import Training
from moodal.train.systems.system import Objective, System

COUNTS = ("ctc_infinite",)
"""Parts of an objective that are summed over an epoch; the others are means over rows."""


def parameters(system: System, config: Train) -> list[dict[str, Any]]:
    """Group what is trained: the backbone has its own rate or start where the recipe names one.

    With ``layer_decay`` the layers of each depth are a group, whose rate is lower the deeper it is.
    """
    trained = [p for p in system.parameters() if p.requires_grad]
    backbone: list[nn.Parameter] = []
    if config.backbone_lr or config.backbone_start or config.layer_decay < 1:
        backbone = [p for p in system.backbone_parameters() if p.requires_grad]
    own = {id(p) for p in backbone}
    new = [p for p in trained if id(p) not in own]
    groups: list[dict[str, Any]] = [{"params": new, "backbone": False}]
    rate = config.backbone_lr or config.lr
    if backbone and config.layer_decay == 1:
        groups.append({"params": backbone, "lr": rate, "backbone": True})
    elif backbone:
        depths = depths_of(system)
        for depth in sorted({depths[p] for p in backbone}):
            layers = [p for p in backbone if depths[p] == depth]
            decayed = rate * config.layer_decay**depth
            groups.append({"params": layers, "lr": decayed, "backbone": True})
    return groups


def depths_of(system: System) -> dict[nn.Parameter, int]:
    """Return the number of layers above each parameter of the backbones that train."""
    stacks = [module for module in system.modules() if isinstance(module, Layered)]
    return {p: depth for stack in stacks for p, depth in stack.depths().items()}


def set_rates(optimiser: Any, number: int, total: int, config: Train) -> None:
    """Set the rates of step ``number`` of ``total``.

    They rise during ``warmup``, and then follow ``decay`` (see `moodal.core.recipe.Train`). A
    backbone that starts later computes no gradients until then, and its rates rise from there.
    """
    warm, late = round(config.warmup * total), round(config.backbone_start * total)
    for group in optimiser.param_groups:
        start = late if group.get("backbone") else 0
        for parameter in group["params"]:
            parameter.requires_grad_(number >= start)
        if number < start:
            continue
        if number < start + warm:
            group["lr"] = group["full_lr"] * (number + 1 - start) / warm
        elif config.decay == "linear":
            group["lr"] = group["full_lr"] * (total - number) / max(total - start - warm, 1)


def step(
    training: Training, model: Any, optimiser: Any, group: list[Tensor]
) -> tuple[float, dict[str, float]]:
    """Take one optimiser step over a group of batches.

    Each process takes every world-size-th row. Losses are summed and divided by the
    rows of the whole group, so that the gradient is that of one process with one
    batch, however uneven the shares. Terms that compare rows with each other (contrastive
    losses) do so within what one process computes at once.

    Args:
        model, optimiser: as Fabric wrapped them.

    Returns:
        The mean loss over all processes, and the sum over rows of each part of a multitask
        system's objective.
    """
    fabric, config = training.fabric, training.config
    total = sum(len(rows) for rows in group)
    mean = 0.0
    parts: dict[str, float] = {}
    for i, rows in enumerate(group):
        own = rows[fabric.global_rank :: fabric.world_size]
        weight, counted = fabric.world_size / total, len(own)
        if not len(own):  # fewer rows than processes: take part, but count for nothing
            own, weight = rows[:1], 0.0
        batch = training.data.batch(own)
        with fabric.no_backward_sync(model, enabled=i < len(group) - 1):
            losses = _losses(training, model, batch)
            loss = losses.each.sum() * weight
            fabric.backward(loss)
        mean += float(loss.detach()) / fabric.world_size
        for name, value in losses.parts.items():
            share = float(value) * (counted if name not in COUNTS else min(counted, 1))
            parts[name] = parts.get(name, 0.0) + share
    if training.constrain is not None:
        training.constrain(fabric, model)
    if config.clip > 0:
        fabric.clip_gradients(model, optimiser, max_norm=config.clip, error_if_nonfinite=False)
    optimiser.step()
    optimiser.zero_grad()
    if fabric.world_size > 1:
        names = sorted(parts)
        shares: Any = torch.tensor([mean, *(parts[n] for n in names)], device=fabric.device)
        mean, *sums = fabric.all_reduce(shares, reduce_op="sum").tolist()  # type: ignore[union-attr]
        parts = dict(zip(names, sums, strict=True))
    if not np.isfinite(mean):
        raise MoodalError(
            "The training loss is not finite; lower train.lr, set train.clip, or check the "
            "features with `moodal inspect`."
        )
    return mean, parts


def _losses(training: Training, model: Any, batch: Batch) -> Objective:
    """Compute the loss of each row: a multitask system's objective, or the recipe's loss."""
    # Fabric's own forward would round all inputs to the precision, token numbers and samples too
    with training.fabric.autocast():
        batch = of_type(batch, training.system)
        if training.system.multitask:
            objective: Objective = model.objective(batch, training.space)
            return objective
        logits = outputs(model, batch.streams, training.space)
    if training.shift is not None:
        logits = logits + training.shift[batch.rows]
    each = training.losses(logits, batch.targets)
    if training.row_weights is not None:
        each = each * training.row_weights[batch.rows]
    return Objective(each, {})
