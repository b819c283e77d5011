"""Checkpoints: the state of a training, from which it resumes after it was killed.

They are read with ``weights_only``, so that a checkpoint cannot run code.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from moodal.core.errors import DataError, OutputError, UsageError
from moodal.core.files import replacing


@dataclass
class State:
    """The progress of a training: the content of a checkpoint besides weights and optimiser."""

    epoch: int = 0
    step: int = 0
    """Steps taken within the epoch."""
    loss_sum: float = 0.0
    rows_done: int = 0
    parts: dict[str, float] = field(default_factory=dict)
    """Sums over the epoch of each part of a multitask system's objective."""
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = -float("inf")
    best_epoch: int = -1
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    rows: dict[str, Tensor] = field(default_factory=dict)
    """The tensors of all rows that the system's objective keeps, see `System.start_rows`."""
    seconds: float = 0.0

    def next_epoch(self) -> None:
        """Go to the start of the next epoch, with empty sums."""
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum, self.rows_done, self.parts = 0.0, 0, {}
        self.seconds = 0.0


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` to ``path`` atomically: a kill leaves the old file or the new one."""
    with replacing(path) as part:
        try:
            torch.save(state, part)
        except RuntimeError as error:  # what torch raises on a full disk
            raise OutputError(f"Cannot write {path}: {error}.") from None


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read the state that `save` wrote.

    Raises:
        DataError: the file is damaged, or is not a checkpoint of moodal.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(
            f"{path} cannot be read as a checkpoint ({str(error).splitlines()[0]}); "
            "delete it to start this training again."
        ) from None
    if not isinstance(state, dict):
        raise DataError(f"{path} is not a checkpoint of moodal; delete it to start again.")
    return state


def saver(
    path: Path, signature: str, system: nn.Module, optimiser: Any, scheduler: Any, fabric: Fabric
) -> Callable[[State], None]:
    """Return a function that writes a training's state, and every process's random state."""

    def keep(state: State) -> None:
        gathered: Any = fabric.all_gather(torch.get_rng_state().to(torch.int64))
        rng = gathered.reshape(fabric.world_size, -1)
        if fabric.is_global_zero:
            content = {
                "signature": signature,
                "state": dict(vars(state)),
                "model": system.state_dict(),
                "optimiser": optimiser.state_dict(),
                "scheduler": scheduler.state_dict(),
                "rng": rng.to(torch.uint8).cpu(),
                "cuda_rng": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
            }
            save(path, content)
        fabric.barrier()

    return keep


def restore(
    path: Path, signature: str, system: nn.Module, optimiser: Any, scheduler: Any, fabric: Fabric
) -> State:
    """Restore a training to the state that `saver` wrote.

    Raises:
        UsageError: the checkpoint is of a training of another signature.
    """
    saved = load(path)
    if saved.get("signature") != signature:
        raise UsageError(
            f"{path.parent} holds a training of another recipe or other data; choose another "
            "--out, or delete that folder."
        )
    system.load_state_dict(saved["model"])
    optimiser.load_state_dict(saved["optimiser"])
    scheduler.load_state_dict(saved["scheduler"])
    rng = saved["rng"]
    torch.set_rng_state(rng[fabric.global_rank % len(rng)].contiguous())
    if saved["cuda_rng"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(saved["cuda_rng"])
    return State(**saved["state"])
