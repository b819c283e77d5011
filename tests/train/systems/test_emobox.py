"""emobox: the head of EmoBox's code, by hand; its frames may be a learned sum of layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import MissingStreamError, SpaceError, UsageError
from moodal.core.strict import parse
from moodal.train.backbones.settings import Backbone
from moodal.train.data.batch import Stream
from moodal.train.systems import emobox

SPACE = EmotionSpace(["anger", "joy", "fear"], "single")


def built(width: int = 6, **settings: object) -> emobox.Emobox:
    torch.manual_seed(0)
    config = parse(emobox.Config, {"hidden": 4, **settings}, "test")
    return emobox.build(config, {"speech": width}, SPACE).eval()


def batch(width: int = 6) -> dict[str, Stream]:
    values = torch.randn(2, 5, width, generator=torch.Generator().manual_seed(1))
    values[1, 3:] = 0
    return {"speech": Stream(values, torch.tensor([5, 3]))}


@pytest.mark.parametrize("relu", [True, False])
def test_the_head_by_hand(relu: bool) -> None:
    system, streams = built(relu=relu), batch()
    got = system.scores(streams, SPACE)
    for row, n in enumerate((5, 3)):
        frames = streams["speech"].values[row, :n] @ system.pre_net.weight.T + system.pre_net.bias
        if relu:
            frames = nn.functional.relu(frames)
        want = system.post_net.weight @ frames.mean(0) + system.post_net.bias
        torch.testing.assert_close(got[row], want)


def test_stored_layers_are_summed_by_shares_that_learn() -> None:
    system, streams = built(speech=Backbone(stored_layers=3).model_dump()), batch()
    assert system.pre_net.in_features == 2
    assert "backbone.layer_sum.weights" in system.state_dict()
    layers = streams["speech"].values.unflatten(-1, (3, 2))
    alone = built(2)
    state = system.state_dict()
    alone.load_state_dict({k: v for k, v in state.items() if "layer_sum" not in k})
    summed = {"speech": Stream(layers.mean(2), streams["speech"].lengths)}
    torch.testing.assert_close(system.scores(streams, SPACE), alone.scores(summed, SPACE))
    optimiser = torch.optim.Adam(system.parameters(), lr=0.05)
    # only the last of the layers tells the emotion
    rows = torch.randint(3, (90,), generator=torch.Generator().manual_seed(2))
    values = torch.randn(90, 4, 6, generator=torch.Generator().manual_seed(3))
    values[..., 4] += 2.0 * (rows[:, None] == 0) - 2.0 * (rows[:, None] == 1)
    clips = {"speech": Stream(values, torch.full((90,), 4))}
    for _ in range(40):
        optimiser.zero_grad()
        nn.functional.cross_entropy(system.scores(clips, SPACE), rows).backward()
        optimiser.step()
    shares = system.backbone.layer_sum.shares
    assert shares[2] > 0.5
    torch.testing.assert_close(shares.sum(), torch.tensor(1.0))


def test_what_it_cannot_read_is_refused() -> None:
    with pytest.raises(SpaceError, match="closed-set"):
        built().scores(batch(), EmotionSpace(["joy"], "single"))
    with pytest.raises(MissingStreamError, match="emobox needs speech"):
        built().scores({}, SPACE)
    with pytest.raises(UsageError, match="name one stream"):
        built(streams=["speech", "text"])
    with pytest.raises(UsageError, match="no multiple of 4"):
        built(speech={"stored_layers": 4})
