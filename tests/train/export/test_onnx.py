"""ONNX graphs give what PyTorch gives: to 1e-4 in 32 bits, to a cosine of .998 in 8."""

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.core.records import Frames
from moodal.model.branches import Branch, run, session
from moodal.train.backbones.settings import Backbone
from moodal.train.data.dataset import Scale, TensorData
from moodal.train.export import onnx as graphs
from moodal.train.export.onnx import Preparation
from moodal.train.systems import branch, eea

SPACE = EmotionSpace(["a", "b"], "single", np.eye(2, 384))


def built(stream, **settings):
    torch.manual_seed(0)
    paths = {"text": "minilm", "speech": "whisper-tiny", "face": ""}
    backbone = Backbone(path=paths[stream], layers=1 if stream != "face" else 0, **settings)
    config = branch.Config(streams=(stream,), backbone=backbone, width=16)
    widths = {"text": 1, "speech": 1, "face": 2304}
    return branch.build(config, widths, SPACE).eval()


def exported(system, **more):
    widths = {"text": 1, "speech": 1, "face": 2304}
    return graphs.graph(system.keyed(), widths[system.streams[0]], **more)


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
    found = graphs.run(exported(system), values)
    found = found if stream == "face" else found[0]
    np.testing.assert_allclose(found, told(system, stream, values), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stream", ["text", "speech"])
def test_a_learned_sum_of_layers_is_a_part_of_the_graph(stream):
    system, values = built(stream, layer_sum=True), example(stream)
    body = system.body if stream == "text" else system.body.upper
    with torch.no_grad():
        body.layer_sum.weights.copy_(torch.tensor([0.5, -0.5]))
    graph = graphs.run(exported(system), values)[0]
    np.testing.assert_allclose(graph, told(system, stream, values), atol=1e-4, rtol=1e-4)
    assert np.abs(graph - told(built(stream), stream, values)).max() > 0.1


@pytest.mark.parametrize("only", [None, 1])
def test_stored_layers_are_summed_in_the_graph(only):
    settings = Backbone(stored_layers=3, only_layer=only)
    config = branch.Config(streams=("text",), backbone=settings)
    system = branch.build(config, {"text": 12}, SPACE).eval()
    frames = np.random.default_rng(1).normal(size=(7, 12)).astype(np.float32)
    got = graphs.run(graphs.graph(system.keyed(), 12), frames)
    layers = frames.reshape(7, 3, 4)
    np.testing.assert_allclose(got, layers.mean(1) if only is None else layers[:, only], atol=1e-6)


@pytest.mark.parametrize("stream", ["text", "speech", "face"])
def test_eight_bits_are_near(stream):
    system, values = built(stream), example(stream)
    content = exported(system, bits=8)
    whole = exported(system)
    assert len(content) < 0.55 * len(whole)
    found, right = graphs.run(content, values), told(system, stream, values)
    found = found if stream == "face" else found[0]
    pooled, truth = found.mean(0), right.mean(0)
    assert pooled @ truth / np.linalg.norm(pooled) / np.linalg.norm(truth) > 0.998


def test_the_transform_of_sound_stays_exact():
    import onnx

    model = onnx.load_from_string(exported(built("speech"), bits=8))
    rounded = {
        tuple(i.dims) for i in model.graph.initializer if i.data_type == onnx.TensorProto.INT8
    }
    assert (384, 384, 3) in rounded  # Whisper's second convolution
    assert all(dims[1] > 1 for dims in rounded)


def features(steps, seed=2):
    """Frames [T, 6] with zeros at both ends and one within."""
    frames = np.random.default_rng(seed).normal(size=(steps, 6)).astype(np.float32) * 3 + 1
    frames[:2], frames[-1], frames[steps // 2] = 0, 0, 0
    return frames


SCALE = Scale(np.linspace(-1, 1, 6).astype(np.float32), np.linspace(0.5, 2, 6).astype(np.float32))
PREPARATIONS = (Preparation(), Preparation(SCALE, trim=True), Preparation(SCALE, max_steps=5))


@pytest.mark.parametrize("preparation", PREPARATIONS, ids=["as they are", "trimmed", "cut"])
@pytest.mark.parametrize("kind", ["lstm", "gru", "branch"])
def test_features_of_any_modality_are_read_as_in_training(kind, preparation):
    torch.manual_seed(0)
    if kind == "branch":
        config = branch.Config(streams=("pulse",), width=9, joint=5)
        system = branch.build(config, {"pulse": 6}, SPACE).eval()
    else:
        config = eea.Config(streams=("pulse",), hidden={"pulse": 9}, cell=kind)
        system = eea.build(config, {"pulse": 6}, SPACE).eval()
    keyed = system.keyed()
    network = session(graphs.graph(keyed, 6, preparation=preparation))
    for steps in (7, 23):
        frames = features(steps)
        data = TensorData.of_frames(
            {"pulse": Frames.from_list([frames])},
            {} if preparation.scale is None else {"pulse": preparation.scale},
            trim=preparation.trim,
            max_steps=preparation.max_steps,
        )
        with torch.no_grad():
            states, _ = keyed.states(*data.batch(torch.tensor([0])).streams["pulse"])
        np.testing.assert_allclose(run(network, frames), states[0].numpy(), atol=1e-4, rtol=1e-4)


def test_features_of_nothing_but_padding_have_no_states(tmp_path):
    config = eea.Config(streams=("pulse",), hidden={"pulse": 9})
    keyed = eea.build(config, {"pulse": 6}, SPACE).eval().keyed()
    (tmp_path / "pulse.onnx").write_bytes(graphs.graph(keyed, 6, preparation=PREPARATIONS[1]))
    maps = keyed.map.detach().numpy(), keyed.offset.numpy()
    network = Branch("pulse", *maps, {"a": 1.0}, str(tmp_path / "pulse.onnx"))
    assert network.states(features(7)).shape == (1, 9)
    for frames in (np.zeros((4, 6)), np.zeros((0, 6))):
        assert network.states(frames).shape == (0, 9)


def test_pixels_are_not_standardised():
    with pytest.raises(UsageError, match=r"data\.standardise = false"):
        exported(built("face"), preparation=Preparation(SCALE))
