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
from moodal.train.export.quantisation import in_8_bits
from moodal.train.layers.recurrent import Recurrent
from moodal.train.systems.system import KeyedScoring

OPSET = 18


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
        return self.body.upper.transformed(hidden, None)


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


class _Stored(nn.Module):
    """Features that are read as they are, or as the learned sum of the layers in them."""

    def __init__(self, network: TextBackbone):
        super().__init__()
        self.body = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.body.stored(frames)


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
    TextBackbone: _Stored,
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
