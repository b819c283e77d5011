"""Convolutions that are right on every processor, in bfloat16 too.

PyTorch's kernels (oneDNN) give wrong sums for some small or grouped convolutions in bfloat16 on
processors with AMX: https://github.com/pytorch/pytorch/issues/163347. With PyTorch 2.13 these were
convolutions with an even number of input channels per group, up to 14, whose kernel is at least 8
wide; the narrower or taller kernels, odd numbers and 16 or more channels that were tried, and all
gradients, were right.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

FEW, WIDE = 16, 8
"""Convolutions of fewer input channels per group, with a kernel at least so wide, may be wrong."""


class _SingleOnCpu:
    """A convolution that autocast does not round on the CPU."""

    def forward(self, values: Tensor) -> Tensor:
        compute = super().forward  # type: ignore[misc]
        if values.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return compute(values)
        with torch.autocast("cpu", enabled=False):
            return compute(values.float())


def compute_singly(model: nn.Module) -> None:
    """Let the convolutions that may be wrong compute in single precision on the CPU.

    Their weights, names and results on other devices stay as they are.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d) and _may_be_wrong(module):
            module.__class__ = _single(cast(Any, type(module)))


def _may_be_wrong(module: nn.Conv1d | nn.Conv2d) -> bool:
    if isinstance(module, _SingleOnCpu):
        return False
    return module.in_channels // module.groups < FEW and module.kernel_size[-1] >= WIDE


@cache
def _single(kind: type[Any]) -> type[Any]:
    return type(f"Single{kind.__name__}", (_SingleOnCpu, kind), {})
