"""The EEA authors' state dicts, to and from ours: EEA, its RNN baselines and MulT.

Which system a checkpoint holds, its cell, directions, layers and widths are read
off names and shapes. Theirs keeps three RNNs even where fewer modalities are in
use; unused ones are left out here, and written as zeros. Imported systems
read the last column of the padded batch, as they were trained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from moodal.core.emotions import Targets
from moodal.core.errors import DataError, SpaceError
from moodal.core.records import STREAMS
from moodal.published.imported import Imported
from moodal.published.shapes import cell, renamed, rnns
from moodal.train.layers.recurrent import Recurrent
from moodal.train.systems.eea import EEA
from moodal.train.systems.mult import MulT
from moodal.train.systems.rnn import RNN
from moodal.train.systems.system import HIDDEN, System
from moodal.train.systems.transformer import EarlyFusionTransformer

PUBLISHED_WIDTHS = {"text": 300, "speech": 74, "face": 35}
"""Values per step of the streams of CMU-MOSEI."""

AFFINE = {"speech": "affineAudio", "face": "affineVisual"}
LETTER = {"text": "l", "speech": "a", "face": "v"}
IGNORED = re.compile(r"(^|\.)(version|_float_tensor)$")
"""Constants that MulT's modules register as state."""


MULT_OF_SENTIMENT = {
    "attention_dropout": {"text": 0.2, "speech": 0.0, "face": 0.0},
    "embed_dropout": 0.2,
    "attention_mask": True,
}
"""The authors' values of MulT for MOSI and MOSEI sentiment, where `mult.Config` has IEMOCAP's."""


def from_authors(
    weights: dict[str, Tensor],
    streams: tuple[str, ...] | None = None,
    widths: Mapping[str, int] = PUBLISHED_WIDTHS,
    heads: int | None = None,
) -> Imported:
    """Recognise a state dict of EEA's authors and rename it.

    Args:
        streams: the modalities it was trained on, in the order of `STREAMS`; by default all three.
            They must be named for an EEA of fewer: the file has their number only. Of an EEA of
            all three, fewer may be named; as in the published code, they then weigh the same.
        widths: stream -> D, for early fusion, whose file has only their sum.
        heads: of MulT, which no shape shows; by default the authors' 10 (they had 8 for MOSEI
            sentiment).

    Raises:
        DataError: no system of theirs has these names, or ``streams`` or ``widths`` are not those
            of the file.
        KeyError, ValueError, IndexError: a weight is missing, or of another shape.
    """
    weights = {name: value for name, value in weights.items() if not IGNORED.search(name)}
    if "textEmoEmbs.weight" in weights:
        return _eea(weights, streams)
    if "proj1.weight" in weights:
        return _mult(weights, heads or 10)
    if "RNN.weight_ih_l0" in weights:
        return _early(weights, streams or STREAMS, widths)
    if "EF_RNN.weight_ih_l0" in weights:
        return _early_late(weights, streams or STREAMS)
    if "RNNs.0.weight_ih_l0" in weights:
        return _late(weights, streams or STREAMS)
    names = ", ".join(list(weights)[:4]) or "none at all"
    raise DataError(f"No system of the authors' code has these weights: {names}, ...")


def to_authors(
    system: System, space: Targets, widths: Mapping[str, int] = PUBLISHED_WIDTHS
) -> dict[str, Tensor]:
    """Return the state dict that the authors' code would have saved for ``system``.

    A transformer keeps our names: theirs never ran.

    Args:
        space: the trained emotions; eea writes their vectors.
        widths: D of the modalities that ``system`` does not read, written as zeros.

    Raises:
        SpaceError: eea without vectors, or a closed-set system of other emotions.
        DataError: a baseline that joins its streams in another order than theirs.
    """
    state = {key: value.detach().cpu() for key, value in system.state_dict().items()}
    if not system.open_set and system.labels != space.labels:
        raise SpaceError(f"This system's head is not for {', '.join(space.labels)}.")
    order = tuple(m for m in STREAMS if m in system.streams)
    if not isinstance(system, EEA) and system.streams != order:
        raise DataError(
            f"The authors' code joins streams in the order {', '.join(STREAMS)}; this system "
            f"was trained with {', '.join(system.streams)}."
        )
    if isinstance(system, EEA):
        return _to_eea(system, state, space, widths)
    if isinstance(system, RNN):
        return _to_rnn(system, state, widths)
    if isinstance(system, MulT):
        return _to_mult(renamed(state, _mult_names()))
    assert isinstance(system, EarlyFusionTransformer)
    return state


def _eea(weights: dict[str, Tensor], streams: tuple[str, ...] | None) -> Imported:
    vectors = weights["textEmoEmbs.weight"]
    total = weights["modality_weights.weight"].numel()
    streams = streams or (STREAMS if total == len(STREAMS) else ())
    if len(streams) != total and (total != len(STREAMS) or not streams):
        raise DataError(
            f"This EEA was trained on {total} of the three modalities, and the file does not say "
            "which: name them."
        )
    config, widths, state = rnns(weights, "RNNs", streams)
    for m in streams:
        if m in AFFINE:
            for part in ("weight", "bias"):
                state[f"affine.{m}.{part}"] = weights[f"{AFFINE[m]}.{part}"]
    if len(streams) > 1:
        learned = weights["modality_weights.weight"].flatten()
        state["weight"] = learned if len(streams) == total else _equal_weights(len(streams))
    return Imported("eea", config, widths, state, vectors, len(vectors))


def _equal_weights(count: int) -> Tensor:
    """Return the weights of ``count`` modalities before training, 1 / count each.

    The published code has them where a checkpoint is tested with fewer modalities than it was
    trained on.
    """
    return torch.full((count,), 1 / count)


