"""The state dicts of MMER's authors, to and from ours: both MMERs and their baselines.

Which system a ``{session}_model.pt`` holds, its widths and wav2vec2's sizes are read off names
and shapes; heads no shape shows. Theirs keep a few weights that no computation reads: they are
left out here, and written as zeros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from moodal.published.imported import Imported
from moodal.published.shapes import renamed
from moodal.train.systems.cai_sota import CaiSota
from moodal.train.systems.mmer_2022 import MMER2022
from moodal.train.systems.mmer_2023 import MMER
from moodal.train.systems.system import System
from moodal.train.systems.unimodal_baseline import UnimodalBaseline

HEADS = 12
"""Heads of wav2vec2-base, and of the authors' layers between text and speech."""

STRIDES = [5, 2, 2, 2, 2, 2, 2]
"""Strides of wav2vec2's convolutions, which no shape shows."""

UNUSED = re.compile(r"^(self_attention\.|weights$)")
"""Weights of theirs that are never read: a second self-attention (2022) and 13 weights of
wav2vec2's layers (2023)."""

MASKED = "wav2vec2.masked_spec_embed"
"""The value of masked frames in SpecAugment; theirs was off, and files may lack it."""

LAYER = {
    "query.": "attention.self.query.",
    "key.": "attention.self.key.",
    "value.": "attention.self.value.",
    "out.": "attention.output.dense.",
    "norm.": "attention.output.LayerNorm.",
    "inner.": "intermediate.dense.",
    "outer.": "output.dense.",
    "norm_outer.": "output.LayerNorm.",
}
LAYERS = {
    "itself": "self_attention_v2",
    "speech_from_text": "txt2img_attention",
    "text_from_speech": "img2txt_attention",
    "text_through_speech": "txt2txt_attention",
}
"""Our name of a layer -> theirs, whose speech once was an image."""

NAMES = {
    **{f"{o}.{a}": f"{t}.layer.0.{b}" for o, t in LAYERS.items() for a, b in LAYER.items()},
    "v1.": "vismap2text.",
    "v2.": "vismap2text_v2.",
    "gate.": "gate.",
    "down.": "downsample_final.",
    "ctc.": "ctc_linear.",
    "classifier.": "classifier.",
    "project.": "orgin_linear_change.",
    "project_view.": "augment_linear_change.",
    "speech.model.": "wav2vec2.",
    "backbone.model.": "wav2vec2.",
}
"""Our prefixes -> theirs."""

NORM = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}
"""Weight normalisation's names before PyTorch 2 -> now."""


def is_mmer(state: Mapping[str, Any]) -> bool:
    """Check whether these are names of a checkpoint of MMER's authors."""
    return any(".wav2vec2." in f".{name}" for name in state)


def from_authors(state: Mapping[str, Tensor], heads: int = HEADS) -> Imported:
    """Recognise a state dict of MMER's authors and rename it.

    Args:
        state: as saved, also from within ``DataParallel``, which puts "module." before names.
        heads: of wav2vec2 and of the layers between text and speech.

    Raises:
        KeyError, ValueError, IndexError: a weight is missing, or of another shape.
    """
    weights = {_modern(name.removeprefix("module.")): value for name, value in state.items()}
    later = any(name.startswith("model_mmi.") for name in weights)
    flat = {name.removeprefix("model_mmi."): value for name, value in weights.items()}
    if later:
        flat = renamed(flat, {"classifier.linear3.": "classifier."})
    kept = {name: value for name, value in flat.items() if not UNUSED.match(name)}
    outputs = len(kept["classifier.bias"])
    speech = {"architecture": wav2vec2(kept, heads)}
    kept.setdefault(MASKED, torch.zeros_like(kept["wav2vec2.encoder.layer_norm.bias"]))
    if "gate.weight" in kept:
        d = len(kept["gate.bias"])
        config: dict[str, Any] = {
            "speech": speech,
            "width": d,
            "heads": heads,
            "inner": len(kept["self_attention_v2.layer.0.intermediate.dense.bias"]),
        }
        name = "mmer" if later else "mmer_2022"
        imported = Imported(name, config, {"text": d, "speech": 1}, {}, None, outputs)
    elif "ctc_linear.weight" in kept:
        imported = Imported("cai_sota", {"speech": speech}, {"speech": 1}, {}, None, outputs)
    else:
        imported = Imported(
            "unimodal_baseline", {"speech": speech}, {"speech": 1}, {}, None, outputs
        )
    ours = {theirs: own for own, theirs in _names(imported.name).items()}
    return imported._replace(state=renamed(kept, ours))


