"""LoRA: small adapters beside frozen matrices, by the package peft.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022: W x becomes
W x + (alpha / r) B A x with A [r, D] random and B [H, r] zero at first; only A and B train.
After training the product is added to W, so that an artefact holds plain matrices and needs
no further package.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from moodal.core.errors import MissingDependencyError, UsageError, installation
from moodal.train.backbones.settings import Lora

PAIRS = (("q_proj", "v_proj"), ("query", "value"), ("q_lin", "v_lin"), ("q", "v"))
"""Names of the matrices of queries and values, by family; the paper adapts these two."""


def add_adapters(root: nn.Module, place: str, lora: Lora, freeze: int) -> None:
    """Freeze a network, and add adapters to matrices of its layers.

    Args:
        place: the attribute path of the stack of layers.
        lora: rank, scale, dropout, and the names of the matrices.
        freeze: layers, counted from below, that get no adapters.

    Raises:
        MissingDependencyError: the package peft is not installed.
        UsageError: no matrix has such a name, or no layer is left.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"lora needs the package peft; {installation('lora')}."
        ) from None
    layers = root.get_submodule(place)
    linear = [name for name, module in layers.named_modules() if isinstance(module, nn.Linear)]
    kinds = list(dict.fromkeys(name.rpartition(".")[2] for name in linear))
    pairs = (set(pair) for pair in PAIRS if set(pair) <= set(kinds))
    wanted = set(lora.modules) or next(pairs, set())
    if not wanted or (unknown := sorted(wanted - set(kinds))):
        what = f"no matrix {', '.join(unknown)}" if wanted else "no queries and values by name"
        raise UsageError(
            f"The layers of this network have {what}; let lora.modules name some of "
            f"{', '.join(kinds)}."
        )
    targets = [
        f"{place}.{name}"
        for name in linear
        if name.rpartition(".")[2] in wanted and int(name.partition(".")[0]) >= freeze
    ]
    if not targets:
        raise UsageError(f"freeze = {freeze} leaves no layer for lora; lower it.")
    root.requires_grad_(False)
    inject_adapter_in_model(
        LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha or 2 * lora.rank,
            lora_dropout=lora.dropout,
            target_modules=targets,
        ),
        root,
    )


def merge_adapters(root: Any) -> None:
    """Add all adapters of a network to their matrices, and leave plain layers."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted = [(n, m) for n, m in root.named_modules() if isinstance(m, BaseTunerLayer)]
    for name, module in adapted:
        module.merge()
        parent, _, attribute = name.rpartition(".")
        setattr(root.get_submodule(parent), attribute, module.get_base_layer())
    del root.peft_config
