"""The graph of the speaker encoder: equal to PyTorch's LSTM, from a wheel of Resemblyzer."""

import io
import zipfile

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from moodal.core.errors import DataError
from moodal.train.export.speaker_encoder import WEIGHTS, graph, read_weights, write


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel with the weights of an untrained network, and the network."""
    torch.manual_seed(0)
    network = nn.LSTM(40, 256, 3, batch_first=True)
    state = {f"lstm.{name}": value for name, value in network.state_dict().items()}
    content = io.BytesIO()
    torch.save({"model_state": state, "step": 3}, content)
    path = tmp_path_factory.mktemp("wheel") / "Resemblyzer.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(WEIGHTS, content.getvalue())
    return path, network


def test_the_graph_gives_the_mean_states_of_each_layer(wheel, tmp_path):
    pytest.importorskip("onnx")
    path, network = wheel
    content = write(path, tmp_path / "graph.onnx").read_bytes()
    assert content == graph(read_weights(path))
    mel = np.random.default_rng(0).random((3, 40, 40)).astype(np.float32)
    means = onnxruntime.InferenceSession(content).run(None, {"mel": mel})[0]
    assert means.shape == (3, 4, 768)
    states, _ = network(torch.from_numpy(mel))
    expected = states.detach().numpy().reshape(3, 4, 10, 256).mean(2)
    assert np.abs(means[..., 512:] - expected).max() < 1e-3
    assert np.abs(expected).max() > 0.05


@pytest.mark.parametrize("content", [b"no archive", None])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "other.whl"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("other.txt", "x")
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"give the wheel of Resemblyzer 0\.1\.4"):
        read_weights(path)
