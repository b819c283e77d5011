"""fit: the one training loop, for every system and every protocol.

It sees rows of tensors, a space and a loss; folds, held-out emotions and shots
were settled before. Killed at any moment and started again with the same
arguments, it goes on from its last checkpoint to the very same weights (CPU).
"""

from __future__ import annotations

import copy
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from moodal.config import Train
from moodal.emotions import EmotionSpace
from moodal.errors import MoodalError, UsageError
from moodal.files import replacing
from moodal.learn.checkpoint import State, restore, saver
from moodal.learn.data.dataset import TensorData, epoch_batches
from moodal.learn.layers.losses import per_utterance
from moodal.learn.logs import Bar, TensorBoard
from moodal.learn.memory import keep_freed
from moodal.learn.selection import figure, merit

Constrain = Callable[[Fabric, nn.Module], None]
"""Changes the gradients between backward and step (GEM's projection)."""

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def launch(config: Train) -> Fabric:
    """Fabric for the recipe's devices; starts the other processes where there are several.

    Raises:
        UsageError: this machine has no such accelerator, or not so many.
    """
    strategy = config.strategy
    if strategy == "auto" and config.devices > 1:
        # the top layer's recurrent weights of the backward direction never see a gradient
        strategy = "ddp_find_unused_parameters_true"
    keep_freed()
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            strategy=strategy,
            precision=config.precision,  # type: ignore[arg-type]
        )
        fabric.launch()
    except (ValueError, RuntimeError, ImportError) as error:
        # Lightning's MisconfigurationException and torch's device errors end here
        raise UsageError(f"train.accelerator/devices/precision: {error}.") from None
    return fabric


