"""EEA: modality-transferable emotion embeddings, zero-shot by construction.

Wenliang Dai, Zihan Liu, Tiezheng Yu, Pascale Fung: "Modality-Transferable
Emotion Embeddings for Low-Resource Multimodal Emotion Recognition",
AACL-IJCNLP 2020, arXiv 2009.09629. Equations, tests and known deviations are
listed in docs/papers/eea.md.

Symbols: M modalities in use; C emotions with fixed word vectors e_c [d]; r_m
[h_m] the state of the RNN of modality m; e_c^m the vector of emotion c in the
space of modality m; w [M] the weight of each modality.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from moodal.core.emotions import Targets
from moodal.core.errors import MissingStreamError, SpaceError
from moodal.core.strict import Strict
from moodal.train.data.batch import Streams
from moodal.train.layers.recurrent import Recurrent
from moodal.train.systems.system import (
    HIDDEN,
    KeyedScoring,
    StreamNames,
    System,
    complete_hidden,
    require_widths,
)


class Config(Strict):
    """The paper's values; ``last_column`` reads the padded batch's last column, as published."""

    streams: StreamNames = ("text", "speech", "face")
    hidden: dict[str, int] = Field(HIDDEN, validate_default=True)
    layers: int = Field(2, ge=1)
    bidirectional: bool = True
    cell: Literal["lstm", "gru"] = "lstm"
    dropout: float = Field(0.15, ge=0, lt=1)
    last_column: bool = False
    start: Literal["random", "identity"] = "random"
    """identity: text's RNN starts as an identity, for text features and emotion vectors of one
    kind (e.g. both MiniLM's); not in the paper."""

    _complete = field_validator("hidden")(complete_hidden)


class EEA(System):
    """A system that scores any emotions that have vectors, from any of its modalities.

    Args:
        widths: stream -> D, in the order of the M modalities.
        hidden: stream -> h_m; ``hidden["text"]`` must equal ``d``.
        d: width of the emotion vectors.
        layers, bidirectional, cell, dropout: of each RNN.
        last_column: read the last column of the padded batch, valid or not.
        start: "identity" begins with r_text close to the text's own vectors.

    Raises:
        SpaceError: text is read and its hidden width is not ``d``.
    """

    open_set = True

    def __init__(
        self,
        widths: Mapping[str, int],
        hidden: Mapping[str, int],
        d: int,
        *,
        layers: int,
        bidirectional: bool,
        cell: str,
        dropout: float,
        last_column: bool,
        start: str,
    ):
        super().__init__()
        if "text" in widths and hidden["text"] != d:
            raise SpaceError(
                f"eea compares text with the emotion vectors themselves, so the hidden width of "
                f"text must be theirs: set system.hidden.text={d} (it is {hidden['text']})."
            )
        self.streams, self.hidden, self.d = tuple(widths), dict(hidden), d
        self.last_column = last_column
        # one encoder per modality
        kind: dict[str, Any] = {"cell": cell, "bidirectional": bidirectional, "dropout": dropout}
        rnns = {m: Recurrent(widths[m], hidden[m], layers, **kind) for m in self.streams}
        if start == "identity" and "text" in rnns:
            rnns["text"].start_near_identity()
        self.rnn = nn.ModuleDict(rnns)
        # the maps that carry emotion vectors into the other modalities' spaces
        self.affine = nn.ModuleDict(
            {m: nn.Linear(d, hidden[m]) for m in self.streams if m != "text"}
        )
        # the weight of each modality; one modality has none
        m_total = len(self.streams)
        self.weight = nn.Parameter(torch.full((m_total,), 1 / m_total)) if m_total > 1 else None
        self._vectors: dict[tuple[str, torch.device, torch.dtype], Tensor] = {}

    def represent(self, m: str, values: Tensor, lengths: Tensor) -> Tensor:
        """Compute r_m [B, h_m], the RNN's output at the last step, its two directions summed."""
        both: Tensor = self.rnn[m](values, None if self.last_column else lengths)
        return both.sum(1)

    def emotions(self, m: str, space: Targets) -> Tensor:
        """Compute e_c^m [C, h_m]: text has the vectors themselves, others affine maps of them."""
        vectors = self.vectors(space)
        return vectors if m == "text" else self.affine[m](vectors)

    def vectors(self, space: Targets) -> Tensor:
        """Return e_c [C, d] on this module's device and in its precision, without a gradient.

        Raises:
            SpaceError: the space has no vectors, or vectors of another width.
        """
        if space.vectors is None:
            raise SpaceError(
                f"eea needs a vector for each emotion; {', '.join(space.labels)} have none. "
                "Name a source of word vectors: space.vectors=glove-50, for example."
            )
        if space.vectors.shape[1] != self.d:
            raise SpaceError(
                f"This eea was built for emotion vectors of width {self.d}; those of "
                f"{', '.join(space.labels)} are {space.vectors.shape[1]} wide. Use the same source."
            )
        like = next(self.parameters())
        key = (space.fingerprint, like.device, like.dtype)
        if key not in self._vectors:
            if len(self._vectors) >= 16:  # a null of hundreds of spaces must not fill the memory
                self._vectors.clear()
            self._vectors[key] = torch.from_numpy(space.vectors.copy()).to(like)
        return self._vectors[key]

    def contributions(self, streams: Streams, space: Targets) -> dict[str, Tensor]:
        """Compute each modality's share w_m <r_m, e_c^m> of the logits: stream -> [B, C].

        The shares sum to the logits; an absent modality's share is 0.

        Raises:
            MissingStreamError: an utterance has none of the modalities.
        """
        present = {m: streams[m] for m in self.streams if m in streams}
        lengths = _lengths(self.streams, present)
        shares = {}
        for i, m in enumerate(self.streams):
            if m not in present:
                continue
            stream, e = present[m], self.emotions(m, space)
            rows = lengths[m].nonzero().squeeze(1)
            if len(rows) == len(lengths[m]):
                share = self.represent(m, stream.values, lengths[m]) @ e.T
            else:  # absent rows are not computed
                share = e.new_zeros(len(lengths[m]), len(e))
                if len(rows):
                    kept = rows.to(e.device)
                    r = self.represent(m, stream.values[kept], lengths[m][rows])
                    scores = r @ e.T
                    share = share.to(scores.dtype).index_copy(0, kept, scores)
            shares[m] = share if self.weight is None else self.weight[i] * share
        return shares

    def keyed(self) -> KeyedScoring | None:
        """Return r_m and the maps of the words of a single modality; of several there is a sum."""
        if len(self.streams) != 1:
            return None
        [m] = self.streams

        def states(values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            return self.represent(m, values, lengths)[:, None], torch.ones_like(lengths)

        weight = next(self.parameters())
        with torch.no_grad():
            if m == "text":
                to_space, bias = torch.eye(self.d).to(weight), weight.new_zeros(self.d)
            else:
                affine: Any = self.affine[m]
                to_space, bias = affine.weight.detach(), affine.bias.detach()
        return KeyedScoring(m, states, self.rnn[m], to_space, bias, weight.new_zeros(self.d))

    def scores(self, streams: Streams, space: Targets) -> Tensor:
        """Compute the logits [B, C]: the sum over modalities of w_m <r_m, e_c^m>.

        Raises:
            SpaceError: the emotions have no vectors, or vectors of another width.
            MissingStreamError: an utterance has none of the modalities.
        """
        shares = list(self.contributions(streams, space).values())
        return sum(shares[1:], start=shares[0])


def _lengths(names: tuple[str, ...], present: Streams) -> dict[str, Tensor]:
    """Fetch the lengths [B] of each stream to the CPU at once.

    Raises:
        MissingStreamError: an utterance has none of the streams.
    """
    if not present:
        raise MissingStreamError(f"The batch has none of {', '.join(names)}, which this eea reads.")
    every = torch.stack([stream.lengths for stream in present.values()]).cpu()
    empty = (every.amax(0) == 0).nonzero().flatten().tolist()
    if empty:
        raise MissingStreamError(
            f"{len(empty)} utterances of this batch (first: row {empty[0]}) have none of "
            f"{', '.join(names)}; leave them out, or add a stream that they have."
        )
    return dict(zip(present, every, strict=True))


def build(config: Config, widths: Mapping[str, int], space: Targets) -> EEA:
    """Build an EEA for a corpus's streams (stream -> D) and the vectors of ``space``.

    Raises:
        MissingStreamError: the corpus lacks a modality that ``config.streams`` names.
        SpaceError: the emotions have no vectors, or text's hidden width is not theirs.
    """
    own_widths = require_widths("eea", config.streams, widths)
    if space.vectors is None:
        raise SpaceError(
            f"eea needs a vector for each emotion; {', '.join(space.labels)} have none. "
            "Name a source of word vectors: space.vectors=glove-50, for example."
        )
    settings = config.model_dump(exclude={"streams"})
    system = EEA(own_widths, d=space.vectors.shape[1], **settings)
    system.portable = config
    return system
