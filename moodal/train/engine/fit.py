"""fit: the one training loop, for every system and every protocol.

A training that is killed at any moment and started again with the same arguments resumes from its
last checkpoint and ends with the same weights, bit by bit (on a CPU).
"""

from __future__ import annotations

import copy
import csv
import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.core.recipe import Train
from moodal.core.targets import JointTargets
from moodal.train.data.buckets import steps
from moodal.train.engine.checkpoint import State, restore, saver
from moodal.train.engine.logs import Bar, TensorBoard
from moodal.train.engine.scoring import numbers, score, scoring_sizes
from moodal.train.engine.selection import figure, merit, recorded
from moodal.train.engine.step import COUNTS, parameters, set_rates, step
from moodal.train.engine.training import Training

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""glibc's numbers for `mallopt`."""


def launch(config: Train) -> Fabric:
    """Start Fabric on the recipe's devices, and the other processes where there are several.

    Raises:
        UsageError: this machine has no such accelerator, or not so many devices.
    """
    strategy: Any = config.strategy
    if strategy == "auto" and config.devices * machines() > 1:
        # EEA's top layer has weights that never see a gradient; no system has buffers that change
        strategy = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)
    keep_freed()
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=machines(),
            strategy=strategy,
            precision=config.precision,  # type: ignore[arg-type]
        )
        fabric.launch()
    except (ValueError, RuntimeError, ImportError) as error:
        # Lightning's MisconfigurationException and torch's device errors end here
        raise UsageError(f"train.accelerator/devices/precision: {error}.") from None
    return fabric


def machines() -> int:
    """Return the number of machines that train together, as torchrun says; 1 without it.

    Raises:
        UsageError: torchrun starts other numbers of processes on some of them.
    """
    world = os.environ.get("WORLD_SIZE", "1")
    if not torch.distributed.is_torchelastic_launched():
        return 1
    each = os.environ.get("LOCAL_WORLD_SIZE", world)
    if int(world) % int(each):
        raise UsageError(
            f"torchrun starts {each} of {world} processes on this machine; --nproc-per-node must "
            "be equal on all machines."
        )
    return int(world) // int(each)


