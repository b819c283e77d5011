"""System: every system derives from it, and states what it can do."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.train.data.batch import Batch, Stream, Streams
from moodal.train.systems import SYSTEMS
from moodal.train.systems.system import System
from moodal.train.systems.transcriber import Transcriber

SPACE = EmotionSpace(["happy", "sad"], "single")
STREAMS = {"text": Stream(torch.ones(2, 3, 4), torch.tensor([3, 1]))}


class Constant(System):
    """The smallest system: it has scores, and every default."""

    streams = ("text",)

    def scores(self, streams: Streams, space: EmotionSpace) -> Tensor:
        return torch.zeros(len(streams["text"].lengths), len(space))


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_of_the_table_derives_from_system(name) -> None:
    classes = [
        c
        for _, c in inspect.getmembers(SYSTEMS[name], inspect.isclass)
        if c.__module__ == SYSTEMS[name].__name__ and issubclass(c, torch.nn.Module)
    ]
    assert classes
    assert all(issubclass(c, System) for c in classes)
    for c in classes:
        multitask = c.objective is not System.objective
        assert c.multitask == multitask, "an objective that training would never compute"
        assert (c.transcribe is not System.transcribe) == issubclass(c, Transcriber)
        assert (c.start_rows is not System.start_rows) == c.keeps_rows
        assert (c.backbone_parameters is not System.backbone_parameters) == c.heavy


def test_the_defaults_are_a_closed_set_system_that_reads_features() -> None:
    model = Constant()
    assert not any((model.open_set, model.multitask, model.faithful, model.heavy))
    assert not any((model.transcribes, model.second_views))
    assert model.features == {}
    assert not model.keeps_rows
    assert model.start_rows(3, "cpu") == {}
    assert model.backbone_parameters() == []
    assert model.contributions(STREAMS, SPACE) == {}
    assert model.objective(Batch(STREAMS, torch.eye(2), torch.arange(2)), SPACE) is None
    assert model(STREAMS, SPACE).shape == (2, 2)
    with pytest.raises(UsageError, match="Constant does not transcribe"):
        model.transcribe(STREAMS)
    with pytest.raises(NotImplementedError):
        System()(STREAMS, SPACE)
