"""combine_graphs: several ONNX graphs that read the same input, as one graph.

The states of the graphs stand side by side, and what the graphs compute alike (a front-end of
spectra, say) is computed once and its weights are kept once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def combine_graphs(graphs: Sequence[bytes]) -> bytes:
    """Join graphs of one input and one output into a graph: [..., H] each -> [..., sum of H].

    Args:
        graphs: ONNX files whose inputs have the same name, and whose outputs differ in their last
            size only.
    """
    import onnx
    from onnx import TensorProto, compose, helper

    models = [onnx.load_from_string(content) for content in graphs]
    (given,), (output,) = models[0].graph.input, models[0].graph.output
    nodes: list[Any] = []
    initializers: list[Any] = []
    for number, model in enumerate(models):
        own = compose.add_prefix(model, f"{number}/", rename_inputs=False).graph
        nodes += own.node
        initializers += own.initializer
    nodes, initializers, same = _without_repeats(nodes, initializers)
    outputs = [f"{number}/{m.graph.output[0].name}" for number, m in enumerate(models)]
    names = [same.get(name, name) for name in outputs]
    nodes.append(helper.make_node("Concat", names, [output.name], axis=-1))
    shape = [None] * len(output.type.tensor_type.shape.dim)
    joined = helper.make_graph(
        nodes,
        "combine_graphs",
        [given],
        [helper.make_tensor_value_info(output.name, TensorProto.FLOAT, shape)],
        initializers,
    )
    whole = helper.make_model(
        joined,
        opset_imports=models[0].opset_import,
        ir_version=models[0].ir_version,
    )
    onnx.checker.check_model(whole)
    return bytes(whole.SerializeToString())


def _without_repeats(
    nodes: Sequence[Any], initializers: Sequence[Any]
) -> tuple[list[Any], list[Any], dict[str, str]]:
    """Drop nodes and weights that equal earlier ones; also return name -> the name that stays."""
    same: dict[str, str] = {}
    weights: dict[Any, str] = {}
    kept_weights, kept_nodes = [], []
    for tensor in initializers:
        content = tensor.raw_data or tensor.SerializeToString()
        first = weights.setdefault((tensor.data_type, *tensor.dims, content), tensor.name)
        if first == tensor.name:
            kept_weights.append(tensor)
        else:
            same[tensor.name] = first
    done: dict[Any, Sequence[str]] = {}
    for node in nodes:
        node.input[:] = [same.get(name, name) for name in node.input]
        attributes = sorted(a.SerializeToString() for a in node.attribute)
        first_outputs = done.setdefault(
            (node.op_type, node.domain, len(node.output), *node.input, "", *attributes),
            list(node.output),
        )
        if list(first_outputs) == list(node.output):
            kept_nodes.append(node)
        else:
            same.update(zip(node.output, first_outputs, strict=True))
    return kept_nodes, kept_weights, same
