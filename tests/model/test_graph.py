"""Graphs of strangers run known operators on their own weights, or not at all."""

import contextlib

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.model.artefact import DEFAULT
from moodal.model.branches import session
from moodal.model.graph import OPERATORS, require_safe

onnx = pytest.importorskip("onnx")
helper = onnx.helper


def model(nodes, weights=(), functions=()):
    given = [helper.make_tensor_value_info("frames", onnx.TensorProto.FLOAT, ["T", 2])]
    made = [helper.make_tensor_value_info("states", onnx.TensorProto.FLOAT, ["T", 2])]
    graph = helper.make_graph(nodes, "g", given, made, list(weights))
    return helper.make_model(
        graph, functions=list(functions), opset_imports=[helper.make_opsetid("", 17)]
    )


def weight():
    return onnx.numpy_helper.from_array(np.eye(2, dtype=np.float32), "map")


def product():
    return helper.make_node("MatMul", ["frames", "map"], ["states"])


def test_the_graphs_of_the_package_and_plain_ones_are_run():
    for path in DEFAULT.glob("*.onnx"):
        require_safe(path.read_bytes(), path)
    require_safe(model([product()], [weight()]).SerializeToString(), "g")


def looping():
    body = helper.make_graph([], "b", [], [])
    return model([helper.make_node("Loop", ["m", "c", "frames"], ["states"], body=body)])


def hidden():
    """Return a graph within an operator that is allowed."""
    return model([helper.make_node("Add", ["frames", "frames"], ["states"], body=looping().graph)])


def outside():
    tensor = weight()
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")
    tensor.ClearField("raw_data")
    return model([product()], [tensor])


def constant_outside():
    tensor = outside().graph.initializer[0]
    return model([helper.make_node("Constant", [], ["map"], value=tensor), product()])


def foreign():
    return model([helper.make_node("MatMul", ["frames", "map"], ["states"], domain="evil")])


def with_function():
    function = helper.make_function(
        "", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], []
    )
    return model([product()], [weight()], [function])


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (looping, "operator Loop is not allowed"),
        (hidden, "a graph within a graph"),
        (outside, "weights in another file"),
        (constant_outside, "weights in another file"),
        (foreign, "operator evil.MatMul is not allowed"),
        (with_function, "functions of its own"),
    ],
)
def test_a_graph_that_may_harm_is_refused(made, fault, tmp_path):
    path = tmp_path / "speech.onnx"
    path.write_bytes(made().SerializeToString())
    with pytest.raises(DataError, match=fault):
        session(str(path))


@pytest.mark.parametrize("name", ["Loop", "Scan", "If", "SequenceMap"])
def test_no_operator_repeats_others(name):
    assert name not in OPERATORS


def test_damaged_graphs_are_one_sentence(tmp_path):
    content = model([product()], [weight()]).SerializeToString()
    rng = np.random.default_rng(0)
    path = tmp_path / "g.onnx"
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), rng.integers(1, 6)):
            damaged[place] = rng.integers(256)
        path.write_bytes(bytes(damaged[: rng.integers(1, len(damaged) + 1)]))
        with contextlib.suppress(DataError):
            session(str(path))
