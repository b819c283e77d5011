"""What a trained system takes of a row, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from moodal.core.errors import UsageError
from moodal.core.records import Frames
from moodal.modalities.encoder import Encoder, Item
from moodal.model.rows import RowEncoder
from moodal.train.data.dataset import trimmed
from moodal.train.engine.scorer import SystemScorer, TrimmedRow


@dataclass(frozen=True)
class Padded(Encoder):
    """Two frames with padding at both ends and between them."""

    name: ClassVar[str] = "padded"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = 2
    rate: ClassVar[None] = None

    def spec(self) -> dict[str, Any]:
        return {"name": self.name, "parameters": {}, "width": 2, "fingerprint": "abc"}

    def encode(self, item: Item) -> np.ndarray:
        return np.array([[0, 0], [1, 0], [0, 0], [0, 2], [0, 0]], np.float32)


def test_a_trimmed_row_is_the_row_as_training_trims_it():
    row, trimming = RowEncoder("text", Padded()), TrimmedRow("text", Padded())
    frames = Frames.from_list([row.encode("We won")])
    np.testing.assert_equal(trimming.encode("We won"), trimmed({"text": frames})["text"].values)
    np.testing.assert_equal(trimming.encode("We won"), [[1, 0], [0, 0], [0, 2]])
    assert trimming.encode("").shape == (0, 2)
    assert trimming.spec() == {**row.spec(), "name": "trimmed", "fingerprint": "abc-row-trimmed"}


def test_a_system_has_no_slices_of_time():
    system = SimpleNamespace(artefact=SimpleNamespace(info=SimpleNamespace(name="mine")))
    with pytest.raises(UsageError, match=r"mine has no separate evidence .* leave the step out"):
        SystemScorer.require_slices(system)
