"""Backbone: the section of a recipe that names a pre-trained network and how it is trained."""

from __future__ import annotations

import operator
from typing import Any

from pydantic import Field

from moodal.core.errors import UsageError
from moodal.core.strict import Strict


class Lora(Strict):
    """Adapters beside frozen matrices, see `moodal.train.backbones.lora`."""

    rank: int = Field(default=0, ge=0)
    """r, the width of an adapter (0: no adapters)."""
    alpha: int = Field(default=0, ge=0)
    """The adapter's product is multiplied by alpha / r (0: 2 r)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """The share of an adapter's input that is dropped in training."""
    modules: list[str] = Field(default_factory=list)
    """Names of the matrices that are adapted, in every layer ([]: queries and values)."""


class Backbone(Strict):
    """A system's ``speech = {...}`` or ``text = {...}`` section."""

    path: str = ""
    """An embedded network ("whisper-tiny", "minilm", ...), a folder, or a name in the local hub
    cache; "": the features are used as they are, frozen."""
    layers: int = Field(default=0, ge=0)
    """Transformer layers used, counted from below (0: all)."""
    freeze: int = Field(default=0, ge=-1)
    """Layers, counted from below, that keep their weights, as does all below them (-1: all)."""
    layer_sum: bool = Field(default=False, exclude_if=operator.not_)
    """The states are a sum over all layers used, and what enters the first, by learned shares,
    instead of the last layer's (Yang et al. 2021)."""
    stored_layers: int = Field(default=0, ge=0, exclude_if=operator.not_)
    """Without a path: the features are the states of so many layers side by side, as the encoders
    speech-layers and text-layers store them, and are summed by learned shares."""
    only_layer: int | None = Field(default=None, ge=0, exclude_if=lambda layer: layer is None)
    """Use this one of the stored layers, counted from 0, instead of their sum."""
    lora: Lora = Field(default=Lora(), exclude_if=lambda lora: not lora.rank)
    """Adapters that train instead of the network's own weights."""
    time_masks: float = Field(default=0.0, ge=0, lt=1)
    """SpecAugment (Park et al. 2019), in training only: the share of frames masked (0: off)."""
    time_length: int = Field(default=10, ge=1)
    """Frames of one time mask."""
    feature_masks: float = Field(default=0.0, ge=0, lt=1)
    """The share of values masked, the same values in all frames of a clip (0: off)."""
    feature_length: int = Field(default=16, ge=1)
    """Values of one feature mask."""
    architecture: dict[str, Any] = Field(default_factory=dict)
    """The network's sizes, as in its config.json; filled in when a system is exported or imported,
    so that it can be built again without the files of ``path``."""

    def require(self, stream: str, kind: str) -> None:
        """Check that a network is named, which a stream of samples or token ids needs.

        Raises:
            UsageError: none is.
        """
        if not (self.path or self.architecture):
            raise UsageError(
                f"The {stream} of this corpus is {kind}, which a backbone must read: set "
                f"system.{stream}.path, or prepare the corpus with an encoder that gives features."
            )
