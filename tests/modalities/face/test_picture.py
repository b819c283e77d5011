"""Squares cut out of pictures, boxes, grey values and sharpness."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.modalities.face.picture import (
    Box,
    Square,
    cut,
    luma,
    overlap,
    require_picture,
    sharpness,
)

ACROSS = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
"""A picture whose value tells the column."""


@pytest.mark.parametrize(("picture", "axis"), [(ACROSS, 1), (ACROSS.T, 0)])
def test_a_square_is_cut_where_it_lies(picture, axis):
    out = cut(np.ascontiguousarray(picture), Square(100, 100, 96), 48).astype(float)
    values = out.mean(axis=1 - axis)
    assert np.abs(values - (100 - 48 + (np.arange(48) + 0.5) * 2 - 0.5)).max() < 1


@given(st.floats(-math.pi, math.pi), st.floats(60, 140), st.floats(60, 140), st.floats(20, 100))
def test_a_turned_square_shows_what_its_mapping_says(angle, x, y, side):
    square = Square(x, y, side, angle)
    out = cut(ACROSS, square, 48).astype(float)
    at = (np.arange(48) + 0.5) / 48
    points = square.to_picture(np.stack(np.meshgrid(at, at), axis=-1))
    want = np.clip(points[..., 0] - 0.5, 0, 199)
    assert np.abs(out - want)[1:-1, 1:-1].max() < 1.6


def test_beyond_the_edges_the_outermost_pixels_are_repeated():
    assert (cut(ACROSS, Square(-300, 100, 80), 48) == 0).all()
    assert (cut(ACROSS, Square(500, 100, 80, 0.3), 48) == 199).all()


def test_shrinking_averages():
    noise = np.random.default_rng(1).integers(0, 256, (480, 480), np.uint8)
    for angle in (0.0, 0.1):
        small = cut(noise, Square(240, 240, 400, angle), 48)
        assert abs(float(small.mean()) - 127.5) < 3
        assert small.std() < 0.35 * noise.std()


def test_colours_stay_colours_and_grey_is_theirs():
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 200
    assert cut(red, Square(15, 10, 10), 4).tolist() == [[[200, 0, 0]] * 4] * 4
    assert luma(red)[0, 0] == 60
    np.testing.assert_array_equal(luma(ACROSS), ACROSS)


def test_a_picture_that_is_none_is_refused():
    for wrong in (
        np.zeros((4, 4), np.float32),
        np.zeros((0, 4, 3), "u1"),
        np.zeros((4, 4, 4), "u1"),
    ):
        with pytest.raises(DataError, match="A picture must be"):
            require_picture(wrong)


def test_sharpness_falls_with_blur_and_not_with_light():
    rng = np.random.default_rng(0)
    face = rng.integers(60, 200, (48, 48), np.uint8)
    blurred = (face + np.roll(face, 1, 0).astype(int) + np.roll(face, 1, 1)) // 3
    assert sharpness(blurred) < 0.8 * sharpness(face)
    assert sharpness(face // 2) == pytest.approx(sharpness(face), rel=0.05)
    assert sharpness(np.full((48, 48), 7, np.uint8)) == 0


def test_overlap_is_the_intersection_over_the_union():
    a, b, c = Box(0, 0, 10, 10), Box(1, 1, 11, 11), Box(30, 0, 40, 10)
    assert overlap(a, b) == pytest.approx(81 / 119)
    assert overlap(a, c) == 0
