"""Graphs: the ONNX files of networks, read as far as is needed to trust and to describe them.

The package onnx is not needed. A graph of a stranger may read other files (weights kept outside it)
or never end (Loop), so only graphs of known operators, with all their weights inside, are run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from moodal.core.errors import DataError

_NAMES = """
Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Clip Concat Constant
ConstantOfShape Conv ConvInteger Cos CumSum DequantizeLinear Div DynamicQuantizeLinear Einsum
Elu Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm
GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid Identity
InstanceNormalization IsInf IsNaN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log
LogSoftmax MatMul MatMulInteger Max MaxPool Min Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow
QLinearConv QLinearMatMul QuantizeLinear RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp
ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round ScatterND
Shape Sigmoid Sign Sin Size Slice Softmax Softplus Split Sqrt Squeeze Sub Tanh Tile Transpose
Trilu Unsqueeze Where Xor
"""

OPERATORS = frozenset(_NAMES.split())
"""The operators that are run: arithmetic on tensors, without control flow."""

# the numbers of protobuf fields, see onnx.proto
_GRAPH, _FUNCTIONS = 7, 25
_NODE, _INITIALISER, _SPARSE = 1, 5, 15
_OPERATOR, _ATTRIBUTE, _DOMAIN = 4, 5, 7
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS = 5, 6, 10, 11
_EXTERNAL, _LOCATION = 13, 14


def require_safe(content: bytes, name: Path | str) -> None:
    """Check that a graph has known operators only, and all its weights in its own file.

    Args:
        content: the ONNX file.
        name: what messages call it.

    Raises:
        DataError: it has not, or it is no ONNX graph.
    """
    try:
        fault = next(_faults(memoryview(content)), "")
    except (IndexError, UnicodeDecodeError):
        fault = "it is no ONNX graph"
    if fault:
        raise DataError(f"{name} is not run: {fault}; copy or export the artefact again.")


def _faults(content: memoryview) -> Iterator[str]:
    """Yield what makes a graph unsafe."""
    fields = list(_all_fields(content))
    graphs = [part for number, part in fields if number == _GRAPH]
    if len(graphs) != 1:
        yield "it is no ONNX graph"
    if any(number == _FUNCTIONS for number, _ in fields):
        yield "it defines functions of its own"
    for graph in graphs:
        for number, part in _all_fields(graph):
            if number == _SPARSE:
                yield "it holds sparse weights"
            elif number == _INITIALISER:
                yield from _external(part)
            elif number == _NODE:
                yield from _node_faults(part)


def _node_faults(node: memoryview) -> Iterator[str]:
    fields = list(_all_fields(node))
    operator = b"".join(part for number, part in fields if number == _OPERATOR).decode()
    domain = b"".join(part for number, part in fields if number == _DOMAIN).decode()
    if domain not in ("", "ai.onnx") or operator not in OPERATORS:
        yield f"its operator {f'{domain}.' if domain else ''}{operator[:40]} is not allowed"
    for number, part in fields:
        if number == _ATTRIBUTE:
            yield from _attribute_faults(part)


def _attribute_faults(attribute: memoryview) -> Iterator[str]:
    for number, part in _all_fields(attribute):
        if number in (_SUBGRAPH, _SUBGRAPHS):
            yield "it holds a graph within a graph"
        elif number in (_TENSOR, _TENSORS):
            yield from _external(part)


def _external(tensor: memoryview) -> Iterator[str]:
    for number, part in _all_fields(tensor):
        if number == _EXTERNAL or (number == _LOCATION and part != b"\x00"):
            yield "it keeps weights in another file"


def graph_parameters(path: Path) -> int:
    """Count the weights in an ONNX graph, without the scales of weights in 8 bits.

    The package onnx is not needed: of the file (a ModelProto), only the names and sizes of the
    graph's initialisers are read.
    """
    count = 0
    for graph in _fields(memoryview(path.read_bytes()), _GRAPH):
        for tensor in _fields(graph, _INITIALISER):
            name = b"".join(_fields(tensor, 8)).decode("utf-8", "replace")
            if not name.endswith(("_scale", "_zero_point")):
                sizes = [n for packed in _fields(tensor, 1) for n in _numbers(packed)]
                count += math.prod(sizes)
    return count


def _fields(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """Yield the content of each field of one number in a protobuf message, without a copy."""
    return (part for number, part in _all_fields(message) if number == wanted)


def _all_fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and the content of each field of a protobuf message, without a copy."""
    place, end = 0, len(message)
    while place < end:
        key, place = message[place], place + 1
        if key > 127:
            key, place = _number(message, place - 1)
        kind, begin = key & 7, place
        if kind == 2:
            size, begin = message[place], place + 1
            if size > 127:
                size, begin = _number(message, place)
            place = begin + size
        elif kind == 0:
            _, place = _number(message, place)
        else:
            place += 8 if kind == 1 else 4
        yield key >> 3, message[begin:place]


def _numbers(packed: memoryview) -> Iterator[int]:
    """Yield the varints of a packed field."""
    place = 0
    while place < len(packed):
        value, place = _number(packed, place)
        yield value


def _number(message: memoryview, place: int) -> tuple[int, int]:
    """Read a varint; return it and the place behind it."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place
