"""A fused artefact in small: three made-up networks of eight states, written without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from moodal.model import artefact
from moodal.model.fusion_info import ChannelInfo, FusionWeights
from moodal.model.info import (
    ArtefactInfo,
    BranchInfo,
    DataInfo,
    EncoderInfo,
    FusedBody,
    GuessInfo,
    ProtocolInfo,
    ThresholdInfo,
    modality_infos,
)
from moodal.model.readers import readers

STREAMS = ("text", "speech", "face")
BASICS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
LEARNED = {
    "text": (*BASICS, "gratitude", "love", "nervousness"),
    "speech": tuple(x for x in BASICS if x != "surprise"),
    "face": (*BASICS, "contempt"),
}
WORDS = tuple(dict.fromkeys(w for s in STREAMS for w in LEARNED[s]))
SYNONYMS = {"joy": "happiness", "happy": "happiness", "angry": "anger", "sad": "sadness"}
WIDTH = 8
VOCABULARY = 30522


def write_tiny(folder: Path | str, streams: Sequence[str] = STREAMS, **changes: Any) -> Path:
    """Write it; ``changes`` are other values of ArtefactInfo's fields, see `describe`."""
    vectors = unit(np.random.default_rng(5).normal(size=(len(WORDS), 384)))
    rng = np.random.default_rng(7)
    weights: dict[str, np.ndarray] = {}
    for stream in STREAMS:  # drawn for all, so that a subset has the same
        weights[f"{stream}.map"] = rng.normal(size=(WIDTH, 384)).astype(np.float32)
        weights[f"{stream}.offset"] = (0.3 * rng.normal(size=384)).astype(np.float32)
        spread = rng.normal(size=(WIDTH, WIDTH)) / 4
        weights[f"{stream}.mean"] = np.zeros(WIDTH, np.float32)
        weights[f"{stream}.covariance"] = (spread @ spread.T + 0.2 * np.eye(WIDTH)).astype(
            np.float32
        )
    kept = {k: v for k, v in weights.items() if k.split(".")[0] in streams}
    graphs = {"text": _text, "speech": _speech, "face": _face}
    files = {f"{s}.onnx": graphs[s]() for s in streams}
    emotions = vectors[[WORDS.index(w) for w in BASICS]]
    known = {"words": vectors, "emotions": emotions}
    card = "# Tiny\n\nMade up, for tests.\n"
    return artefact.write(folder, describe(streams, **changes), kept, known, card, files)


def describe(streams: Sequence[str] = STREAMS, **changes: Any) -> ArtefactInfo:
    """Return its description; ``changes`` are other values of the fields."""
    from moodal.modalities.face.pixels import Pixels
    from moodal.modalities.speech.spoken import Spoken
    from moodal.modalities.text.tokens import Pieces

    made_by = {"text": Pieces(), "speech": Spoken(), "face": Pixels()}
    encoders = {s: EncoderInfo(**made_by[s].spec()) for s in streams}
    fields: dict[str, Any] = {
        "body": body(streams),
        "widths": {s: {"text": 1, "speech": 1, "face": 2304}[s] for s in streams},
        "labels": BASICS,
        "task": "single",
        "vectors": "minilm",
        "trained": BASICS,
        "encoders": encoders,
        "readers": readers(encoders),
        "modalities": modality_infos(streams),
        "activation": "softmax",
        "thresholds": ThresholdInfo(values=(0.5,) * len(BASICS), source="fixed at 0.5"),
        "calibration": {"method": "temperature"},
        "protocol": ProtocolInfo(name="made up"),
        "metrics": {},
        "data": DataInfo(corpus="made up"),
        "licence": "made up",
    }
    return ArtefactInfo(**{**fields, **changes})


def body(streams: Sequence[str] = STREAMS, **changes: Any) -> FusedBody:
    """Return its branches and fusion; ``changes`` are other values of the fields."""
    worth = {"text": 1.0, "speech": 0.0, "face": 0.0}
    branches = {
        s: BranchInfo(
            graph=f"{s}.onnx",
            learned={w: round(0.05 + 0.01 * i, 3) for i, w in enumerate(LEARNED[s])},
            guess=GuessInfo(weight=worth[s], auc=0.5),
        )
        for s in streams
    }
    sets = [c for n in (1, 2, 3) for c in combinations(STREAMS, n) if set(c) <= set(streams)]
    fusion = {
        "+".join(c): FusionWeights(
            weights={s: 0.4 + 0.2 * STREAMS.index(s) / len(c) for s in c},
            neutral={s: 0.3 / len(c) for s in c},
            bias={w: 0.1 * i - 0.2 for i, w in enumerate(BASICS)},
            other=-0.3,
            threshold=0.2,
        )
        for c in sets
    }
    fields: dict[str, Any] = {
        "name": "tiny",
        "basics": BASICS,
        "words": WORDS,
        "synonyms": dict(SYNONYMS),
        "branches": branches,
        "fusion": fusion,
    }
    return FusedBody(**{**fields, **changes})


