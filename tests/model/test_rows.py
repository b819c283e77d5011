"""Encoders of rows: what stores know their frames by, and what each reduction leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.core.records import Clip
from moodal.modalities.encoder import Encoder, Item
from moodal.modalities.speech.transcribe import Hearing
from moodal.model import states
from moodal.model.rows import RowEncoder
from moodal.model.states import States


@dataclass(frozen=True)
class Lengths(Encoder):
    """The number of letters of each word, as [T, 2] with a column of ones."""

    name: ClassVar[str] = "lengths"
    stream: ClassVar[str] = "text"
    width: ClassVar[int] = 2
    rate: ClassVar[None] = None

    def spec(self) -> dict[str, Any]:
        return {"name": self.name, "parameters": {}, "width": 2, "fingerprint": "abc"}

    def encode(self, item: Item) -> np.ndarray:
        return np.array([[len(word), 1] for word in str(item).split()], np.float32)


def mean_states(**heard) -> States:
    return States("text", Lengths(), **heard, folder="", network="f00d", size=3)


def test_stored_frames_keep_their_fingerprints():
    row, heard = RowEncoder("text", Lengths()), RowEncoder("text", Lengths(), heard=Hearing())
    assert row.spec() == {**Lengths().spec(), "name": "row", "fingerprint": "abc-row"}
    assert heard.spec()["fingerprint"].startswith("abc-heard-")
    other = RowEncoder("text", Lengths(), heard=Hearing(language="de"))
    assert other.spec()["fingerprint"] != heard.spec()["fingerprint"]
    assert mean_states().spec() == {**row.spec(), "name": "states", "fingerprint": "abc-row-f00d"}
    assert mean_states(heard=Hearing()).spec()["fingerprint"].endswith("-f00d")


def test_a_row_has_the_frames_of_what_is_observed_in_it():
    row = RowEncoder("text", Lengths())
    np.testing.assert_equal(row.encode("We won"), [[2, 1], [3, 1]])
    assert row.encode("").shape == (0, 2)
    assert (row.stream, row.width, mean_states().width) == ("text", 2, 3)


def test_a_row_without_anything_observed_has_no_state(monkeypatch):
    class Network:
        def states(self, frames):
            return np.column_stack([frames, frames[:, 0]])

    monkeypatch.setattr(states, "_branch", lambda *names: Network())
    np.testing.assert_equal(mean_states().encode("We won"), [[2.5, 1, 2.5]])
    assert mean_states().encode("").shape == (0, 3)


def test_a_row_of_a_medium_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"gone\.wav"):
        RowEncoder("speech", Lengths()).encode(Clip(str(tmp_path / "gone.wav")))