def to_authors(system: System) -> dict[str, Tensor]:
    """Return the state dict that the authors' code would have saved for ``system``.

    Weights that theirs cannot hold keep our names: those of a backbone other than wav2vec2, and
    of the layer that projects a text wider than the fusion.
    """
    state = {name: value.detach().cpu() for name, value in system.state_dict().items()}
    if isinstance(system, UnimodalBaseline):
        names, family = _names("unimodal_baseline"), system.backbone.family
    else:
        assert isinstance(system, MMER | MMER2022 | CaiSota)
        names, family = _names("mmer"), system.speech.family
    if family == "wav2vec2":
        out = renamed(state, names)
        out.setdefault(MASKED, torch.zeros_like(out["wav2vec2.encoder.layer_norm.bias"]))
    else:
        out = renamed(state, {o: t for o, t in names.items() if t != "wav2vec2."})
    if isinstance(system, MMER2022):
        for name, value in list(out.items()):
            if name.startswith("self_attention_v2."):
                out[name.replace("_v2", "", 1)] = torch.zeros_like(value)
    elif isinstance(system, MMER):
        out = renamed(out, {"classifier.": "classifier.linear3."})
        out["weights"] = torch.zeros(13)
        own = ("orgin_linear_change.", "augment_linear_change.")
        out = {n if n.startswith(own) else f"model_mmi.{n}": v for n, v in out.items()}
    return out


def wav2vec2(state: Mapping[str, Tensor], heads: int) -> dict[str, Any]:
    """Read wav2vec2's config.json off the shapes of its weights under "wav2vec2.".

    Raises:
        KeyError, ValueError: a weight is missing, or of another shape.
    """
    own = {n.removeprefix("wav2vec2."): v for n, v in state.items() if n.startswith("wav2vec2.")}
    numbers = {
        part: {m[1] for m in (re.match(rf"{part}\.(\d+)\.", name) for name in own) if m}
        for part in ("feature_extractor.conv_layers", "encoder.layers")
    }
    convolutions = [
        own[f"feature_extractor.conv_layers.{i}.conv.weight"].shape
        for i in range(len(numbers["feature_extractor.conv_layers"]))
    ]
    if len(convolutions) != len(STRIDES):
        raise ValueError(f"{len(convolutions)} convolutions, where wav2vec2 has {len(STRIDES)}")
    hidden, per_group, kernel = own[
        "encoder.pos_conv_embed.conv.parametrizations.weight.original1"
    ].shape
    if not heads or hidden % heads:
        raise ValueError(f"{heads} heads do not divide its width, {hidden}; name them with --heads")
    each = "feature_extractor.conv_layers.1.layer_norm.weight" in own
    return {
        "model_type": "wav2vec2",
        "hidden_size": hidden,
        "num_hidden_layers": len(numbers["encoder.layers"]),
        "num_attention_heads": heads,
        "intermediate_size": len(own["encoder.layers.0.feed_forward.intermediate_dense.bias"]),
        "conv_dim": [shape[0] for shape in convolutions],
        "conv_kernel": [shape[2] for shape in convolutions],
        "conv_stride": STRIDES,
        "conv_bias": "feature_extractor.conv_layers.0.conv.bias" in own,
        "feat_extract_norm": "layer" if each else "group",
        "do_stable_layer_norm": each,
        "num_conv_pos_embeddings": kernel,
        "num_conv_pos_embedding_groups": hidden // per_group,
    }


def _names(kind: str) -> dict[str, str]:
    """Map our prefixes to theirs, for one system."""
    other = "speech." if kind == "unimodal_baseline" else "backbone."
    return {ours: theirs for ours, theirs in NAMES.items() if not ours.startswith(other)}


def _modern(name: str) -> str:
    """Rename weight normalisation as in PyTorch 2."""
    stem, _, last = name.rpartition(".")
    return f"{stem}.{NORM[last]}" if last in NORM else name
