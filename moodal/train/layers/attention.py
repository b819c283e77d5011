"""Attention of the baselines: additive, and pre-norm Transformers across modalities."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AdditiveAttention(nn.Module):
    """Attention of one query to a sequence: softmax_t v tanh(W [q; x_t] + b), a weighted mean.

    Bahdanau, Cho, Bengio, ICLR 2015, section 3.1.

    Args:
        width: D of query and sequence.
    """

    def __init__(self, width: int):
        super().__init__()
        self.attn = nn.Linear(2 * width, width)
        self.v = nn.Linear(width, 1, bias=False)

    def forward(self, query: Tensor, sequence: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend from [B, D] to [B, T, D] (mask [B, T], True on valid steps) -> [B, D]."""
        both = torch.cat([query[:, None].expand_as(sequence), sequence], 2)
        energy = self.v(torch.tanh(self.attn(both))).squeeze(2)
        if mask is not None:
            energy = energy.masked_fill(~mask, -torch.inf)
        return torch.einsum("bt,btd->bd", energy.softmax(1), sequence)


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Compute sinusoidal embeddings of positions 1, 2, ...; position 0 is all zeros.

    Vaswani et al., NeurIPS 2017, section 3.5, in the layout of fairseq: the
    sines fill the first half, the cosines the second, frequencies run from 1 to
    1/10000 inclusive.

    Args:
        positions: [...] integers.
        width: D, at least 4; an odd last value is 0.

    Returns:
        [..., D] float32.
    """
    half = width // 2
    scale = -math.log(10000) / (half - 1)
    frequencies = torch.exp(torch.arange(half, device=positions.device) * scale)
    angles = positions[..., None] * frequencies
    out = F.pad(torch.cat([angles.sin(), angles.cos()], -1), (0, width % 2))
    return out.masked_fill((positions == 0)[..., None], 0.0)


def positions_of(sequence: Tensor, mask: Tensor | None) -> Tensor:
    """Number the steps of each sequence from 1: [B, T]; steps without a position get 0.

    Args:
        sequence: [B, T, D].
        mask: [B, T], True on valid steps; None reads validity off the values as
            published: a step whose first value is exactly 0 has no position.
    """
    valid = sequence[:, :, 0] != 0 if mask is None else mask
    steps = torch.arange(1, sequence.shape[1] + 1, device=sequence.device)
    return torch.where(valid, steps, 0)


class CrossLayer(nn.Module):
    """A pre-norm Transformer layer whose queries may attend to another modality.

    One normalisation serves queries, keys and values.
    """

    def __init__(
        self, width: int, heads: int, *, attention_dropout: float, relu: float, residual: float
    ):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(
            width, heads, dropout=attention_dropout, batch_first=True
        )
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.layer_norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.relu, self.residual = relu, residual
        for linear in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self, x: Tensor, keys: Tensor | None, values: Tensor | None, **masks: Tensor | None
    ) -> Tensor:
        """Attend from x [B, T, D] to keys and values [B, S, D], or to itself -> [B, T, D]."""
        norm, norm_feed = self.layer_norms
        query = norm(x)
        k = query if keys is None else norm(keys)
        v = query if values is None else norm(values)
        attended, _ = self.self_attn(query, k, v, need_weights=False, **masks)
        x = x + F.dropout(attended, self.residual, self.training)
        fed = F.dropout(self.fc1(norm_feed(x)).relu(), self.relu, self.training)
        return x + F.dropout(self.fc2(fed), self.residual, self.training)


class CrossEncoder(nn.Module):
    """A stack of attention layers from one modality to another, or to itself.

    Tsai et al., ACL 2019, section 3.2: inputs scaled by sqrt(D), sinusoidal
    positions, pre-norm layers that all attend to the same embedded source.

    Args:
        width: D.
        heads: must divide ``width``.
        layers: their number.
        attention, relu, residual, embed: dropout of attention weights, inside the
            feed-forward, before each residual sum, and of embedded inputs.
        causal: steps may not attend to later ones.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        layers: int,
        *,
        attention: float = 0.0,
        relu: float = 0.0,
        residual: float = 0.0,
        embed: float = 0.0,
        causal: bool = False,
    ):
        super().__init__()
        self.width, self.heads, self.embed, self.causal = width, heads, embed, causal
        self.layers = nn.ModuleList(
            CrossLayer(width, heads, attention_dropout=attention, relu=relu, residual=residual)
            for _ in range(layers)
        )
        self.layer_norm = nn.LayerNorm(width)

    def embedded(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Scale the input and add its positions: [B, T, D]."""
        return math.sqrt(self.width) * x + sinusoids(positions_of(x, mask), self.width).to(x.dtype)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        source: Tensor | None = None,
        source_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend from x [B, T, D] to source [B, S, D], or to itself -> [B, T, D].

        Masks are [B, T] and [B, S], True on valid steps; None: all are, as published.
        """
        target = F.dropout(self.embedded(x, mask), self.embed, self.training)
        keys = values = None
        if source is None:
            source_mask = mask
        else:
            embedded = self.embedded(source, source_mask)
            keys = F.dropout(embedded, self.embed, self.training)
            values = F.dropout(embedded, self.embed, self.training)
        masks = {
            "key_padding_mask": None if source_mask is None else ~source_mask,
            "attn_mask": self._ahead(x, mask, x if source is None else source, source_mask),
        }
        for layer in self.layers:
            target = layer(target, keys, values, **masks)
        normed: Tensor = self.layer_norm(target)
        return normed

    def _ahead(
        self, x: Tensor, mask: Tensor | None, source: Tensor, source_mask: Tensor | None
    ) -> Tensor | None:
        """Mask [B heads, T, S] the steps that lie later than a step itself + |T - S|.

        With masks, T and S are each clip's own, so that its batch does not matter.
        """
        if not self.causal:
            return None
        own = [
            torch.full((len(x),), a.shape[1], device=x.device) if m is None else m.sum(1)
            for a, m in ((x, mask), (source, source_mask))
        ]
        shift = (own[1] - own[0]).abs()
        step = torch.arange(x.shape[1], device=x.device)
        other = torch.arange(source.shape[1], device=x.device)
        ahead = other > step[:, None] + shift[:, None, None]
        return ahead.repeat_interleave(self.heads, 0)
