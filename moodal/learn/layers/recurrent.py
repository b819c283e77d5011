"""Recurrent: a stacked LSTM or GRU of which only the last valid step is read.

Parameters are named and initialised as those of `torch.nn.LSTM` and
`torch.nn.GRU`, so that checkpoints map one to one. What is never read is never
computed: the top layer's backward direction, at the last step, has seen one
frame only, so it is one cell step from a zero state.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

GATES = {"lstm": 4, "gru": 3}
"""Gates per cell, in PyTorch's order: i f g o, and r z n."""


class Recurrent(nn.Module):
    """A stacked RNN that returns its outputs at each sequence's last valid step.

    Args:
        width: D, values per step.
        hidden: H, per direction.
        layers: how many, one on the other.
        cell: "lstm" or "gru".
        bidirectional: a second direction per layer.
        dropout: between layers, in training.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int = 1,
        *,
        cell: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.cell, self.hidden, self.layers, self.dropout = cell, hidden, layers, dropout
        self.directions = ("", "_reverse") if bidirectional else ("",)
        rows = GATES[cell] * hidden
        bound = 1 / math.sqrt(hidden)
        for layer in range(layers):
            below = width if layer == 0 else hidden * len(self.directions)
            for direction in self.directions:
                for name, shape in {
                    "weight_ih": (rows, below),
                    "weight_hh": (rows, hidden),
                    "bias_ih": (rows,),
                    "bias_hh": (rows,),
                }.items():
                    values = torch.empty(shape).uniform_(-bound, bound)
                    self.register_parameter(f"{name}_l{layer}{direction}", nn.Parameter(values))

    def weights(self, layer: int, direction: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """weight_ih [G H, D], weight_hh [G H, H], bias_ih [G H], bias_hh [G H]."""
        end = f"l{layer}{direction}"
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ih, hh, b_ih, b_hh = (self.get_parameter(f"{name}_{end}") for name in names)
        return ih, hh, b_ih, b_hh

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Outputs at the last valid step: [B, directions, H].

        Args:
            values: [B, T, D], right-padded.
            lengths: [B], each at least 1; None: the last column of every row.
        """
        values, lengths = _trimmed(values, lengths)
        below = self._stack(values, lengths, self.layers - 1)
        top = self.layers - 1
        forward = self._run(below, lengths, top, ("",))
        rows = torch.arange(len(values), device=values.device)
        last = torch.full_like(rows, values.shape[1] - 1) if lengths is None else lengths - 1
        out = [forward[rows, last]]
        if "_reverse" in self.directions:
            out.append(self._first_step(below[rows, last], top, "_reverse"))
        return torch.stack(out, 1)

    def steps(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Outputs at every step: [B, T, directions H], zeros on padding."""
        total = values.shape[1]
        values, lengths = _trimmed(values, lengths)
        out = self._stack(values, lengths, self.layers)
        return F.pad(out, (0, 0, 0, total - out.shape[1]))

    def _stack(self, values: Tensor, lengths: Tensor | None, layers: int) -> Tensor:
        """The lowest ``layers`` layers, dropout between them and above all but the top one."""
        for layer in range(layers):
            values = self._run(values, lengths, layer, self.directions)
            if layer < self.layers - 1:
                values = F.dropout(values, self.dropout, self.training)
        return values

    def _run(
        self, values: Tensor, lengths: Tensor | None, layer: int, directions: tuple[str, ...]
    ) -> Tensor:
        """One layer over all steps: [B, T, D] -> [B, T, directions H]."""
        flat = [w for direction in directions for w in self.weights(layer, direction)]
        both = len(directions) == 2
        zero = values.new_zeros(len(directions), len(values), self.hidden)
        start = (zero, zero) if self.cell == "lstm" else zero
        run = torch._VF.lstm if self.cell == "lstm" else torch._VF.gru
        if lengths is None or not both:
            return run(values, start, flat, True, 1, 0.0, self.training, both, True)[0]
        packed = pack_padded_sequence(values, lengths.cpu(), True, enforce_sorted=False)
        out = run(packed.data, packed.batch_sizes, start, flat, True, 1, 0.0, self.training, both)
        return pad_packed_sequence(packed._replace(data=out[0]), True)[0]

    def _first_step(self, frame: Tensor, layer: int, direction: str) -> Tensor:
        """One cell step from a zero state: [B, D] -> [B, H]."""
        ih, _, b_ih, b_hh = self.weights(layer, direction)
        if self.cell == "lstm":
            i, _, g, o = F.linear(frame, ih, b_ih + b_hh).chunk(4, 1)
            return o.sigmoid() * torch.tanh(i.sigmoid() * g.tanh())
        r, z, n = F.linear(frame, ih, b_ih).chunk(3, 1)
        b_r, b_z, b_n = b_hh.chunk(3)
        n = torch.tanh(n + (r + b_r).sigmoid() * b_n)
        return (1 - (z + b_z).sigmoid()) * n


def _trimmed(values: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Columns that nobody fills cut off; lengths None where every row fills all of them."""
    if lengths is None:
        return values, None
    low, high = (int(x) for x in lengths.aminmax())
    return values[:, :high], None if low == high else lengths
