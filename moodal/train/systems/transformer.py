"""Early-fusion Transformer, a baseline of the EEA paper, with its faults corrected.

Dai et al., AACL-IJCNLP 2020 (arXiv 2009.09629), section 4.2, after the authors'
public code, in which inputs were fixed at 409 values, there was one output, and
positions indexed the batch.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.core.strict import Strict
from moodal.train.data.batch import Streams, join_steps
from moodal.train.layers.attention import sinusoids
from moodal.train.systems.system import (
    StreamNames,
    System,
    require_all,
    require_space,
    require_widths,
)


class Config(Strict):
    """The paper's values; ``last_column`` averages over the whole padded batch, valid or not."""

    streams: StreamNames = ("text", "speech", "face")
    width: int = Field(160, ge=4)
    layers: int = Field(4, ge=1)
    heads: int = Field(8, ge=1)
    feedforward: int = Field(2048, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    last_column: bool = False

    @model_validator(mode="after")
    def _divides(self) -> Config:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self


class EarlyFusionTransformer(System):
    """A Transformer over streams joined per step, its mean over time, and a closed-set head.

    Args:
        labels: the C emotions of the head.
        widths: stream -> D, in the order in which they are joined.
        width: D of the model; ``heads`` must divide it.
        last_column: treat padding as valid steps.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        widths: Mapping[str, int],
        *,
        width: int,
        layers: int,
        heads: int,
        feedforward: int,
        dropout: float,
        last_column: bool,
    ):
        super().__init__()
        self.labels, self.streams, self.width = labels, tuple(widths), width
        self.last_column = last_column
        self.embed = nn.Linear(sum(widths.values()), width)
        layer = nn.TransformerEncoderLayer(width, heads, feedforward, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.out = nn.Sequential(
            nn.Linear(width, width // 2),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(width // 2, len(labels)),
        )

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: a stream is absent for some utterance.
            DataError: the streams have different lengths.
        """
        require_space("transformer", self.labels, space)
        require_all("transformer", self.streams, streams)
        joined = join_steps({m: streams[m] for m in self.streams}, "mult")
        x, mask = joined.values, joined.mask
        if self.last_column:
            mask = torch.ones_like(mask)
        positions = torch.arange(1, x.shape[1] + 1, device=x.device)
        x = self.embed(x)
        x = x + sinusoids(positions, self.width).to(x.dtype)
        x = self.encoder(x, src_key_padding_mask=~mask)
        weights = mask / mask.sum(1, keepdim=True)
        logits: Tensor = self.out(torch.einsum("bt,btd->bd", weights.to(x.dtype), x))
        return logits


def build(config: Config, widths: Mapping[str, int], space: Targets) -> EarlyFusionTransformer:
    """Build a Transformer for a corpus's streams (stream -> D) and the emotions of ``space``.

    Raises:
        MissingStreamError: the corpus lacks a modality that ``config.streams`` names.
    """
    own_widths = require_widths("transformer", config.streams, widths)
    settings = config.model_dump(exclude={"streams"})
    system = EarlyFusionTransformer(space.labels, own_widths, **settings)
    system.portable = config
    return system
