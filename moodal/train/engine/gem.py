"""GEM: few-shot adaptation that does not forget the seen emotions.

It is one of the three ways of EEA's section 4.4; the others are plain fine-tuning on the shots,
and joint training with the rows of the seen emotions.
"""

from __future__ import annotations

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.train.data.dataset import TensorData
from moodal.train.layers.losses import per_utterance


class Gem:
    """Gradient episodic memory with one past task: the loss on seen emotions must not grow.

    Lopez-Paz & Ranzato, "Gradient Episodic Memory for Continual Learning", NeurIPS 2017. Where
    the step's gradient g points against the memory's gradient m (g.m < 0), it becomes g + v m
    with v = max(margin, -g.m / m.m): the solution of the paper's quadratic program (eq. 11) for
    a single constraint. The memory's rows are drawn from torch's own random state, which
    checkpoints hold.

    Args:
        space: the seen emotions.
        data: their targets [N, C_seen] over the same utterances.
        rows: the memory.
        size: rows of the memory drawn per step.
        loss: a name of `moodal.train.layers.losses`.
        margin: the published 0.01.
    """

    def __init__(
        self,
        space: Targets,
        data: TensorData,
        rows: np.ndarray,
        *,
        size: int,
        loss: str,
        margin: float = 0.01,
    ):
        self.space, self.data, self.rows = space, data, torch.as_tensor(rows)
        self.size, self.loss, self.margin = size, loss, margin

    def __call__(self, fabric: Fabric, model: nn.Module) -> None:
        """Project the gradients that ``model`` holds."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        step = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]
        model.zero_grad()
        batch = self.data.batch(self.rows[torch.randperm(len(self.rows))[: self.size]])
        logits = model(batch.streams, self.space)
        fabric.backward(per_utterance(self.loss, logits, batch.targets).mean())
        memory = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        for parameter, gradient in zip(parameters, project(step, memory, self.margin), strict=True):
            parameter.grad = gradient


def project(step: list[Tensor], memory: list[Tensor], margin: float) -> list[Tensor]:
    """Turn the gradient ``step`` until it no longer points against ``memory``.

    >>> a, b = [torch.tensor([1.0, -1.0])], [torch.tensor([0.0, 1.0])]
    >>> project(a, b, 0.0)[0].tolist()
    [1.0, 0.0]
    """
    along = sum(float((g * m).sum()) for g, m in zip(step, memory, strict=True))
    if along >= 0:
        return step
    size = sum(float((m * m).sum()) for m in memory)
    v = max(margin, -along / size)
    return [g + v * m for g, m in zip(step, memory, strict=True)]