def fit(
    fabric: Fabric,
    system: nn.Module,
    space: EmotionSpace,
    data: TensorData,
    train: np.ndarray,
    valid: np.ndarray,
    config: Train,
    folder: Path,
    *,
    pos_weight: Tensor | None = None,
    constrain: Constrain | None = None,
    signature: str = "",
    title: str = "training",
) -> list[dict[str, float]]:
    """Train ``system`` in place; it ends with the weights of the best validation epoch.

    Args:
        space: the emotions (with vectors where the system uses them) of ``data.targets``.
        train, valid: rows of ``data``.
        folder: receives ``resume.pt``, ``epochs.csv`` and ``tensorboard/``.
        pos_weight: [C] weight of positives in the bce loss.
        constrain: see `Constrain`.
        signature: says what is trained; a checkpoint of another signature is refused.

    Returns:
        One row per epoch: losses, the selected figure, learning rate, seconds.
    """
    torch.manual_seed(config.seed + fabric.global_rank)
    optimiser = OPTIMISERS[config.optimiser](
        system.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
    model, wrapped = fabric.setup(system, optimiser)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=0.1, patience=config.patience if config.patience else config.epochs
    )
    state = State()
    resume = folder / "resume.pt"
    if resume.exists():
        state = restore(resume, signature, system, optimiser, scheduler, fabric)
    train_rows, lengths = torch.as_tensor(train), data.lengths.cpu()
    steps = -(-len(train) // (config.batch_size * config.accumulate))
    bar = Bar(title, config.epochs * steps, fabric.is_global_zero)
    board = TensorBoard(folder / "tensorboard", state.epoch, fabric.is_global_zero)
    save = saver(resume, signature, system, optimiser, scheduler, fabric)

    with bar, board:
        bar.at(state.epoch * steps + state.step)
        while state.epoch < config.epochs and not _stopped(state, config):
            began = time.perf_counter()
            model.train()
            generator = torch.Generator().manual_seed(config.seed * 1_000_003 + state.epoch)
            batches = list(epoch_batches(train_rows, lengths, config.batch_size, generator))
            for group in _groups(batches, config.accumulate)[state.step :]:
                loss = _step(
                    fabric, model, wrapped, space, data, group, config, pos_weight, constrain
                )
                state.loss_sum += loss * sum(map(len, group))
                state.rows_done += sum(map(len, group))
                state.step += 1
                bar.step(state.loss_sum / state.rows_done)
                if config.save_steps and state.step % config.save_steps == 0:
                    state.seconds += time.perf_counter() - began
                    began = time.perf_counter()
                    save(state)
            row = _validate(model, space, data, valid, config, pos_weight, state)
            row["lr"] = optimiser.param_groups[0]["lr"]
            scheduler.step(row["valid_loss"])
            _keep_best(state, row, system, config.select)
            row["seconds"] = round(state.seconds + time.perf_counter() - began, 3)
            state.history.append(row)
            state.epoch, state.step, state.loss_sum, state.rows_done = state.epoch + 1, 0, 0.0, 0
            state.seconds = 0.0
            save(state)
            if fabric.is_global_zero:
                write_epochs(folder / "epochs.csv", state.history)
            board.row(row)
            bar.epoch(row)
    system.load_state_dict(state.best_weights)
    system.float()  # after training in bf16-true, scores and artefacts are of 32 bits again
    return state.history


def score(
    model: nn.Module, space: EmotionSpace, data: TensorData, rows: np.ndarray, size: int = 512
) -> np.ndarray:
    """Logits [n, C] of ``rows``, in their order, without dropout; batched by length."""
    model.eval()
    order = np.argsort(data.lengths.cpu().numpy()[rows], kind="stable")
    out = np.zeros((len(rows), len(space)), np.float32)
    with torch.no_grad():
        for part in np.array_split(order, max(1, -(-len(rows) // size))):
            if len(part):
                batch = data.batch(torch.as_tensor(rows[part]))
                out[part] = model(batch.streams, space).float().cpu().numpy()
    return out


def write_epochs(path: Path, history: list[dict[str, float]]) -> None:
    """The learning curves as CSV."""
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _groups(batches: list[Tensor], size: int) -> list[list[Tensor]]:
    return [batches[i : i + size] for i in range(0, len(batches), size)]


def _step(
    fabric: Fabric,
    model: Any,
    optimiser: Any,
    space: EmotionSpace,
    data: TensorData,
    group: list[Tensor],
    config: Train,
    pos_weight: Tensor | None,
    constrain: Constrain | None,
) -> float:
    """One optimiser step over a group of batches; its mean loss over all processes.

    Each process takes every world-size-th row. Losses are summed and divided by the
    rows of the whole group, so that the gradient is that of one process with one
    batch, however uneven the shares.
    """
    total = sum(len(rows) for rows in group)
    mean = 0.0
    for i, rows in enumerate(group):
        own = rows[fabric.global_rank :: fabric.world_size]
        weight = fabric.world_size / total
        if not len(own):  # fewer rows than processes: take part, but count for nothing
            own, weight = rows[:1], 0.0
        batch = data.batch(own)
        with fabric.no_backward_sync(model, enabled=i < len(group) - 1):
            logits = model(batch.streams, space)
            losses = per_utterance(config.loss, logits, batch.targets, pos_weight)
            loss = losses.sum() * weight
            fabric.backward(loss)
        mean += float(loss.detach()) / fabric.world_size
    if constrain is not None:
        constrain(fabric, model)
    if config.clip > 0:
        fabric.clip_gradients(model, optimiser, max_norm=config.clip, error_if_nonfinite=False)
    optimiser.step()
    optimiser.zero_grad()
    if fabric.world_size > 1:
        shares: Any = fabric.all_reduce(torch.tensor(mean, device=fabric.device), reduce_op="sum")
        mean = float(shares)
    if not np.isfinite(mean):
        raise MoodalError(
            "The training loss is not finite; lower train.lr, set train.clip, or check the "
            "features with `moodal inspect`."
        )
    return mean


def _validate(
    model: nn.Module,
    space: EmotionSpace,
    data: TensorData,
    valid: np.ndarray,
    config: Train,
    pos_weight: Tensor | None,
    state: State,
) -> dict[str, float]:
    logits = torch.from_numpy(score(model, space, data, valid))
    targets = data.targets[torch.as_tensor(valid, device=data.device)].cpu()
    weight = None if pos_weight is None else pos_weight.cpu()
    loss = float(per_utterance(config.loss, logits, targets, weight).mean())
    row = {
        "epoch": state.epoch,
        "train_loss": state.loss_sum / max(state.rows_done, 1),
        "valid_loss": loss,
    }
    if config.select not in ("loss", "last"):
        chosen = figure(config.select, logits.numpy(), targets.numpy(), space.task)
        row[f"valid_{config.select}"] = chosen
    return row


def _keep_best(state: State, row: dict[str, float], system: nn.Module, select: str) -> None:
    """Remember the weights where the chosen figure is best so far."""
    value = merit(select, row)
    if value > state.best or state.best_epoch < 0:
        state.best, state.best_epoch = value, state.epoch
        state.best_weights = copy.deepcopy(
            {k: v.detach().cpu() for k, v in system.state_dict().items()}
        )


def _stopped(state: State, config: Train) -> bool:
    return bool(config.early_stop) and state.epoch - 1 - state.best_epoch >= config.early_stop
