"""A branch's logit is a sum over steps, for any words."""

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import MissingStreamError, SpaceError, UsageError
from moodal.train.backbones.settings import Backbone
from moodal.train.data.batch import Stream
from moodal.train.systems import branch
from moodal.train.systems.section import parse_system

RNG = np.random.default_rng(0)
SPACE = EmotionSpace(["anger", "joy"], "single", RNG.normal(size=(2, 6)))


def built(**config):
    torch.manual_seed(0)
    settings = branch.Config(streams=("text",), joint=5, **config)
    return branch.build(settings, {"text": 4}, SPACE).eval()


def test_a_logit_is_the_mean_of_states_times_keys():
    system = built()
    states = torch.randn(3, 7, 4)
    lengths = torch.tensor([7, 2, 5])
    logits = system.scores({"text": Stream(states, lengths)}, SPACE)
    keys, offset = system.carried()
    vectors = torch.tensor(SPACE.vectors)
    for row in range(3):
        parts = states[row, : lengths[row]] @ keys @ vectors.T / lengths[row]
        torch.testing.assert_close(
            parts.sum(0) + vectors @ offset, logits[row], atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("stream", ["pulse", "speech", "face"])
def test_features_of_any_modality_have_a_network_of_their_own(stream):
    torch.manual_seed(0)
    config = branch.Config(streams=(stream,), width=7, joint=5)
    system = branch.build(config, {stream: 3}, SPACE).eval()
    values, lengths = torch.randn(2, 4, 3), torch.tensor([4, 2])
    both = system.scores({stream: Stream(values, lengths)}, SPACE)
    alone = system.scores({stream: Stream(values[1:, :2], lengths[1:])}, SPACE)
    torch.testing.assert_close(both[1:], alone)
    assert system.keyed().map.shape == (7, 6)
    assert not system.features
    assert not system.backbone_parameters()
    backbone = {"backbone": Backbone(path="minilm")}
    with pytest.raises(UsageError, match=r"leave system\.backbone out"):
        branch.build(config.model_copy(update=backbone), {stream: 3}, SPACE)


def test_other_words_leave_the_others_scores():
    system, stream = built(), {"text": Stream(torch.randn(2, 3, 4), torch.tensor([3, 3]))}
    more = SPACE.add("relief", RNG.normal(size=6))
    torch.testing.assert_close(system.scores(stream, more)[:, :2], system.scores(stream, SPACE))


def test_identity_begins_with_likeness():
    space = EmotionSpace(["a", "b"], "single", np.eye(2, 4))
    config = branch.Config(streams=("text",), joint=4, identity=True)
    system = branch.build(config, {"text": 4}, space).eval()
    state = torch.tensor([[[0.5, -1.0, 3.0, 0.0]]])
    logits = system.scores({"text": Stream(state, torch.tensor([1]))}, space)
    assert logits.tolist() == [[0.5, -1.0]]


def test_what_is_wrong_is_said():
    system = built()
    stream = {"text": Stream(torch.randn(1, 3, 4), torch.tensor([3]))}
    with pytest.raises(SpaceError, match="vectors"):
        system.scores(stream, EmotionSpace(["a"]))
    with pytest.raises(MissingStreamError):
        system.scores({}, SPACE)
    with pytest.raises(SpaceError, match=r"space\.vectors"):
        branch.build(branch.Config(streams=("text",)), {"text": 4}, EmotionSpace(["a"]))
    with pytest.raises(UsageError, match="one stream"):
        parse_system({"name": "branch", "streams": ["text", "face"]}, "here")


def test_speech_asks_for_samples():
    config = branch.Config(streams=("speech",), backbone=Backbone(path="whisper-tiny", layers=1))
    system = branch.build(config, {"speech": 1}, SPACE)
    assert system.features == {"speech": {"name": "spoken"}}
    assert system.portable.backbone.architecture
    assert len(system.backbone_parameters()) > 5
