"""onnx: the network of a branch as an ONNX graph, for prediction without PyTorch.

A graph reads one utterance, or pictures, and gives the states of its steps: nothing is padded, so
nothing is masked. Its weights may be kept in 8 bits, a quarter of the size.
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodal.core.errors import MissingDependencyError, UsageError
from moodal.train.backbones.face import SIDE, FaceNetwork
from moodal.train.backbones.frames import FrameNetwork
from moodal.train.backbones.text import TextBackbone
from moodal.train.backbones.whisper_layers import WhisperLayers
from moodal.train.data.dataset import Scale
from moodal.train.layers.recurrent import Recurrent
from moodal.train.systems.system import Keyed

OPSET = 18
LARGE = 10_000
"""Weights of a matrix from which it is kept in 8 bits."""


@dataclass(frozen=True)
class Preparation:
    """What `moodal.train.data.dataset.TensorData` does to features before a network reads them.

    Attributes:
        scale: what they are standardised by.
        trim: all-zero steps at both ends are cut.
        max_steps: steps that are kept (0: all).
    """

    scale: Scale | None = None
    trim: bool = False
    max_steps: int = 0


class _Text(nn.Module):
    def __init__(self, body: TextBackbone):
        super().__init__()
        self.body = body

    def forward(self, ids: Tensor) -> Tensor:
        return self.body.states(ids)


class _Speech(nn.Module):
    def __init__(self, body: WhisperLayers):
        super().__init__()
        self.body = body

    def forward(self, wave: Tensor) -> Tensor:
        model: Any = self.body.upper.model
        frames = F.gelu(model.conv2(F.gelu(model.conv1(self.body.mel(wave))))).transpose(1, 2)
        hidden = frames + model.embed_positions.weight[: frames.shape[1]]
        for layer in model.layers:
            hidden = layer(hidden, None)
        states: Tensor = model.layer_norm(hidden)
        return states


class _Face(nn.Module):
    def __init__(self, body: FaceNetwork):
        super().__init__()
        self.body = body

    def forward(self, pixels: Tensor) -> Tensor:
        pictures = pixels.reshape(-1, 1, SIDE, SIDE)
        return (self.body.states(pictures) + self.body.states(pictures.flip(3))) / 2


class _Frames(nn.Module):
    """Features [T, D] of one utterance, prepared as in training, and the network that reads them.

    Args:
        network: features [T, D] -> states [T', H].
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, preparation: Preparation, width: int):
        super().__init__()
        self.network, self.trim, self.max_steps = network, preparation.trim, preparation.max_steps
        scale = preparation.scale or Scale(np.zeros(width), np.ones(width))
        self.register_buffer("mean", torch.tensor(scale.mean, dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor(scale.deviation, dtype=torch.float32))

    def forward(self, frames: Tensor) -> Tensor:
        filled = (frames != 0).any(1)
        if self.trim:
            count = filled.long()
            inside = (count.cumsum(0) > 0) & (count.flip(0).cumsum(0).flip(0) > 0)
            frames, filled = frames[inside], filled[inside]
        if self.max_steps:
            frames, filled = frames[: self.max_steps], filled[: self.max_steps]
        frames = (frames - self.mean) / self.deviation * filled[:, None]
        states: Tensor = self.network(frames)
        return states


class _Last(nn.Module):
    """PyTorch's own RNN with the weights of a `Recurrent`: features [T, D] -> [1, H].

    The two directions of the last step are summed, as EEA does.
    """

    def __init__(self, network: Recurrent):
        super().__init__()
        kind = nn.LSTM if network.cell == "lstm" else nn.GRU
        width = network.get_parameter("weight_ih_l0").shape[1]
        self.rnn = kind(
            width,
            network.hidden,
            network.layers,
            batch_first=True,
            bidirectional=len(network.directions) == 2,
        )
        self.rnn.load_state_dict(network.state_dict())
        self.hidden = network.hidden

    def forward(self, frames: Tensor) -> Tensor:
        steps: Tensor = self.rnn(frames[None])[0]
        last: Tensor = steps[:, -1].reshape(1, -1, self.hidden).sum(1)
        return last


class _Steps(nn.Module):
    """Each step by itself: features [T, D] -> [T, H]."""

    def __init__(self, network: FrameNetwork):
        super().__init__()
        self.body = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.body.states(frames)


@dataclass(frozen=True)
class Form:
    """How the network of a modality becomes a graph.

    Attributes:
        module: reads one utterance.
        input: the name of the graph's input, by which prediction knows what to feed.
        example: of an input.
        varying: axis of the input -> the name of its varying size.
    """

    module: nn.Module
    input: str
    example: Tensor
    varying: dict[int, str]


def _text(body: Any) -> Form:
    """Token numbers [1, T] int64 -> [1, T, H]."""
    return Form(_Text(body), "ids", torch.randint(5, 3000, (1, 9)), {0: "texts", 1: "pieces"})


def _speech(body: Any) -> Form:
    """Samples [1, S] -> [1, T, H]."""
    return Form(_Speech(body), "wave", torch.randn(1, 20000), {1: "samples"})


def _face(body: Any) -> Form:
    """Pixels [N, 2304] -> [N, H]."""
    return Form(_Face(body), "pixels", torch.rand(2, SIDE * SIDE), {0: "pictures"})


FORMS: dict[type[nn.Module], Callable[[Any], Form]] = {
    TextBackbone: _text,
    WhisperLayers: _speech,
    FaceNetwork: _face,
}
"""Network that reads a medium itself -> its form."""

READERS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    Recurrent: _Last,
    FrameNetwork: _Steps,
    TextBackbone: lambda body: nn.Identity(),
}
"""Network that reads features -> the same for one utterance, [T, D] -> [T', H]."""