def channel_body(streams: Sequence[str] = STREAMS) -> FusedBody:
    """Return its branches, fused by a channel model in which each set is as likely to tell."""
    sets = [c for n in (0, 1, 2, 3) for c in combinations(STREAMS, n) if set(c) <= set(streams)]
    channel = ChannelInfo(
        sharpness=dict.fromkeys(streams, 2.0),
        floor=dict.fromkeys(streams, 0.05),
        expected=dict.fromkeys(streams, -2.0),
        telling={"+".join(c): (1 / len(sets), 1 / len(sets)) for c in sets},
        other=-3.0,
        threshold=0.3,
        trained={w: round(1 / len(BASICS), 6) for w in BASICS},
    )
    return body(streams, fusion={}, channel=channel)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _model(
    nodes: Sequence[Any], inputs: dict[str, Any], shapes: Sequence[Any], **values: Any
) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    kinds = {np.dtype(np.int64): TensorProto.INT64, np.dtype(np.float32): TensorProto.FLOAT}
    entries = [
        helper.make_tensor_value_info(n, kinds[np.dtype(kind)], shape)
        for n, (kind, shape) in inputs.items()
    ]
    out = helper.make_tensor_value_info("steps", TensorProto.FLOAT, shapes)
    held = [numpy_helper.from_array(v, n) for n, v in values.items()]
    graph = helper.make_graph(nodes, "tiny", entries, [out], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return bytes(model.SerializeToString())


def _text() -> bytes:
    """ids [1, T] -> their rows of a table of the whole vocabulary."""
    from onnx import helper

    table = np.random.default_rng(1).normal(size=(VOCABULARY, WIDTH)).astype(np.float32)
    nodes = [helper.make_node("Gather", ["table", "ids"], ["steps"], axis=0)]
    return _model(nodes, {"ids": (np.int64, [1, "T"])}, [1, "T", WIDTH], table=table)


def _speech() -> bytes:
    """wave [1, S] -> how much of each of eight frequencies every 20 ms has: [1, T, 8]."""
    from onnx import helper

    at = np.arange(400) / 16000
    tones = [np.sin(2 * np.pi * f * at) for f in 150 * 1.5 ** np.arange(WIDTH)]
    kernel = (np.stack(tones)[:, None] / 40).astype(np.float32)
    nodes = [
        helper.make_node("Unsqueeze", ["wave", "one"], ["channel"]),
        helper.make_node("Conv", ["channel", "kernel"], ["waves"], strides=[320], pads=[40, 40]),
        helper.make_node("Abs", ["waves"], ["loud"]),
        helper.make_node("Transpose", ["loud"], ["steps"], perm=[0, 2, 1]),
    ]
    one = np.array([1], np.int64)
    inputs = {"wave": (np.float32, [1, "S"])}
    return _model(nodes, inputs, [1, "T", WIDTH], kernel=kernel, one=one)


def _face() -> bytes:
    """pixels [N, 2304] -> eight sums of them: [N, 8]."""
    from onnx import helper

    map_ = np.random.default_rng(3).normal(size=(2304, WIDTH)).astype(np.float32) / 48
    nodes = [helper.make_node("MatMul", ["pixels", "map"], ["steps"])]
    inputs = {"pixels": (np.float32, ["N", 2304])}
    return _model(nodes, inputs, ["N", WIDTH], map=map_)


def add_heads(folder: Path | str) -> Path:
    """Add made-up heads to a tiny artefact: dimensions of text and the intensity of speech."""
    from safetensors.numpy import save

    from moodal.core.dimensions import DIMENSIONS
    from moodal.model.value_info import HeadInfo, ValueInfo

    old = artefact.read(folder)
    rng, files, heads = np.random.default_rng(3), {}, {}
    for kind, modality, names in (
        ("dimensions", "text", DIMENSIONS),
        ("intensity", "speech", ("intensity",)),
    ):
        low = -1.0 if kind == "dimensions" else 0.0
        tensors = {
            "mean": np.zeros(WIDTH),
            "deviation": np.ones(WIDTH),
            "linear": 0.1 * rng.normal(size=(WIDTH, len(names))),
            "offset": np.full(len(names), 0.3 if kind == "intensity" else 0.0),
            "project": rng.normal(size=(WIDTH, 5)),
            "project_bias": np.zeros(5),
            "out": 0.05 * rng.normal(size=(5, len(names))),
        }
        files[f"{kind}.safetensors"] = save({k: v.astype(np.float16) for k, v in tensors.items()})
        files[f"{kind}.LICENCE.txt"] = b"Made up.\n"
        heads[kind] = {
            modality: HeadInfo(
                file=f"{kind}.safetensors",
                terms=f"{kind}.LICENCE.txt",
                values=tuple(ValueInfo(name=name, low=low, high=1.0) for name in names),
                corpus="made up",
                licence="CC BY-SA 4.0",
                test=dict.fromkeys(names, 0.5),
            )
        }
    info = old.info.model_copy(update={"body": old.fused.model_copy(update=heads)})
    graphs = {n: old.file(n).read_bytes() for n in old.info.files if n.endswith(".onnx")}
    card = "# Tiny\n"
    return artefact.write(folder, info, old.weights(), old.vectors(), card, {**graphs, **files})
