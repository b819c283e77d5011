"""Training: what the training loop needs to know of one training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.core.recipe import Train
from moodal.core.targets import JointTargets
from moodal.train.data.dataset import TensorData
from moodal.train.layers.losses import per_utterance
from moodal.train.systems.system import System

Constrain = Callable[[Fabric, nn.Module], None]
"""Changes the gradients between the backward pass and the optimiser's step (GEM's projection)."""


@dataclass(frozen=True)
class Training:
    """One training of a system on rows of tensors.

    Folds, held-out emotions and shots are settled before: the loop sees rows, a space and a loss.

    Attributes:
        fabric: devices, processes and precision.
        system: what is trained, in place.
        space: the emotions of ``data.targets``, with vectors where the system uses them.
        data: the corpus as tensors.
        train, valid: rows of ``data``.
        config: the recipe's [train] section.
        folder: receives ``resume.pt``, ``epochs.csv`` and ``tensorboard/``.
        weight: [C] what the loss weighs the columns by, see `moodal.train.layers.losses`.
        shift: [N, C] by how much the logits of each row of ``data`` are moved before the loss.
        row_weights: [N] how much each row of ``data`` counts in training.
        constrain: see `Constrain`.
        signature: identifies what is trained; a checkpoint of another signature is refused.
        title: the heading of the progress bar.
    """

    fabric: Fabric
    system: System
    space: Targets
    data: TensorData
    train: np.ndarray
    valid: np.ndarray
    config: Train
    folder: Path
    weight: Tensor | None = None
    shift: Tensor | None = None
    row_weights: Tensor | None = None
    constrain: Constrain | None = None
    signature: str = ""
    title: str = "training"

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the recipe's loss of each row: [B].

        Of emotions with values it is L(words) + w L(values), with the recipe's ``loss``,
        ``value_loss`` and ``value_weight``.

        Args:
            logits: [B, C] logits of emotions and numbers of values.
            targets: [B, C].
        """
        config, weight = self.config, None
        if self.weight is not None:
            weight = self.weight.to(logits.device)
        if not isinstance(self.space, JointTargets):
            return per_utterance(config.loss, logits, targets, weight)
        count = len(self.space.words)
        parts = [
            per_utterance(name, logits[:, own], targets[:, own], weight[own])
            if weight is not None
            else per_utterance(name, logits[:, own], targets[:, own])
            for name, own in (
                (config.loss, slice(count)),
                (config.value_loss, slice(count, None)),
            )
        ]
        return parts[0] + config.value_weight * parts[1]