def form(keyed: Keyed, width: int, preparation: Preparation) -> Form:
    """Choose the form of a network, see `graph`."""
    network = keyed.network
    reads_features = not isinstance(network, WhisperLayers | FaceNetwork) and (
        not isinstance(network, TextBackbone) or network.model is None
    )
    if reads_features:
        inner = READERS[type(network)](network)
        module = _Frames(inner, preparation, width)
        return Form(module, "frames", torch.randn(7, width), {0: "steps"})
    if preparation.scale is not None:
        raise UsageError(
            f"{keyed.stream}: words, samples and pixels are read as they are; set "
            "data.standardise = false."
        )
    return FORMS[type(network)](network)


def graph(
    keyed: Keyed, width: int, *, bits: int = 32, preparation: Preparation = Preparation()
) -> bytes:
    """Export what reads a modality as an ONNX graph.

    Its output "steps" is [1, T, H]; of pictures and of features [T, H].

    Args:
        keyed: of the system.
        width: values of a step of its features.
        bits: 32, or 8 for large matrices, kernels and tables, see `in_8_bits`.
        preparation: of features.

    Raises:
        MissingDependencyError: the package onnx is not installed.
        UsageError: words, samples or pixels are standardised.
    """
    try:
        import onnx  # noqa: F401  torch's exporter needs it
    except ModuleNotFoundError:
        raise MissingDependencyError(
            "Writing ONNX graphs needs the package onnx: pip install 'moodal[train]'."
        ) from None
    chosen = form(keyed, width, preparation)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), _quiet():
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            chosen.module.eval(),
            (chosen.example,),
            path,
            input_names=[chosen.input],
            output_names=["steps"],
            dynamic_axes={chosen.input: chosen.varying},
            opset_version=OPSET,
            dynamo=False,
        )
        content = path.read_bytes()
    return content if bits == 32 else in_8_bits(content)


def in_8_bits(content: bytes) -> bytes:
    """A graph whose large matrices, kernels and tables are kept in 8 bits, a scale for each column
    (of kernels: output channel; of tables: row). Its arithmetic stays in 32 bits, so only the
    weights are rounded; a kernel of one input channel, such as a transform's waves, is not."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(content)
    graph = model.graph
    held = {
        i.name: i
        for i in graph.initializer
        if np.prod(i.dims) >= LARGE and len(i.dims) >= 2 and i.dims[1] > 1
    }
    places = {"MatMul": 1, "Conv": 1, "Gather": 0}
    nodes: list[Any] = []
    done: set[str] = set()
    same: dict[str, str] = {}  # the exporter gives equal weights a name each
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in held:
            same[node.output[0]] = node.input[0]
            continue
        node.input[:] = [same.get(name, name) for name in node.input]
        name = node.input[places[node.op_type]] if node.op_type in places else ""
        if name not in held or (node.op_type != "Conv" and len(held[name].dims) != 2):
            nodes.append(node)
            continue
        axis = 1 if node.op_type == "MatMul" else 0
        if name not in done:
            whole, scale = _rounded(numpy_helper.to_array(held[name]), axis)
            graph.initializer.append(numpy_helper.from_array(whole, f"{name}.8"))
            graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
            done.add(name)
        if node.op_type == "Gather":
            nodes += _looked_up(node, name)
        else:
            told = [f"{name}.8", f"{name}.scale"]
            back = f"{node.output[0]}.weights"
            nodes.append(helper.make_node("DequantizeLinear", told, [back], axis=axis))
            node.input[1] = back
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [i for i in graph.initializer if i.name in used]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _rounded(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights as int8, and the scale of each of their places along ``axis``."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scale = np.abs(values).max(others, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale.ravel()


def _looked_up(node: Any, name: str) -> list[Any]:
    """A table's rows, taken in 8 bits and then scaled, so that the whole is never unpacked."""
    from onnx import TensorProto, helper

    rows, out = node.input[1], node.output[0]
    return [
        helper.make_node("Gather", [f"{name}.8", rows], [f"{out}.8"]),
        helper.make_node("Cast", [f"{out}.8"], [f"{out}.float"], to=TensorProto.FLOAT),
        helper.make_node("Gather", [f"{name}.scale", rows], [f"{out}.scales"]),
        helper.make_node("Constant", [], [f"{out}.last"], value_ints=[-1]),
        helper.make_node("Unsqueeze", [f"{out}.scales", f"{out}.last"], [f"{out}.column"]),
        helper.make_node("Mul", [f"{out}.float", f"{out}.column"], [out]),
    ]


def session(content: bytes) -> Any:
    """ONNX Runtime, ready to run a graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run(content: bytes, values: np.ndarray) -> np.ndarray:
    """What ONNX Runtime makes of a graph's one input: its output."""
    one = session(content)
    out: np.ndarray = one.run(None, {one.get_inputs()[0].name: values})[0]
    return out


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of what it traces."""
    import logging

    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
