from dataclasses import replace

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.modalities.text.tokens import Pieces
from moodal.model import artefact as artefacts
from moodal.model.branches import read_branches
from moodal.model.rows import RowEncoder
from moodal.model.states import States


def states_of(folder) -> States:
    artefact = artefacts.read(folder)
    branch = read_branches(artefact)["text"]
    return States.of(artefact, branch, RowEncoder("text", Pieces()))


def test_a_relative_path_is_that_of_the_folder_in_which_it_was_loaded(tiny, tmp_path, monkeypatch):
    encoded = []
    for place in ("first", "second"):
        tiny.write_tiny(tmp_path / place / "artefact")
        monkeypatch.chdir(tmp_path / place)
        states = states_of("artefact")
        monkeypatch.chdir(tmp_path)
        encoded.append(states.encode("We won!"))
        assert str(tmp_path / place) in states.folder
    np.testing.assert_array_equal(*encoded)


def test_an_artefact_that_was_replaced_is_not_read_for_the_old_one(tiny, tmp_path, monkeypatch):
    folder = tiny.write_tiny(tmp_path / "artefact")
    states = states_of(folder)
    other = replace(states, network="0" * 24)
    states.encode("We won!")
    with pytest.raises(DataError, match="was replaced while it was in use"):
        other.encode("We won!")
