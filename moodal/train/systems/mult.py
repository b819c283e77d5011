"""MulT: the Multimodal Transformer for unaligned language sequences.

Yao-Hung Hubert Tsai, Shaojie Bai, Paul Pu Liang, J. Zico Kolter, Louis-Philippe
Morency, Ruslan Salakhutdinov: "Multimodal Transformer for Unaligned Multimodal
Language Sequences", ACL 2019, arXiv 1906.00295; a baseline of the EEA paper. As
published it does not run on current PyTorch, and reads padding as data; here
padding is masked and the last valid step is read, unless ``last_column``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.emotions import Targets
from moodal.core.strict import Strict
from moodal.train.data.batch import Stream, Streams
from moodal.train.layers.attention import CrossEncoder
from moodal.train.layers.convolution import compute_singly
from moodal.train.systems.system import (
    StreamNames,
    System,
    require_all,
    require_space,
    require_widths,
)

KERNELS = {"text": 3, "speech": 5, "face": 3}
"""Steps of the kernel of each temporal convolution."""

OTHER_KERNEL = 3
"""Those of a modality that the paper does not have."""

Share = Annotated[float, Field(ge=0, lt=1)]


class Config(Strict):
    """The EEA authors' values for IEMOCAP.

    ``attention_dropout`` is per attended stream, and 0 for one that the paper does not have.
    """

    streams: StreamNames = ("text", "speech", "face")
    width: int = Field(40, ge=4)
    heads: int = Field(10, ge=1)
    layers: int = Field(4, ge=1)
    attention_dropout: dict[str, Share] = Field({"text": 0.25, "speech": 0.0, "face": 0.0})
    relu_dropout: Share = 0.1
    residual_dropout: Share = 0.1
    embed_dropout: Share = 0.3
    out_dropout: Share = 0.1
    attention_mask: bool = False
    last_column: bool = False

    @model_validator(mode="after")
    def _goes_together(self) -> Config:
        if len(self.streams) < 2:
            raise ValueError("mult attends from one stream to another: name at least two")
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        if missing := [m for m in self.streams if m in KERNELS and m not in self.attention_dropout]:
            raise ValueError(f"attention_dropout lacks {', '.join(missing)}")
        return self


class _Projected(NamedTuple):
    """A stream after its convolution: x [B, T, width], mask [B, T] or None, lengths [B]."""

    x: Tensor
    mask: Tensor | None
    lengths: Tensor | None


class MulT(System):
    """Attention from every modality to every other, joined last steps, and a closed-set head.

    Args:
        labels: the C emotions of the head.
        widths: stream -> D, two or more, in the order in which they are joined.
        width, heads, layers: of the crossmodal Transformers; the self-attention ones
            have at least 3 layers.
        attention_dropout: stream -> dropout of attention to it, else 0; the self-attention
            Transformers take that of text.
        attention_mask: steps may not attend to later ones.
        last_column: treat padding as data and read the last column, as published.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        widths: Mapping[str, int],
        *,
        width: int,
        heads: int,
        layers: int,
        attention_dropout: Mapping[str, float],
        relu_dropout: float,
        residual_dropout: float,
        embed_dropout: float,
        out_dropout: float,
        attention_mask: bool,
        last_column: bool,
    ):
        super().__init__()
        self.labels, self.streams = labels, tuple(widths)
        self.embed_dropout, self.out_dropout = embed_dropout, out_dropout
        self.last_column = last_column

        def encoder(d: int, depth: int, attention: float) -> CrossEncoder:
            return CrossEncoder(
                d,
                heads,
                depth,
                attention=attention,
                relu=relu_dropout,
                residual=residual_dropout,
                embed=embed_dropout,
                causal=attention_mask,
            )

        # 3.2, temporal convolutions
        self.conv = nn.ModuleDict(
            {m: nn.Conv1d(widths[m], width, _kernel(m), bias=False) for m in self.streams}
        )
        compute_singly(self.conv)
        # crossmodal Transformers: in "text_speech" text attends to speech
        self.cross = nn.ModuleDict(
            {
                f"{m}_{other}": encoder(width, layers, attention_dropout.get(other, 0.0))
                for m in self.streams
                for other in self.streams
                if other != m
            }
        )
        # self-attention over each modality's attended streams, and the prediction
        both = width * (len(self.streams) - 1)
        memory = attention_dropout.get("text", 0.0)
        self.memory = nn.ModuleDict(
            {m: encoder(both, max(layers, 3), memory) for m in self.streams}
        )
        joined = both * len(self.streams)
        self.proj1 = nn.Linear(joined, joined)
        self.proj2 = nn.Linear(joined, joined)
        self.out_layer = nn.Linear(joined, len(labels))

    def project(self, m: str, stream: Stream) -> _Projected:
        """Convolve one stream; the result has k - 1 steps fewer, but at least one.

        A sequence shorter than its kernel is padded with zeros to the kernel's width.
        """
        kernel = _kernel(m)
        values, lengths, mask = stream.values, None, None
        if not self.last_column:
            values = values * stream.mask[:, :, None]
            lengths = (stream.lengths - kernel + 1).clamp(min=1)
        if m == "text":  # as published: words are dropped out before they are convolved
            values = F.dropout(values, self.embed_dropout, self.training)
        values = F.pad(values, (0, 0, 0, max(kernel - values.shape[1], 0)))
        x = self.conv[m](values.transpose(1, 2)).transpose(1, 2)
        if lengths is not None:
            mask = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        return _Projected(x, mask, lengths)

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: a stream is absent for some utterance.
        """
        require_space("mult", self.labels, space)
        require_all("mult", self.streams, streams)
        projected = {m: self.project(m, streams[m]) for m in self.streams}
        last = []
        for m in self.streams:
            x, mask, lengths = projected[m]
            attended = [
                self.cross[f"{m}_{other}"](x, mask, projected[other].x, projected[other].mask)
                for other in self.streams
                if other != m
            ]
            steps = self.memory[m](torch.cat(attended, 2), mask)
            if lengths is None:
                last.append(steps[:, -1])
            else:
                last.append(steps[torch.arange(len(steps), device=steps.device), lengths - 1])
        h = torch.cat(last, 1)
        inner = F.dropout(self.proj1(h).relu(), self.out_dropout, self.training)
        logits: Tensor = self.out_layer(h + self.proj2(inner))
        return logits


def _kernel(m: str) -> int:
    return KERNELS.get(m, OTHER_KERNEL)


def build(config: Config, widths: Mapping[str, int], space: Targets) -> MulT:
    """Build a MulT for a corpus's streams (stream -> D) and the emotions of ``space``.

    Raises:
        MissingStreamError: the corpus lacks a modality that ``config.streams`` names.
    """
    own_widths = require_widths("mult", config.streams, widths)
    system = MulT(space.labels, own_widths, **config.model_dump(exclude={"streams"}))
    system.portable = config
    return system
