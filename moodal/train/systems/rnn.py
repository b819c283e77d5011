"""RNN baselines of the EEA paper: early, late, both, and text-selective fusion.

Dai et al., AACL-IJCNLP 2020 (arXiv 2009.09629), section 4.2, after the authors'
public code. All are closed-set: their last layer has a row per trained emotion.
Here the directions of a bidirectional RNN are concatenated, not summed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.core.strict import Strict
from moodal.train.data.batch import Stream, Streams, join_steps
from moodal.train.layers.attention import AdditiveAttention
from moodal.train.layers.recurrent import Recurrent
from moodal.train.systems.system import (
    HIDDEN,
    StreamNames,
    System,
    complete_hidden,
    require_all,
    require_space,
    require_widths,
)


class Config(Strict):
    """The paper's values; ``hidden`` are widths per stream, ``width`` that of the joined RNN."""

    streams: StreamNames = ("text", "speech", "face")
    fusion: Literal["ef", "lf", "eflf", "ts"] = "lf"
    hidden: dict[str, int] = Field(HIDDEN, validate_default=True)
    width: int = Field(300, ge=1)
    layers: int = Field(2, ge=1)
    bidirectional: bool = True
    cell: Literal["lstm", "gru"] = "lstm"
    dropout: float = Field(0.15, ge=0, lt=1)
    last_column: bool = False

    _complete = field_validator("hidden")(complete_hidden)

    @model_validator(mode="after")
    def _text_selects(self) -> Config:
        if self.fusion == "ts":
            if "text" not in self.streams or len(self.streams) < 2:
                raise ValueError("fusion ts needs text and at least one other stream")
            if len({self.hidden[m] for m in self.streams}) > 1:
                raise ValueError("fusion ts needs equal hidden widths for all its streams")
        return self


class RNN(System):
    """One or more RNNs, read at the last valid step, and a closed-set head.

    Args:
        labels: the C emotions of the head.
        widths: stream -> D, in the order in which streams are joined.
        fusion: "ef" streams joined per step; "lf" last steps joined; "eflf" both;
            "ts" the last step of text attends over the others.
        hidden: stream -> width of its RNN; ``width``: of the joined RNN.
        last_column: read the last column of the padded batch, valid or not.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        widths: Mapping[str, int],
        fusion: str,
        hidden: Mapping[str, int],
        width: int,
        *,
        layers: int,
        bidirectional: bool,
        cell: str,
        dropout: float,
        last_column: bool,
    ):
        super().__init__()
        self.labels, self.streams = labels, tuple(widths)
        self.fusion, self.hidden, self.last_column = fusion, dict(hidden), last_column
        directions = 2 if bidirectional else 1

        def rnn(inputs: int, outputs: int) -> Recurrent:
            return Recurrent(
                inputs, outputs, layers, cell=cell, bidirectional=bidirectional, dropout=dropout
            )

        n = 0
        if fusion in ("ef", "eflf"):
            self.joined = rnn(sum(widths.values()), width)
            n += directions * width
        if fusion != "ef":
            self.rnn = nn.ModuleDict({m: rnn(widths[m], hidden[m]) for m in self.streams})
            n += directions * sum(hidden[m] for m in self.streams)
        if fusion == "ts":
            self.attention = AdditiveAttention(directions * hidden["text"])
        self.out = _head(n, len(labels), {"eflf": 2, "ts": 3}.get(fusion))

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C] of the trained emotions.

        Raises:
            SpaceError: ``space`` is not the trained one.
            MissingStreamError: a stream is absent for some utterance.
            DataError: early fusion of streams of different lengths.
        """
        name = f"rnn with fusion {self.fusion}"
        require_space(name, self.labels, space)
        require_all(name, self.streams, streams)
        read = []
        if self.fusion in ("lf", "eflf"):
            read += [self._last(self.rnn[m], streams[m]) for m in self.streams]
        if self.fusion in ("ef", "eflf"):
            joined = join_steps({m: streams[m] for m in self.streams}, "fusion lf or ts")
            read.append(self._last(self.joined, joined))
        if self.fusion == "ts":
            read += self._selected(streams)
        logits: Tensor = self.out(torch.cat(read, 1))
        return logits

    def _last(self, rnn: nn.Module, stream: Stream) -> Tensor:
        """Read the last step, directions concatenated: [B, directions H]."""
        lengths = None if self.last_column else stream.lengths
        both: Tensor = rnn(stream.values, lengths)
        return both.flatten(1)

    def _selected(self, streams: Streams) -> list[Tensor]:
        """Compute the last step of text, and its attention over each other stream."""
        query = self._last(self.rnn["text"], streams["text"])
        read = []
        for m in self.streams:
            if m == "text":
                read.append(query)
                continue
            lengths = None if self.last_column else streams[m].lengths
            mask = None if self.last_column else streams[m].mask
            sequence = self.rnn[m].steps(streams[m].values, lengths)  # type: ignore[operator]
            read.append(self.attention(query, sequence, mask))
        return read


def _head(n: int, outputs: int, shrink: int | None) -> nn.Module:
    """Make a linear layer, or two with n / ``shrink`` units between them."""
    if shrink is None:
        return nn.Linear(n, outputs)
    return nn.Sequential(
        nn.Linear(n, n // shrink), nn.ReLU(), nn.Dropout(0.1), nn.Linear(n // shrink, outputs)
    )


def build(config: Config, widths: Mapping[str, int], space: Targets) -> RNN:
    """Build an RNN baseline for a corpus's streams (stream -> D) and the emotions of ``space``.

    Raises:
        MissingStreamError: the corpus lacks a modality that ``config.streams`` names.
    """
    own_widths = require_widths("rnn", config.streams, widths)
    system = RNN(space.labels, own_widths, **config.model_dump(exclude={"streams"}))
    system.portable = config
    return system
