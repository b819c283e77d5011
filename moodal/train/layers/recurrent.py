"""Recurrent: a stacked LSTM or GRU of which only the last valid step is read.

Parameters are named and initialised as those of `torch.nn.LSTM` and
`torch.nn.GRU`, so that checkpoints map one to one. Outputs that are never read
are not computed: the top layer's backward direction, at the last step, depends
on one frame only, so it is one cell step from a zero state.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.errors import UsageError

# cuDNN copies weights that are not contiguous; these are small, and its advice to
# flatten them does not apply to layers that are called one by one.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous")

GATES = {"lstm": 4, "gru": 3}
"""Gates per cell, in PyTorch's order: i f g o, and r z n."""


class Recurrent(nn.Module):
    """A stacked RNN that returns its outputs at each sequence's last valid step.

    Args:
        width: D, values per step.
        hidden: H, per direction.
        layers: their number.
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

    def start_near_identity(self, gain: float = 0.25) -> None:
        """Initialise the output to about ``gain`` times the input (of deviation 1).

        The cell's input is the frame itself, its input and output gates are open; all
        other weights are small.

        Raises:
            UsageError: not one LSTM layer of one direction with the width of its input.
        """
        if (self.cell, self.layers, len(self.directions)) != ("lstm", 1, 1) or (
            self.get_parameter("weight_ih_l0").shape[1] != self.hidden
        ):
            raise UsageError(
                'start = "identity" needs one LSTM layer of one direction, as wide as its input: '
                'set system.layers=1, bidirectional=false, cell="lstm", and hidden to the width.'
            )
        ih, hh, b_ih, b_hh = self.weights(0, "")
        i, _, g, o = (slice(k * self.hidden, (k + 1) * self.hidden) for k in range(4))
        with torch.no_grad():
            ih *= 0.1
            hh *= 0.1
            b_ih.zero_()
            b_hh.zero_()
            ih[g] = gain * torch.eye(self.hidden)
            b_ih[i] = b_ih[o] = 2.0

    def weights(self, layer: int, direction: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return weight_ih [G H, D], weight_hh [G H, H], bias_ih [G H] and bias_hh [G H]."""
        end = f"l{layer}{direction}"
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ih, hh, b_ih, b_hh = (self.get_parameter(f"{name}_{end}") for name in names)
        return ih, hh, b_ih, b_hh

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute the outputs at the last valid step: [B, directions, H].

        Args:
            values: [B, T, D], right-padded with any finite numbers.
            lengths: [B], each at least 1, best on the CPU (it is read there); None:
                the last column of every row.
        """
        values, own = _trimmed(values, lengths)
        for layer in range(self.layers - 1):
            values = self._dropped(self._layer(values, own, layer))
        top = self.layers - 1
        out = [_last(self._run(values, top, ("",)), own)]
        if "_reverse" in self.directions:
            out.append(self._first_step(_last(values, own), top, "_reverse"))
        return torch.stack(out, 1)

    def steps(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute the outputs at every step, see `forward`: [B, T, directions H], 0 on padding."""
        total = values.shape[1]
        values, own = _trimmed(values, lengths)
        for layer in range(self.layers):
            if layer:
                values = self._dropped(values)
            values = self._layer(values, own, layer)
        if own is not None:
            beyond = torch.arange(values.shape[1], device=values.device) >= own[:, None]
            values = values.masked_fill(beyond[:, :, None], 0.0)
        return F.pad(values, (0, 0, 0, total - values.shape[1]))

    def _dropped(self, values: Tensor) -> Tensor:
        return F.dropout(values, self.dropout, self.training)

    def _layer(self, values: Tensor, lengths: Tensor | None, layer: int) -> Tensor:
        """Run one layer: [B, T, D] -> [B, T, directions H]; values on padding are arbitrary."""
        if lengths is None or len(self.directions) == 1:
            return self._run(values, layer, self.directions)
        # Each sequence is reversed within its own length and run forwards: faster
        # than packing wherever the lengths in a batch are similar.
        backward = self._run(_reversed(values, lengths), layer, ("_reverse",))
        return torch.cat([self._run(values, layer, ("",)), _reversed(backward, lengths)], 2)

    def _run(self, values: Tensor, layer: int, directions: tuple[str, ...]) -> Tensor:
        """Run PyTorch's kernel over all columns: [B, T, D] -> [B, T, directions H]."""
        if _lacks_bfloat16(values):
            with torch.autocast("cpu", enabled=False):
                return self._run(values.float(), layer, directions)
        flat = [w for direction in directions for w in self.weights(layer, direction)]
        zero = values.new_zeros(len(directions), len(values), self.hidden)
        start = (zero, zero) if self.cell == "lstm" else zero
        run: Any = torch._VF.lstm if self.cell == "lstm" else torch._VF.gru
        # "train" lets cuDNN compute gradients; dropout between layers is applied elsewhere
        train = self.training or torch.is_grad_enabled()
        out: Tensor = run(values, start, flat, True, 1, 0.0, train, len(directions) == 2, True)[0]
        return out

    def _first_step(self, frame: Tensor, layer: int, direction: str) -> Tensor:
        """Run one cell step from a zero state: [B, D] -> [B, H]."""
        ih, _, b_ih, b_hh = self.weights(layer, direction)
        if self.cell == "lstm":
            i, _, g, o = F.linear(frame, ih, b_ih + b_hh).chunk(4, 1)
            return o.sigmoid() * torch.tanh(i.sigmoid() * g.tanh())
        r, z, n = F.linear(frame, ih, b_ih).chunk(3, 1)
        b_r, b_z, b_n = b_hh.chunk(3)
        n = torch.tanh(n + (r + b_r).sigmoid() * b_n)
        return (1 - (z + b_z).sigmoid()) * n


def _trimmed(values: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Cut off columns of padding alone; return None as lengths where every row is as long."""
    if lengths is None:
        return values, None
    low, high = (int(x) for x in lengths.aminmax())
    return values[:, :high], None if low == high else lengths.to(values.device)


def _last(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """Select the last valid step of each row: [B, T, D] -> [B, D]."""
    if lengths is None:
        return steps[:, -1]
    return steps[torch.arange(len(steps), device=steps.device), lengths - 1]


def _reversed(values: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each row's valid steps, with its padding kept behind them: [B, T, D]."""
    steps = torch.arange(values.shape[1], device=values.device)
    index = (lengths[:, None] - 1 - steps) % values.shape[1]
    return values.gather(1, index[:, :, None].expand_as(values))


def _lacks_bfloat16(values: Tensor) -> bool:
    """Return whether autocast asks a CPU for an LSTM in bfloat16 that it cannot compute."""
    asked = values.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return asked and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