def keep_freed() -> bool:
    """Ask glibc to keep freed memory instead of returning it to the system.

    Each step frees and allocates the same tens of megabytes; by default every page of
    them is returned, fetched and cleared again, about a tenth of a training
    step of EEA on a CPU. The process keeps its peak until it ends.

    Returns:
        Whether glibc agreed; other allocators are left alone.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    # Older versions allow at most 32 MiB for single blocks.
    blocks = mallopt(MMAP_THRESHOLD, 1 << 30) or mallopt(MMAP_THRESHOLD, 32 << 20)
    return bool(blocks) and bool(mallopt(TRIM_THRESHOLD, (1 << 31) - 1))


def fit(training: Training) -> list[dict[str, float]]:
    """Train a system in place; it ends with the weights of the best validation epoch.

    Returns:
        One row per epoch: losses, the selected figure, learning rate, seconds.
    """
    loop = _Loop(training)
    fabric, state = training.fabric, loop.state
    bar = Bar(training.title, loop.total_steps, fabric.is_global_zero)
    board = TensorBoard(training.folder / "tensorboard", state.epoch, fabric.is_global_zero)
    with bar, board:
        bar.at(state.epoch * loop.epoch_steps + state.step)
        while not loop.finished():
            row = loop.epoch(bar)
            if fabric.is_global_zero:
                write_epochs(training.folder / "epochs.csv", state.history)
            board.row(row)
            bar.epoch(row)
    training.system.load_state_dict(state.best_weights)
    training.system.float()  # after bf16-true, scores and artefacts have 32 bits again
    return state.history


class _Loop:
    """A training under way: optimiser, schedule, and the state that checkpoints hold."""

    def __init__(self, training: Training):
        config, fabric, system = training.config, training.fabric, training.system
        torch.manual_seed(config.seed + fabric.global_rank)
        self.training, self.config = training, config
        if not isinstance(training.space, EmotionSpace) or isinstance(training.space, JointTargets):
            system.main_loss = self.main_loss
        self.optimiser = OPTIMISERS[config.optimiser](
            parameters(system, config),
            lr=config.lr,
            weight_decay=config.weight_decay,
            fused=_fits_fused(fabric.device.type, config.precision),
        )
        for group in self.optimiser.param_groups:
            group["full_lr"] = group["lr"]
        self.model: Any
        self.model, self.wrapped = fabric.setup(system, self.optimiser)
        for method in ("scores", "objective"):
            self.model.mark_forward_method(method)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser,
            factor=0.1,
            patience=config.patience if config.patience else config.epochs,
        )
        self.epoch_steps = -(-len(training.train) // (config.batch_size * config.accumulate))
        self.total_steps = config.epochs * self.epoch_steps
        path, stateful = training.folder / "resume.pt", (self.optimiser, self.plateau)
        rows = system.start_rows(len(training.data), training.data.device)
        self.state = State(rows=rows)
        if path.exists():
            self.state = restore(path, training.signature, system, *stateful, fabric)
            for name, kept in rows.items():  # the tensors that the system changes
                kept.copy_(self.state.rows[name])
            self.state.rows = rows
        self.save = saver(path, training.signature, system, *stateful, fabric)

    def main_loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss [B] of a system's scores [B, C] of values, or of emotions with them."""
        return self.training.losses(numbers(scores, self.training.space), targets)

    def finished(self) -> bool:
        """Check whether all epochs are done, or validation has stopped improving."""
        state, patience = self.state, self.config.early_stop
        stale = bool(patience) and state.epoch - 1 - state.best_epoch >= patience
        return state.epoch >= self.config.epochs or stale

    def epoch(self, bar: Bar) -> dict[str, float]:
        """Train one epoch, or the rest of it, validate, and save; return its row."""
        state = self.state
        began = time.perf_counter()
        self.model.train()
        for group in self.groups()[state.step :]:
            self.step(group)
            bar.step(state.loss_sum / state.rows_done)
            if self.config.save_steps and state.step % self.config.save_steps == 0:
                state.seconds += time.perf_counter() - began
                began = time.perf_counter()
                self.save(state)
        row = self.validate()
        row["lr"] = self.optimiser.param_groups[0]["lr"]
        self.plateau.step(row["valid_loss"])
        self.keep_best(row)
        row["seconds"] = round(state.seconds + time.perf_counter() - began, 3)
        state.history.append(row)
        state.next_epoch()
        self.save(state)
        return row

    def groups(self) -> list[list[Tensor]]:
        """Draw the epoch's second views, and the batches of each of its steps."""
        config, data, epoch = self.config, self.training.data, self.state.epoch
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
        data.draw_views(config.seed, epoch)
        return steps(
            torch.as_tensor(self.training.train),
            data.lengths.cpu(),
            size=config.batch_size,
            accumulate=config.accumulate,
            max_frames=config.max_frames * self.training.fabric.world_size,
            generator=generator,
        )

    def step(self, group: list[Tensor]) -> None:
        """Take one optimiser step, and add its losses to the epoch's sums."""
        state = self.state
        number = state.epoch * self.epoch_steps + state.step
        set_rates(self.optimiser, number, self.total_steps, self.config)
        loss, parts = step(self.training, self.model, self.wrapped, group)
        rows = sum(map(len, group))
        state.loss_sum += loss * rows
        for name, value in parts.items():
            state.parts[name] = state.parts.get(name, 0.0) + value
        state.rows_done += rows
        state.step += 1

    def validate(self) -> dict[str, float]:
        """Score the validation rows; return the epoch's losses and figures."""
        training, config, state = self.training, self.config, self.state
        space, data, rows = training.space, training.data, training.valid
        sizes = scoring_sizes(training.system, config)
        scores = score(self.model, space, data, rows, fabric=training.fabric, **sizes)
        logits = torch.from_numpy(scores)
        if training.shift is not None:
            logits = logits + training.shift[torch.as_tensor(rows)].to(logits.device)
        targets = data.targets[torch.as_tensor(rows, device=data.device)].cpu()
        done = max(state.rows_done, 1)
        row = {"epoch": state.epoch, "train_loss": state.loss_sum / done}
        for name, value in state.parts.items():
            row[f"train_{name}"] = value if name in COUNTS else value / done
        row["valid_loss"] = float(training.losses(logits, targets).mean())
        both = ("balanced_accuracy", "accuracy") if space.task == "single" else ()
        for name in dict.fromkeys((config.select, *both)):
            if name not in ("loss", "last"):
                row[f"valid_{name}"] = figure(name, scores, targets.numpy(), space)
        for name in config.record:
            row |= recorded(name, scores, targets.numpy(), space)
        return row

    def keep_best(self, row: dict[str, float]) -> None:
        """Keep a copy of the weights where the selected figure is the best so far."""
        state, value = self.state, merit(self.config.select, row)
        if value > state.best or state.best_epoch < 0:
            weights = self.training.system.state_dict()
            state.best, state.best_epoch = value, state.epoch
            state.best_weights = copy.deepcopy({k: v.detach().cpu() for k, v in weights.items()})


def _fits_fused(device: str, precision: str) -> bool:
    """Return whether an optimiser may update all weights in one kernel.

    On a CPU that takes a quarter of the time. Where half precision scales the gradients, it and
    clipping exclude each other.
    """
    return device in ("cpu", "cuda") and not precision.startswith("16")


def write_epochs(path: Path, history: list[dict[str, float]]) -> None:
    """Write the learning curves as CSV."""
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        columns = dict.fromkeys(key for row in history for key in row)
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(history)
