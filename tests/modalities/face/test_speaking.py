"""Which face speaks: mouths that open and close, and those that only smile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.modalities.face.speaking import ACTIVE, mouth_activity, speaking_face


def times(count, fps=5.0):
    return (np.arange(count) / fps).tolist()


def test_a_mouth_that_opens_and_closes_is_active_at_any_rate():
    for fps in (5, 10, 25):
        at = np.arange(0, 3, 1 / fps)
        spoken = 0.1 + 0.1 * np.sin(2 * np.pi * 1.7 * at)
        activity = mouth_activity(at.tolist(), spoken.tolist())
        assert activity == pytest.approx(0.5, abs=0.2)


def test_a_smile_that_begins_is_no_speech():
    smile = [0.0, 0.0, 0.1, 0.25, 0.28, 0.29, 0.29, 0.3]
    assert mouth_activity(times(8), smile) == pytest.approx(0.0, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=40), st.floats(-0.5, 0.5))
def test_activity_does_not_change_with_the_resting_opening(openings, shift):
    shifted = [value + shift for value in openings]
    activity = mouth_activity(times(len(openings)), openings)
    assert activity >= -1e-12
    assert mouth_activity(times(len(openings)), shifted) == pytest.approx(activity, abs=1e-9)


def test_of_too_few_pictures_nothing_is_told():
    assert mouth_activity([], []) is None
    assert mouth_activity(times(3), [0.0, 1.0, 0.0]) is None
    assert mouth_activity([0.0, 0.01, 0.02, 0.03, 0.04], [0.0, 1.0] * 2 + [0.0]) is None


def test_the_mouth_that_moves_most_speaks_or_none_does():
    assert speaking_face({0: 0.02, 1: 2 * ACTIVE, 2: 1.5 * ACTIVE}) == 1
    assert speaking_face({0: 0.02, 1: None}) is None
    assert speaking_face({}) is None
