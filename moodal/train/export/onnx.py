"""ONNX: export the network of a branch as a graph, for prediction without PyTorch.

A graph reads one utterance, or pictures, and returns the states of its steps: nothing is padded,
so nothing is masked. Its weights may be stored in 8 bits, a quarter of the size.
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

from moodal.core.errors import MissingDependencyError, UsageError, installation
from moodal.model.branches import LAYERS, session
from moodal.train.backbones.face import SIDE, FaceNetwork
from moodal.train.backbones.frames import FrameNetwork
from moodal.train.backbones.text import TextBackbone
from moodal.train.backbones.text_layers import TextLayers
from moodal.train.backbones.whisper_layers import WhisperLayers
from moodal.train.data.dataset import Scale
from moodal.train.layers.recurrent import Recurrent
from moodal.train.systems.system import KeyedScoring

OPSET = 18
LARGE = 10_000
"""The least number of weights of a matrix that is stored in 8 bits."""


@dataclass(frozen=True)
class Preparation:
    """The preparation of features by `moodal.train.data.dataset.TensorData` before the network.

    Attributes:
        scale: the mean and deviation that standardise them; None for none.
        trim: whether all-zero steps at both ends are cut.
        max_steps: the number of steps that are kept (0: all).
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
    """The network of features [T, D] with their preparation, for one utterance.

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
    """PyTorch's RNN with the weights of a `Recurrent`: features [T, D] -> last states [1, H].

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
    """A network that says itself what it computes of one utterance: features [T, D] -> [T, H]."""

    def __init__(self, network: FrameNetwork | TextLayers):
        super().__init__()
        self.body = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.body.states(frames)


@dataclass(frozen=True)
class Form:
    """The module and the input with which the network of a modality is exported.

    Attributes:
        module: the network for one utterance.
        input: the name of the graph's input, by which prediction chooses what to feed.
        example: an example of the input, for tracing.
        varying: axis of the input -> the name of its varying size.
    """

    module: nn.Module
    input: str
    example: Tensor
    varying: dict[int, str]


def _text(body: Any) -> Form:
    """Export a text network: token numbers [1, T] int64 -> [1, T, H]."""
    return Form(_Text(body), "ids", torch.randint(5, 3000, (1, 9)), {0: "texts", 1: "pieces"})


def _speech(body: Any) -> Form:
    """Export a speech network: samples [1, S] -> [1, T, H]."""
    return Form(_Speech(body), "wave", torch.randn(1, 20000), {1: "samples"})


def _face(body: Any) -> Form:
    """Export a face network: pixels [N, 2304] -> [N, H]."""
    return Form(_Face(body), "pixels", torch.rand(2, SIDE * SIDE), {0: "pictures"})


FORMS: dict[type[nn.Module], Callable[[Any], Form]] = {
    TextBackbone: _text,
    WhisperLayers: _speech,
    FaceNetwork: _face,
}
"""The type of a network that reads a medium itself -> its form."""

READERS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    Recurrent: _Last,
    FrameNetwork: _Steps,
    TextLayers: _Steps,
    TextBackbone: lambda body: nn.Identity(),
}
"""The type of a network that reads features -> its version for one utterance, [T, D] -> [T', H]."""


def form(keyed: KeyedScoring, width: int, preparation: Preparation) -> Form:
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
    keyed: KeyedScoring, width: int, *, bits: int = 32, preparation: Preparation = Preparation()
) -> bytes:
    """Export the network of a modality as an ONNX graph.

    Its output "steps" is [1, T, H]; for pictures and for features [T, H].

    Args:
        keyed: the network and the maps of its words.
        width: the number of values in a step of its features.
        bits: 32, or 8 for large matrices, kernels and tables, see `in_8_bits`.
        preparation: the preparation of its features in training.

    Raises:
        MissingDependencyError: the package onnx is not installed.
        UsageError: words, samples or pixels are standardised.
    """
    chosen = form(keyed, width, preparation)
    content = exported(chosen.module, chosen.input, chosen.example, chosen.varying)
    return content if bits == 32 else in_8_bits(content)


def exported(module: nn.Module, name: str, example: Tensor, varying: dict[int, str]) -> bytes:
    """Trace a module of one input and one output "steps" as an ONNX graph.

    Args:
        name: of the input.
        example: of the input.
        varying: axis of the input -> the name of its varying size.

    Raises:
        MissingDependencyError: the package onnx is not installed.
    """
    try:
        import onnx  # noqa: F401  torch's exporter needs it
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"Writing ONNX graphs needs the package onnx; {installation('train')}."
        ) from None
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), _quiet():
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            module.eval(),
            (example,),
            path,
            input_names=[name],
            output_names=["steps"],
            dynamic_axes={name: varying},
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()


