"""What the names and shapes of a foreign state dict tell of its RNNs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from moodal.core.errors import DataError
from moodal.core.records import STREAMS
from moodal.train.layers.recurrent import GATES


class Cell(NamedTuple):
    """One RNN of theirs: what its shapes say, and its weights under nn.LSTM's names."""

    config: dict[str, Any]
    inputs: int
    hidden: int
    weights: dict[str, Tensor]


def cell(given: Mapping[str, Tensor], prefix: str) -> Cell:
    """The RNN under ``prefix``.

    Raises:
        DataError: its shapes are no LSTM's or GRU's.
        KeyError: it is not there.
    """
    prefix += "."
    weights = {k.removeprefix(prefix): v for k, v in given.items() if k.startswith(prefix)}
    rows, inputs = weights["weight_ih_l0"].shape
    hidden = weights["weight_hh_l0"].shape[1]
    kinds = [kind for kind, gates in GATES.items() if rows == gates * hidden]
    if not kinds:
        raise DataError(f"{prefix}weight_ih_l0 has {rows} rows: no LSTM or GRU {hidden} wide has.")
    config = {
        "cell": kinds[0],
        "layers": len({re.sub(r"\D", "", name.split("_l")[1]) for name in weights}),
        "bidirectional": "weight_ih_l0_reverse" in weights,
        "last_column": True,
    }
    return Cell(config, inputs, hidden, weights)


def rnns(
    given: Mapping[str, Tensor], prefix: str, streams: Sequence[str]
) -> tuple[dict[str, Any], dict[str, int], dict[str, Tensor]]:
    """Config, widths and weights of one RNN per stream; theirs are numbered by modality."""
    cells = {m: cell(given, f"{prefix}.{STREAMS.index(m)}") for m in streams}
    config = cells[streams[0]].config | {
        "streams": tuple(streams),
        "hidden": {m: c.hidden for m, c in cells.items()},
    }
    weights = {f"rnn.{m}.{k}": v for m, c in cells.items() for k, v in c.weights.items()}
    return config, {m: c.inputs for m, c in cells.items()}, weights


def renamed(state: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """With the first prefix of ``prefixes`` that a name has replaced."""
    out = {}
    for name, value in state.items():
        old = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        out[prefixes.get(old, "") + name.removeprefix(old)] = value
    return out