def _early(
    weights: dict[str, Tensor], streams: tuple[str, ...], widths: Mapping[str, int]
) -> Imported:
    rnn = cell(weights, "RNN")
    own = {m: widths[m] for m in streams}
    if sum(own.values()) != rnn.inputs:
        raise DataError(
            f"This early-fusion RNN reads {rnn.inputs} values per step, not {own}: "
            "say how wide each stream was."
        )
    config = rnn.config | {"streams": streams, "width": rnn.hidden, "fusion": "ef"}
    state = {f"joined.{name}": value for name, value in rnn.weights.items()}
    return _headed(weights, config, own, state)


def _early_late(weights: dict[str, Tensor], streams: tuple[str, ...]) -> Imported:
    config, widths, state = rnns(weights, "LF_RNNs", streams)
    joined = cell(weights, "EF_RNN")
    state |= {f"joined.{name}": value for name, value in joined.weights.items()}
    return _headed(weights, config | {"width": joined.hidden, "fusion": "eflf"}, widths, state)


def _late(weights: dict[str, Tensor], streams: tuple[str, ...]) -> Imported:
    config, widths, state = rnns(weights, "RNNs", streams)
    attention = {name: value for name, value in weights.items() if name.startswith("attention.")}
    fusion = "ts" if attention else "lf"
    return _headed(weights, config | {"fusion": fusion}, widths, state | attention)


def _headed(
    weights: dict[str, Tensor],
    config: dict[str, Any],
    widths: dict[str, int],
    rest: dict[str, Tensor],
) -> Imported:
    head = {name: value for name, value in weights.items() if name.startswith("out.")}
    outputs = len(head["out.3.bias" if "out.3.bias" in head else "out.bias"])
    return Imported("rnn", config, widths, rest | head, None, outputs)


def _to_eea(
    system: EEA, state: dict[str, Tensor], space: Targets, widths: Mapping[str, int]
) -> dict[str, Tensor]:
    """Rename the weights of an EEA; modalities that it does not read get zeros."""
    if space.vectors is None:
        raise SpaceError("The authors' checkpoint holds emotion vectors; this space has none.")
    d = space.vectors.shape[1]
    names = {f"rnn.{m}.": f"RNNs.{i}." for i, m in enumerate(STREAMS)}
    out = renamed(state, names | {f"affine.{m}.": f"{theirs}." for m, theirs in AFFINE.items()})
    out["textEmoEmbs.weight"] = torch.from_numpy(space.vectors.copy())
    weight = out.pop("weight", torch.ones(1))
    order = [m for m in STREAMS if m in system.streams]
    out["modality_weights.weight"] = weight[[system.streams.index(m) for m in order]]
    for m, theirs in AFFINE.items():
        h = system.hidden.get(m, HIDDEN[m])
        out.setdefault(f"{theirs}.weight", torch.zeros(h, d))
        out.setdefault(f"{theirs}.bias", torch.zeros(h))
    return out | _unused(system, "RNNs", widths)


def _to_rnn(system: RNN, state: dict[str, Tensor], widths: Mapping[str, int]) -> dict[str, Tensor]:
    """Rename the weights of an RNN baseline; modalities that it does not read get zeros."""
    both = system.fusion == "eflf"
    separate, joined = ("LF_RNNs", "EF_RNN") if both else ("RNNs", "RNN")
    names = {f"rnn.{m}.": f"{separate}.{i}." for i, m in enumerate(STREAMS)}
    out = renamed(state, names | {"joined.": f"{joined}."})
    return out if system.fusion == "ef" else out | _unused(system, separate, widths)


def _mult(weights: dict[str, Tensor], heads: int) -> Imported:
    state = renamed(weights, {theirs: ours for ours, theirs in _mult_names().items()})
    streams = tuple(m for m in STREAMS if f"conv.{m}.weight" in state)
    layers = {name.split(".")[3] for name in state if re.match(r"cross\.\w+\.layers\.", name)}
    config = {
        "streams": streams,
        "width": len(state[f"conv.{streams[0]}.weight"]) if streams else 0,
        "layers": len(layers),
        "heads": heads,
        "last_column": True,
    }
    widths = {m: state[f"conv.{m}.weight"].shape[1] for m in streams}
    return Imported("mult", config, widths, state, None, len(state["out_layer.bias"]))


def _mult_names() -> dict[str, str]:
    """Map our prefixes to theirs, which are letters: l(anguage), a(udio), v(isual)."""
    names = {}
    for m, letter in LETTER.items():
        names[f"conv.{m}."] = f"proj_{letter}."
        names[f"memory.{m}."] = f"trans_{letter}_mem."
        for other in LETTER.keys() - {m}:
            names[f"cross.{m}_{other}."] = f"trans_{letter}_with_{LETTER[other]}."
    return names


def _to_mult(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the constants that their modules register."""
    for encoder in {name.split(".")[0] for name in state if name.startswith("trans_")}:
        state[f"{encoder}.version"] = torch.tensor([2.0])
        state[f"{encoder}.embed_positions._float_tensor"] = torch.zeros(1)
    return state


def _unused(system: EEA | RNN, prefix: str, widths: Mapping[str, int]) -> dict[str, Tensor]:
    """Return zeros for the RNNs of the modalities that ``system`` does not read."""
    like = system.rnn[system.streams[0]]
    assert isinstance(like, Recurrent)
    out = {}
    for i, m in enumerate(STREAMS):
        if m not in system.streams:
            hidden = system.hidden.get(m, HIDDEN[m])
            both = len(like.directions) == 2
            rnn = Recurrent(widths[m], hidden, like.layers, cell=like.cell, bidirectional=both)
            for name, value in rnn.state_dict().items():
                out[f"{prefix}.{i}.{name}"] = torch.zeros_like(value)
    return out
