"""Speaker encoder: write the network of Resemblyzer as the graph that runs without PyTorch.

`moodal.modalities.speech.speakers.encoder` reads it. The network is GE2E's (Wan et al.,
"Generalized End-to-End Loss for Speaker Verification", ICASSP 2018): three LSTM layers over mel
spectrograms, whose last state is projected and scaled to length 1. The weights are stored in 16
bits (in 8, vectors were up to 21 degrees off); the arithmetic stays in 32 bits.

    python -m moodal.train.export.speaker_encoder Resemblyzer-0.1.4-py3-none-any.whl
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.modalities.speech.speakers.encoder import GRAPH, LAYERS, STEP, WIDTH
from moodal.modalities.speech.speakers.mel import BANDS

WEIGHTS = "resemblyzer/pretrained.pt"
OPSET = 17
GATES = (0, 3, 1, 2)
"""The places in PyTorch of ONNX's gates: input, output, forget, cell."""


def read_weights(wheel: Path | str) -> dict[str, np.ndarray]:
    """Read the weights of the network from the wheel of Resemblyzer.

    Raises:
        DataError: the file is no such wheel.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(WEIGHTS)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{wheel} holds no {WEIGHTS} ({error}); give the wheel of Resemblyzer 0.1.4."
        ) from None
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["model_state"]
    return {name: value.numpy() for name, value in state.items()}


def graph(weights: Mapping[str, np.ndarray]) -> bytes:
    """Build the graph: mel [B, 10 T, 40] -> the mean states of three layers [B, T, 768]."""
    import onnx
    from onnx import TensorProto, helper

    nodes: list[Any] = [helper.make_node("Transpose", ["mel"], ["states0"], perm=[1, 0, 2])]
    stored: list[Any] = []

    def constant(name: str, values: np.ndarray) -> str:
        stored.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def matrix(name: str, values: np.ndarray) -> str:
        constant(f"{name}.16", values.astype(np.float16))
        nodes.append(helper.make_node("Cast", [f"{name}.16"], [name], to=TensorProto.FLOAT))
        return name

    for layer in range(LAYERS):
        inputs = [f"states{layer}"]
        for kind in ("ih", "hh"):
            values = _gates(weights[f"lstm.weight_{kind}_l{layer}"])[None]
            inputs.append(matrix(f"{kind}{layer}", values))
        biases = [_gates(weights[f"lstm.bias_{kind}_l{layer}"]) for kind in ("ih", "hh")]
        inputs.append(constant(f"bias{layer}", np.concatenate(biases)[None]))
        every = f"every{layer}"
        nodes.append(helper.make_node("LSTM", inputs, [every], hidden_size=WIDTH))
        one = constant(f"direction{layer}", np.array([1]))
        nodes.append(helper.make_node("Squeeze", [every, one], [f"states{layer + 1}"]))
    steps = constant("steps", np.array([0, -1, STEP, WIDTH]))
    for layer in range(1, LAYERS + 1):
        states, frames, mean = f"states{layer}", f"frames{layer}", f"mean{layer}"
        nodes += [
            helper.make_node("Transpose", [states], [f"{states}.chunks"], perm=[1, 0, 2]),
            helper.make_node("Reshape", [f"{states}.chunks", steps], [frames]),
            helper.make_node("ReduceMean", [frames], [mean], axes=[2], keepdims=0),
        ]
    means = [f"mean{layer}" for layer in range(1, LAYERS + 1)]
    nodes.append(helper.make_node("Concat", means, ["means"], axis=2))
    mel = helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["chunks", "frames", BANDS])
    out = helper.make_tensor_value_info(
        "means", TensorProto.FLOAT, ["chunks", "steps", LAYERS * WIDTH]
    )
    whole = helper.make_graph(nodes, "speaker_encoder", [mel], [out], stored)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _gates(values: np.ndarray) -> np.ndarray:
    """Bring the gates of an LSTM, the rows of [4 H, ...], into ONNX's order."""
    return np.concatenate([np.split(values, 4)[place] for place in GATES])


def write(wheel: Path | str, path: Path = GRAPH) -> Path:
    """Write the graph of the wheel's network.

    Raises:
        DataError: the file is no wheel of Resemblyzer.
    """
    content = graph(read_weights(wheel))
    with replacing(path) as part:
        part.write_bytes(content)
    return path


def main() -> None:
    """Write the graph into the package."""
    parser = argparse.ArgumentParser(description="Write the graph of the speaker encoder.")
    parser.add_argument("wheel", type=Path, help="Resemblyzer-0.1.4-py3-none-any.whl")
    print(f"Written to {write(parser.parse_args().wheel)}.")


if __name__ == "__main__":
    main()
