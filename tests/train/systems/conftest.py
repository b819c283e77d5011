"""Small widths, spaces and batches, shared by the systems' tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from moodal.core.emotions import EmotionSpace
from moodal.train.data.batch import Stream

WIDTHS = {"text": 8, "speech": 6, "face": 5}
MakeStreams = Callable[..., dict[str, Stream]]


@pytest.fixture
def widths() -> dict[str, int]:
    return dict(WIDTHS)


@pytest.fixture
def space() -> EmotionSpace:
    vectors = np.random.default_rng(0).normal(size=(3, 8))
    return EmotionSpace(["angry", "happy", "sad"], vectors=vectors)


@pytest.fixture
def make_streams() -> MakeStreams:
    """``make(lengths, padding=0, junk=0.0)``: the same values for the same clip, however padded.

    ``lengths`` is one list for all streams, or stream -> list.
    """

    def make(
        lengths: Sequence[int] | dict[str, Sequence[int]], padding: int = 0, junk: float = 0.0
    ) -> dict[str, Stream]:
        streams = {}
        for m, width in WIDTHS.items():
            own = lengths[m] if isinstance(lengths, dict) else lengths
            values = torch.full((len(own), max(own) + padding, width), junk)
            for i, n in enumerate(own):
                seed = torch.Generator().manual_seed(100 * i + width)
                values[i, :n] = torch.randn(9, width, generator=seed)[:n]
            streams[m] = Stream(values, torch.tensor(own))
        return streams

    return make
