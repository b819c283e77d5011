"""TFN: the Tensor Fusion Network, which multiplies the modalities' embeddings with each other.

Amir Zadeh, Minghai Chen, Soujanya Poria, Erik Cambria, Louis-Philippe Morency: "Tensor Fusion
Network for Multimodal Sentiment Analysis", EMNLP 2017, arXiv 1707.07250. Equations, tests and
known deviations are listed in docs/papers/tfn.md.

Symbols: l, a, v the streams text, speech and face; h_l the LSTM's state of a text; z^m [d_m] the
embedding of modality m, from its subnetwork U_m; z the outer product of all [z^m ; 1]; U_s the
network that infers the labels from z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.emotions import Targets
from moodal.core.strict import Strict
from moodal.train.data.batch import Stream, Streams
from moodal.train.layers.pooling import masked_mean
from moodal.train.layers.recurrent import Recurrent
from moodal.train.systems.system import (
    StreamNames,
    System,
    complete_widths,
    require_all,
    require_space,
    require_widths,
)

EMBEDDING = {"text": 128, "speech": 32, "face": 32}
"""d_m: the width of each modality's embedding."""

OTHER_EMBEDDING = 32
"""That of a modality that the paper does not have."""

CELLS = 1 << 21
"""The most values of the fused tensor; at 128 units, 268 million weights read it."""


class Config(Strict):
    """The paper's values; ``embedding`` names the width of each modality's embedding."""

    streams: StreamNames = ("text", "speech", "face")
    hidden: int = Field(128, ge=1)
    """Width of the LSTM that reads text."""
    embedding: dict[str, int] = Field(EMBEDDING, validate_default=True)
    layers: int = Field(3, ge=1)
    """Hidden layers of the subnetworks of speech and face."""
    width: int = Field(128, ge=1)
    """Units of each of the two hidden layers of U_s."""
    dropout: float = Field(0.15, ge=0, lt=1)

    _complete = field_validator("embedding")(complete_widths(EMBEDDING, OTHER_EMBEDDING))

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if len(self.streams) < 2:
            raise ValueError("tfn multiplies modalities with each other: name at least two")
        cells = math.prod(self.embedding[m] + 1 for m in self.streams)
        if cells > CELLS:
            raise ValueError(
                f"the product of {', '.join(self.streams)} has {cells:,} values, above {CELLS:,}: "
                "set smaller widths in embedding"
            )
        return self


class TFN(System):
    """Embeddings of each modality, their outer product, and a closed-set head.

    Args:
        labels: the C emotions or values of the head.
        widths: stream -> D, two or more, in the order of the product.
        hidden: width of the LSTM of text.
        embedding: stream -> d_m.
        layers: hidden layers of U_m of the other streams.
        width: units of U_s.
        dropout: on all hidden layers.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        widths: Mapping[str, int],
        *,
        hidden: int,
        embedding: Mapping[str, int],
        layers: int,
        width: int,
        dropout: float,
    ):
        super().__init__()
        self.labels, self.streams, self.dropout = labels, tuple(widths), dropout
        # 4.1, the modality embedding subnetworks
        self.rnn = nn.ModuleDict({m: Recurrent(widths[m], hidden) for m in widths if m == "text"})
        self.embed = nn.ModuleDict(
            {
                m: _layers(hidden if m == "text" else d, embedding[m], 1 if m == "text" else layers)
                for m, d in widths.items()
            }
        )
        # 4.3, the sentiment inference subnetwork
        cells = math.prod(embedding[m] + 1 for m in self.streams)
        self.inner = _layers(cells, width, 2)
        self.out = nn.Linear(width, len(labels))

    def embedding(self, m: str, stream: Stream) -> Tensor:
        """Compute z^m [B, d_m]: U_m of the text's last state, or of the mean over time."""
        if m == "text":
            states: Tensor = self.rnn[m](stream.values, stream.lengths)
            return self._hidden(self.embed[m], states.flatten(1))
        return self._hidden(self.embed[m], masked_mean(stream.values, stream.mask))

    def fuse(self, embeddings: Mapping[str, Tensor]) -> Tensor:
        """Compute z [B, product of d_m + 1] (4.2), the flattened outer product of all [z^m ; 1].

        Its parts are each z^m by itself, the products of two, and those of all.
        """
        fused: Tensor | None = None
        for m in self.streams:
            one = F.pad(embeddings[m], (0, 1), value=1.0)
            fused = one if fused is None else torch.einsum("bi,bj->bij", fused, one).flatten(1)
        assert fused is not None
        return fused

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the outputs [B, C] of the trained emotions or values.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: a stream is absent for some utterance.
        """
        require_space("tfn", self.labels, space)
        require_all("tfn", self.streams, streams)
        z = self.fuse({m: self.embedding(m, streams[m]) for m in self.streams})
        out: Tensor = self.out(self._hidden(self.inner, z))
        return out

    def _hidden(self, layers: nn.Module, x: Tensor) -> Tensor:
        """Apply layers of ReLU units, each with dropout."""
        for layer in layers.children():
            x = F.dropout(layer(x).relu(), self.dropout, self.training)
        return x


def _layers(inputs: int, width: int, count: int) -> nn.ModuleList:
    sizes = [inputs, *[width] * count]
    return nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))


def build(config: Config, widths: Mapping[str, int], space: Targets) -> TFN:
    """Build a TFN for a corpus's streams (stream -> D) and the labels of ``space``.

    Raises:
        MissingStreamError: the corpus lacks a modality that ``config.streams`` names.
    """
    own_widths = require_widths("tfn", config.streams, widths)
    system = TFN(space.labels, own_widths, **config.model_dump(exclude={"streams"}))
    system.portable = config
    return system
