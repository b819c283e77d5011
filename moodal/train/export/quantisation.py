"""Quantisation: store the large weights of a graph in 8 or 4 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

LARGE = 10_000
"""The least number of weights of a matrix that is stored in 8 bits."""


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
