"""Frames: ragged sequences that are selected, joined and refused as they should be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.core.records import Frames


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=9), st.data())
def test_selecting_rows_is_selecting_from_the_list(lengths, data):
    rng = np.random.default_rng(len(lengths))
    sequences = [rng.normal(size=(n, 2)).astype("f") for n in lengths]
    frames = Frames.from_list(sequences)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=12))
    chosen = frames.select(rows)
    assert len(chosen) == len(rows)
    for got, row in zip(chosen, rows, strict=True):
        np.testing.assert_array_equal(got, sequences[row])
    joined = frames.concatenate(chosen)
    np.testing.assert_array_equal(joined[len(lengths) - 1], sequences[-1])
    assert joined.lengths.sum() == frames.lengths.sum() + chosen.lengths.sum()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Frames(np.zeros((3, 2)), np.array([1, 1])),
        lambda: Frames(np.zeros(3), np.array([3])),
        lambda: Frames.from_list([np.zeros((1, 2)), np.zeros((1, 3))]),
        lambda: Frames.from_list(np.zeros((3, 2))),
        lambda: Frames.from_list(np.zeros((1, 1, 2))).concatenate(
            Frames.from_list(np.zeros((1, 1, 3)))
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(make):
    with pytest.raises(DataError):
        make()
