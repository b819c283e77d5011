"""fit: the one training loop, for every system and every protocol.

It sees rows of tensors, a space and a loss; folds, held-out emotions and shots
were settled before. Killed at any moment and started again with the same
arguments, it goes on from its last checkpoint to the very same weights (CPU).
"""

from __future__ import annotations

import copy
import csv
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.core.recipe import Train
from moodal.train.data.buckets import steps
from moodal.train.data.dataset import TensorData
from moodal.train.engine.checkpoint import State, restore, saver
from moodal.train.engine.logs import Bar, TensorBoard
from moodal.train.engine.memory import keep_freed
from moodal.train.engine.scoring import score, scoring_sizes
from moodal.train.engine.selection import figure, merit
from moodal.train.engine.step import COUNTS, Constrain, parameters, set_rates, step
from moodal.train.layers.losses import per_utterance
from moodal.train.systems.system import System

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def launch(config: Train) -> Fabric:
    """Fabric for the recipe's devices; starts the other processes where there are several.

    Raises:
        UsageError: this machine has no such accelerator, or not so many.
    """
    strategy: Any = config.strategy
    if strategy == "auto" and config.devices > 1:
        # EEA's top layer has weights that never see a gradient; no system has buffers that change
        strategy = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)
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
    system: System,
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
        parameters(system, config), lr=config.lr, weight_decay=config.weight_decay
    )
    for group in optimiser.param_groups:
        group["full_lr"] = group["lr"]
    model, wrapped = fabric.setup(system, optimiser)
    for method in ("scores", "objective"):
        model.mark_forward_method(method)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=0.1, patience=config.patience if config.patience else config.epochs
    )
    state = State()
    resume = folder / "resume.pt"
    if resume.exists():
        state = restore(resume, signature, system, optimiser, scheduler, fabric)
    train_rows, lengths = torch.as_tensor(train), data.lengths.cpu()
    per_epoch = -(-len(train) // (config.batch_size * config.accumulate))
    warm = round(config.warmup * config.epochs * per_epoch)
    bar = Bar(title, config.epochs * per_epoch, fabric.is_global_zero)
    board = TensorBoard(folder / "tensorboard", state.epoch, fabric.is_global_zero)
    save = saver(resume, signature, system, optimiser, scheduler, fabric)

    with bar, board:
        bar.at(state.epoch * per_epoch + state.step)
        while state.epoch < config.epochs and not _stopped(state, config):
            began = time.perf_counter()
            model.train()
            generator = torch.Generator().manual_seed(config.seed * 1_000_003 + state.epoch)
            data.draw_views(config.seed, state.epoch)
            epoch = steps(
                train_rows,
                lengths,
                size=config.batch_size,
                accumulate=config.accumulate,
                max_frames=config.max_frames * fabric.world_size,
                generator=generator,
            )
            for group in epoch[state.step :]:
                number = state.epoch * per_epoch + state.step
                set_rates(optimiser, number, warm, config.epochs * per_epoch, config.decay)
                loss, parts = step(
                    fabric, model, wrapped, space, data, group, config, pos_weight, constrain
                )
                rows_now = sum(map(len, group))
                state.loss_sum += loss * rows_now
                for name, value in parts.items():
                    state.parts[name] = state.parts.get(name, 0.0) + value
                state.rows_done += rows_now
                state.step += 1
                bar.step(state.loss_sum / state.rows_done)
                if config.save_steps and state.step % config.save_steps == 0:
                    state.seconds += time.perf_counter() - began
                    began = time.perf_counter()
                    save(state)
            row = _validate(fabric, system, model, space, data, valid, config, pos_weight, state)
            row["lr"] = optimiser.param_groups[0]["lr"]
            scheduler.step(row["valid_loss"])
            _keep_best(state, row, system, config.select)
            row["seconds"] = round(state.seconds + time.perf_counter() - began, 3)
            state.history.append(row)
            state.epoch, state.step, state.loss_sum, state.rows_done = state.epoch + 1, 0, 0.0, 0
            state.parts, state.seconds = {}, 0.0
            save(state)
            if fabric.is_global_zero:
                write_epochs(folder / "epochs.csv", state.history)
            board.row(row)
            bar.epoch(row)
    system.load_state_dict(state.best_weights)
    system.float()  # after training in bf16-true, scores and artefacts are of 32 bits again
    return state.history


def write_epochs(path: Path, history: list[dict[str, float]]) -> None:
    """The learning curves as CSV."""
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        columns = dict.fromkeys(key for row in history for key in row)
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(history)


def _validate(
    fabric: Fabric,
    system: System,
    model: nn.Module,
    space: EmotionSpace,
    data: TensorData,
    valid: np.ndarray,
    config: Train,
    pos_weight: Tensor | None,
    state: State,
) -> dict[str, float]:
    told = score(model, space, data, valid, fabric=fabric, **scoring_sizes(system, config))
    logits = torch.from_numpy(told)
    targets = data.targets[torch.as_tensor(valid, device=data.device)].cpu()
    weight = None if pos_weight is None else pos_weight.cpu()
    loss = float(per_utterance(config.loss, logits, targets, weight).mean())
    done = max(state.rows_done, 1)
    row = {"epoch": state.epoch, "train_loss": state.loss_sum / done}
    for name, value in state.parts.items():
        row[f"train_{name}"] = value if name in COUNTS else value / done
    row["valid_loss"] = loss
    both = ("balanced_accuracy", "accuracy") if space.task == "single" else ()
    for name in dict.fromkeys((config.select, *both)):
        if name not in ("loss", "last"):
            value = figure(name, logits.numpy(), targets.numpy(), space.task)
            row[f"valid_{name}"] = value
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