def in_8_bits(content: bytes) -> bytes:
    """Store the large matrices, kernels and tables of a graph in 8 bits.

    Each column has a scale (of kernels: each output channel; of tables: each row). The arithmetic
    stays in 32 bits, so only the weights are rounded. Kernels of one input channel, such as the
    waves of a transform, stay in 32 bits, and what is in 8 bits already stays as it is.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(content)
    graph = model.graph
    large = {
        i.name: i
        for i in graph.initializer
        if i.data_type == TensorProto.FLOAT
        and np.prod(i.dims) >= LARGE
        and len(i.dims) >= 2
        and i.dims[1] > 1
    }
    places = {"MatMul": 1, "Conv": 1, "Gather": 0, "Slice": 0}
    nodes: list[Any] = []
    done: set[str] = set()
    same: dict[str, str] = {}  # the exporter names equal weights separately
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in large:
            same[node.output[0]] = node.input[0]
            continue
        node.input[:] = [same.get(name, name) for name in node.input]
        name = node.input[places[node.op_type]] if node.op_type in places else ""
        if name not in large or (node.op_type != "Conv" and len(large[name].dims) != 2):
            nodes.append(node)
            continue
        axis = 1 if node.op_type in ("MatMul", "Slice") else 0
        if name not in done:
            whole, scale = _rounded(numpy_helper.to_array(large[name]), axis)
            graph.initializer.append(numpy_helper.from_array(whole, f"{name}.8"))
            graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
            done.add(name)
        if node.op_type == "Gather":
            nodes += _looked_up(node, name)
        elif node.op_type == "Slice":  # only the rows that are needed are unpacked
            sliced, out = f"{node.output[0]}.8", node.output[0]
            nodes.append(helper.make_node("Slice", [f"{name}.8", *node.input[1:]], [sliced]))
            stored = [sliced, f"{name}.scale"]
            nodes.append(helper.make_node("DequantizeLinear", stored, [out], axis=axis))
        else:
            stored = [f"{name}.8", f"{name}.scale"]
            restored = f"{node.output[0]}.weights"
            nodes.append(helper.make_node("DequantizeLinear", stored, [restored], axis=axis))
            node.input[1] = restored
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [i for i in graph.initializer if i.name in used]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def in_4_bits(content: bytes, block: int = 32) -> bytes:
    """Store the matrices of a graph in 4 bits, with a scale for each block of inputs.

    The value of the largest size in a block, with its sign, gets the number -8, so that weights
    that come from such blocks are stored without a further error. Activations are rounded to 8
    bits a block, each step by itself, so a text's states do not depend on its batch.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(content)
    graph = model.graph
    stored = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    nodes = []
    for node in graph.node:
        weights = stored.get(node.input[1]) if node.op_type == "MatMul" else None
        if weights is None or weights.ndim != 2 or weights.shape[0] % block:
            nodes.append(node)
            continue
        name = node.input[1]
        bits, scales = _in_blocks(weights.T, block)
        graph.initializer.append(numpy_helper.from_array(bits, f"{name}.4"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
        nodes.append(
            helper.make_node(
                "MatMulNBits",
                [node.input[0], f"{name}.4", f"{name}.scale"],
                list(node.output),
                domain="com.microsoft",
                K=weights.shape[0],
                N=weights.shape[1],
                bits=4,
                block_size=block,
                accuracy_level=4,
            )
        )
    used = {name for node in nodes for name in node.input}
    kept = [i for i in graph.initializer if i.name in used]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return bytes(model.SerializeToString())


def _in_blocks(weights: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Round weights [out, in] to 4 bits: bytes [out, blocks, block / 2], scales [out, blocks]."""
    blocks = weights.reshape(len(weights), -1, block)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)
    scales = np.where(largest == 0, 1, largest / -8).astype(np.float32)
    bits = np.clip(np.rint(blocks / scales) + 8, 0, 15).astype(np.uint8)
    return bits[..., 0::2] | (bits[..., 1::2] << 4), scales[..., 0]


def with_layers(content: bytes) -> bytes:
    """Add the output "layers" to a graph of a post-norm transformer: [..., T, layers x H].

    It holds the states of all layers side by side, the last layer last, and before them the
    embeddings, if the graph has these. Each layer ends in the second of its two normalisations.
    The nodes and weights stay as they are; a graph that has the output already, or no such
    layers, is returned as it is.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_from_string(content)
    graph = model.graph
    norms = [node.output[0] for node in graph.node if node.op_type == "LayerNormalization"]
    # that of the embeddings where there is one, then every second
    ends = norms[::2] if len(norms) % 2 else norms[1::2]
    if LAYERS in [output.name for output in graph.output] or len(norms) < 3:
        return content
    state = graph.output[0].name
    sources = {node.output[0]: node.input[0] for node in graph.node if node.input}
    if state not in ends and sources.get(state) not in ends:
        return content
    joined = LAYERS if state in ends else f"{LAYERS}.batch"
    graph.node.append(helper.make_node("Concat", ends, [joined], axis=-1))
    if joined != LAYERS:  # the graph takes its states out of a batch of one
        graph.node.append(helper.make_node("Constant", [], [f"{LAYERS}.first"], value_ints=[0]))
        graph.node.append(helper.make_node("Squeeze", [joined, f"{LAYERS}.first"], [LAYERS]))
    shape = [None] * len(graph.output[0].type.tensor_type.shape.dim)
    graph.output.append(helper.make_tensor_value_info(LAYERS, TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _rounded(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Round weights to int8, with a scale for each place along ``axis``."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scale = np.abs(values).max(others, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale.ravel()


def _looked_up(node: Any, name: str) -> list[Any]:
    """Look up rows of a table in 8 bits and scale them, so that the whole is never unpacked."""
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


def run(content: bytes, values: np.ndarray) -> np.ndarray:
    """Run a graph of one input in ONNX Runtime, and return its first output."""
    one = session(content)
    out: np.ndarray = one.run(None, {one.get_inputs()[0].name: values})[0]
    return out


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the warnings of the exporter about what it traces."""
    import logging

    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
