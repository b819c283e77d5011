"""ONNX graphs give what PyTorch gives: to 1e-4 in 32 bits, to a cosine of .998 in 8."""

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace
from moodal.train.backbones.settings import Backbone
from moodal.train.export import onnx as graphs
from moodal.train.systems import branch

SPACE = EmotionSpace(["a", "b"], "single", np.eye(2, 384))


def built(stream):
    torch.manual_seed(0)
    paths = {"text": "minilm", "speech": "whisper-tiny", "face": ""}
    backbone = Backbone(path=paths[stream], layers=1 if stream != "face" else 0)
    config = branch.Config(streams=(stream,), backbone=backbone, width=16)
    widths = {"text": 1, "speech": 1, "face": 2304}
    return branch.build(config, widths, SPACE).eval()


def example(stream, seed=1):
    rng = np.random.default_rng(seed)
    if stream == "text":
        return rng.integers(999, 20000, (1, 23))
    if stream == "speech":
        return rng.normal(size=(1, 30000)).astype(np.float32) * 0.1
    return rng.random((5, 2304), np.float32)


def told(system, stream, values):
    lengths = torch.tensor([values.shape[1] if stream != "face" else len(values)])
    given = {"text": values[..., None] + 1.0, "speech": values[..., None], "face": values[None]}
    with torch.no_grad():
        return system.body(torch.tensor(given[stream], dtype=torch.float32), lengths)[0][0].numpy()


@pytest.mark.parametrize("stream", ["text", "speech", "face"])
def test_equal_to_torch(stream):
    system, values = built(stream), example(stream)
    found = graphs.run(graphs.graph(system), values)
    found = found if stream == "face" else found[0]
    np.testing.assert_allclose(found, told(system, stream, values), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stream", ["text", "speech", "face"])
def test_eight_bits_are_near(stream):
    system, values = built(stream), example(stream)
    content = graphs.graph(system, bits=8)
    whole = graphs.graph(system)
    assert len(content) < 0.55 * len(whole)
    found, right = graphs.run(content, values), told(system, stream, values)
    found = found if stream == "face" else found[0]
    pooled, truth = found.mean(0), right.mean(0)
    assert pooled @ truth / np.linalg.norm(pooled) / np.linalg.norm(truth) > 0.998


def test_the_transform_of_sound_stays_exact():
    import onnx

    model = onnx.load_from_string(graphs.graph(built("speech"), bits=8))
    rounded = {
        tuple(i.dims) for i in model.graph.initializer if i.data_type == onnx.TensorProto.INT8
    }
    assert (384, 384, 3) in rounded  # Whisper's second convolution
    assert all(dims[1] > 1 for dims in rounded)
