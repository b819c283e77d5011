"""Layered: what all networks with a stack of transformer layers share.

A learned sum of layers (Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark",
Interspeech 2021), adapters (`moodal.train.backbones.lora`), frozen parts, and the depth of each
parameter, by which its learning rate may fall (Howard & Ruder, "Universal Language Model
Fine-tuning for Text Classification", ACL 2018).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from moodal.core.errors import UsageError
from moodal.train.backbones.lora import add_adapters, merge_adapters
from moodal.train.backbones.settings import Backbone, Lora


class LayerSum(nn.Module):
    """The mean of layers by learned shares: sum over l of softmax(w)_l x_l.

    Args:
        count: L, of the layers.
    """

    def __init__(self, count: int):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(count))

    def forward(self, states: Tensor) -> Tensor:
        """Compute [.., L, H] -> [.., H]."""
        return (self.shares.to(states.dtype)[:, None] * states).sum(-2)

    @property
    def shares(self) -> Tensor:
        """The share [L] of each layer; they sum to 1."""
        return self.weights.softmax(0)


class SideBySide(nn.Module):
    """The layers as they are, side by side, for encoders that store all of them."""

    def forward(self, states: Tensor) -> Tensor:
        """Compute [.., L, H] -> [.., L H]."""
        return states.flatten(-2)


class Layered(nn.Module):
    """The base class of networks with a stack of transformer layers.

    Attributes:
        stream: the modality that it reads.
        settings: of the backbone, with its architecture and without adapters, which are merged
            after training: a network can be built again from them.
        width: H, of the states.
        place: the attribute path of the stack; "" where there is no network.
        above: attribute paths, from ``place``'s parent, of what follows the stack.
        frozen: attribute paths, from ``model``, of what computes as in evaluation.
        layer_sum: a `LayerSum` or `SideBySide`; None: the last layer's states are used.
        adapted: whether it has adapters.
    """

    stream: ClassVar[str]
    settings: Backbone
    width: int
    place: str = ""
    above: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.frozen: list[str] = []
        self.layer_sum: nn.Module | None = None
        self.adapted = False

    def stack(self) -> nn.ModuleList:
        """Return the layers that are used, from below."""
        return cast(nn.ModuleList, self.get_submodule(self.place))

    def read_stored(self, width: int) -> None:
        """Read features as they are; with ``stored_layers``, the sum of the layers in them.

        Args:
            width: values a step.

        Raises:
            UsageError: the settings need a network, or the width is of other layers.
        """
        settings, count = self.settings, self.settings.stored_layers
        if settings.only_layer is not None and not count:
            raise UsageError("only_layer chooses among stored layers; set stored_layers, too.")
        if settings.layer_sum or settings.lora.rank:
            name = "layer_sum" if settings.layer_sum else "lora"
            raise UsageError(
                f"{name} is for a network, which path names; for stored features of several layers "
                "set stored_layers."
            )
        self.width = width
        if not count:
            return
        if width % count:
            raise UsageError(
                f"stored_layers = {count}: the {self.stream} features are {width} wide, which is "
                f"no multiple of {count}; {self.stream}-layers stores one state more than a "
                "network has layers."
            )
        self.width = width // count
        if settings.only_layer is None:
            self.layer_sum = LayerSum(count)
        elif settings.only_layer >= count:
            raise UsageError(
                f"only_layer = {settings.only_layer}: {count} layers are stored, counted from 0."
            )

    def stored(self, values: Tensor) -> Tensor:
        """Compute what the features [.., D] are read as, [.., H]."""
        if not self.settings.stored_layers:
            return values
        layers = values.unflatten(-1, (-1, self.width))
        if self.settings.only_layer is not None:
            return layers[..., self.settings.only_layer, :]
        assert self.layer_sum is not None
        return cast(Tensor, self.layer_sum(layers))

    def adjust(self, freeze: int = 0) -> None:
        """Add the adapters and the learned sum that the settings ask for; weights are in place.

        Args:
            freeze: layers of the stack, from below, that get no adapters; -1: all.

        Raises:
            UsageError: they cannot, or the settings contradict each other.
            MissingDependencyError: the package peft is not installed.
        """
        settings = self.settings
        if settings.stored_layers or settings.only_layer is not None:
            raise UsageError(
                "stored_layers is for features of several layers, which are read as they are; "
                "leave path out, or set layer_sum instead."
            )
        if settings.layer_sum or settings.lora.rank:
            self.require_stack("layer_sum and lora")
        if settings.lora.rank:
            if freeze == -1:
                raise UsageError(
                    "lora adapts layers that freeze = -1 would keep as they are; leave freeze "
                    "out, or give the number of layers without adapters."
                )
            add_adapters(self, self.place, settings.lora, freeze)
            self.settings = settings.model_copy(update={"lora": Lora()})
            self.adapted = True
        if settings.layer_sum:
            self.layer_sum = LayerSum(len(self.stack()) + 1)

    def require_stack(self, name: str) -> None:
        """Check that the network's layers can be counted, which ``name`` needs.

        Raises:
            UsageError: they cannot.
        """
        if not self.place:
            path = self.settings.path or "this network"
            raise UsageError(f"The layers of {path} cannot be counted here; leave {name} out.")

    def merge(self) -> None:
        """Add the adapters to the weights that they adapt, so that plain layers are left.

        The names of all tensors are then those of a network without adapters.
        """
        if self.adapted:
            merge_adapters(self)
            self.adapted = False

    def train(self, mode: bool = True) -> Layered:
        """Set the mode; frozen parts always compute as in evaluation."""
        super().train(mode)
        for part in self.frozen:
            self.get_submodule(f"model.{part}".rstrip(".")).eval()
        return self

    def trained_parameters(self) -> list[nn.Parameter]:
        """List the network's parameters that train; a learned sum is a part of the head."""
        own = {id(p) for p in self.layer_sum.parameters()} if self.layer_sum else set()
        return [p for p in self.parameters() if p.requires_grad and id(p) not in own]

    def depths(self) -> dict[nn.Parameter, int]:
        """Return the number of layers above each parameter that trains; of the top layer, 0."""
        if not self.place:
            return {}
        count, (parent, _, _) = len(self.stack()), self.place.rpartition(".")
        above = tuple(f"{parent}.{name}.".lstrip(".") for name in self.above)
        own = {id(p) for p in self.trained_parameters()}
        depths: dict[nn.Parameter, int] = {}
        for name, parameter in self.named_parameters():
            if id(parameter) not in own:
                continue
            depth = 0 if name.startswith(above) else count
            if name.startswith(f"{self.place}."):
                layer = name.removeprefix(f"{self.place}.").partition(".")[0]
                depth = count - 1 - int(layer)
            depths[parameter] = depth
        return depths

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[Tensor]]:
        """Record the states of all layers while the network runs: what enters the first, and each.

        The list stays empty where no learned sum needs them.
        """
        states: list[Tensor] = []
        handles = []
        if self.layer_sum is not None:
            layers = self.stack()
            handles.append(
                layers[0].register_forward_pre_hook(
                    lambda _, args, named: states.append(args[0] if args else next(_states(named))),
                    with_kwargs=True,
                )
            )
            handles += [
                layer.register_forward_hook(
                    lambda _, args, out: states.append(out[0] if isinstance(out, tuple) else out)
                )
                for layer in layers
            ]
        try:
            yield states
        finally:
            for handle in handles:
                handle.remove()

    def summed(self, states: Sequence[Tensor], last: Tensor) -> Tensor:
        """Compute the learned sum of recorded states, each [.., H]; ``last`` without such a sum.

        Args:
            last: the network's output, which stands for the last layer's states.
        """
        if self.layer_sum is None:
            return last
        return cast(Tensor, self.layer_sum(torch.stack([*states[:-1], last], -2)))


def _states(named: dict[str, Tensor]) -> Iterator[Tensor]:
    """Yield the tensors among a layer's named arguments that may be its states."""
    return (named[name] for name in ("hidden_states", "x") if name in named)
