"""RNNs of the authors' state dicts, recognised by names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from moodal.core.errors import DataError
from moodal.core.records import STREAMS
from moodal.train.layers.recurrent import GATES


class Cell(NamedTuple):
    """One RNN of theirs: its sizes, and its weights under the names of nn.LSTM."""

    config: dict[str, Any]
    inputs: int
    hidden: int
    weights: dict[str, Tensor]


def cell(state: Mapping[str, Tensor], prefix: str) -> Cell:
    """Read the RNN under ``prefix``.

    Raises:
        DataError: its shapes are not those of an LSTM or GRU.
        KeyError: there is none.
    """
    prefix += "."
    weights = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
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
    state: Mapping[str, Tensor], prefix: str, streams: Sequence[str]
) -> tuple[dict[str, Any], dict[str, int], dict[str, Tensor]]:
    """Read config, widths and weights of one RNN per stream; theirs are numbered by modality."""
    cells = {m: cell(state, f"{prefix}.{STREAMS.index(m)}") for m in streams}
    config = cells[streams[0]].config | {
        "streams": tuple(streams),
        "hidden": {m: c.hidden for m, c in cells.items()},
    }
    weights = {f"rnn.{m}.{k}": v for m, c in cells.items() for k, v in c.weights.items()}
    return config, {m: c.inputs for m, c in cells.items()}, weights


def renamed(state: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """Replace the first of ``prefixes`` that a name begins with."""
    out = {}
    for name, value in state.items():
        old = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        out[prefixes.get(old, "") + name.removeprefix(old)] = value
    return out
