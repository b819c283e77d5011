"""Convolutions that are right on every processor, in bfloat16 too.

PyTorch's kernels (oneDNN) give wrong sums for some small or grouped convolutions in bfloat16 on
processors with AMX: https://github.com/pytorch/pytorch/issues/163347.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn


class _SingleOnCpu:
    """A convolution that autocast does not round on the CPU."""

    def forward(self, values: Tensor) -> Tensor:
        compute = super().forward  # type: ignore[misc]
        if values.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return compute(values)
        with torch.autocast("cpu", enabled=False):
            return compute(values.float())


def compute_singly(model: nn.Module) -> None:
    """Let all convolutions of a model compute in single precision on the CPU, under autocast too.

    Their weights, names and results on other devices stay as they are.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d) and not isinstance(module, _SingleOnCpu):
            module.__class__ = _single(cast(Any, type(module)))


@cache
def _single(kind: type[Any]) -> type[Any]:
    return type(f"Single{kind.__name__}", (_SingleOnCpu, kind), {})
