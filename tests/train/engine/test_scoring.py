"""What a system's outputs mean: logits of emotions, numbers of values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.records import Frames
from moodal.train.data.dataset import TensorData
from moodal.train.engine.scoring import outputs, transcribe
from moodal.train.systems.system import System


class Echo(System):
    """A system whose outputs are its inputs."""

    def scores(self, streams, space):
        return streams["text"]

    def transcribe(self, streams):
        """Read the first number of each row."""
        return [str(int(row[0, 0])) for row in streams["text"].values]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outputs_count_halves_of_the_range_from_its_middle(dtype):
    space = Values([Value("trust", 1, 5), Value.of("valence"), Value.of("sentiment")])
    given = torch.tensor([[0.0, 0.5, 2.5], [-1.0, 1.0, -3.0]], dtype=dtype)
    numbers = outputs(Echo(), {"text": given}, space)
    assert numbers.dtype == torch.float32
    assert numbers.tolist() == [[3.0, 0.5, 2.5], [1.0, 1.0, -3.0]]
    ends = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    two = space.select(["trust", "valence"])
    np.testing.assert_allclose(outputs(Echo(), {"text": ends}, two), [two.low, two.high])


def test_outputs_of_emotions_are_their_logits():
    given = torch.tensor([[7.0, -7.0]])
    assert outputs(Echo(), {"text": given}, EmotionSpace(["joy", "fear"])) is given


def test_rows_are_transcribed_in_their_order_whatever_the_batches():
    lengths = [3, 1, 4, 2, 5]
    frames = Frames.from_list([np.full((length, 1), length, np.float32) for length in lengths])
    data = TensorData.of_frames({"text": frames}, {}, trim=False, max_steps=0)
    rows = np.array([4, 0, 3, 1])
    assert transcribe(Echo(), data, rows, size=2) == ["5", "3", "2", "1"]
