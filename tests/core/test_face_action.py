"""What a face does in one picture: its derived measures, and means over several pictures."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.face_action import (
    ACTION_UNITS,
    BLENDSHAPES,
    UNITS,
    FaceAction,
    FaceBox,
    Gaze,
    HeadPose,
    coefficients_of,
    mean_action,
)


def action(at=1.0, *, yaw=0.0, opening=0.1, **shapes):
    """An action with some blendshapes, the others 0."""
    return FaceAction(
        at,
        2,
        FaceBox(10.0, 20.0, 30.0, 40.0),
        0.9,
        HeadPose(yaw, 5.0, -3.0),
        Gaze(1.0, 2.0),
        Gaze(-1.0, -2.0),
        opening,
        coefficients_of({**dict.fromkeys(BLENDSHAPES, 0.0), **shapes}),
    )


def test_there_are_52_blendshapes_and_every_unit_is_of_some():
    assert len(set(BLENDSHAPES)) == len(BLENDSHAPES) == 52
    assert {name for names in ACTION_UNITS.values() for name in names} <= set(BLENDSHAPES)
    assert list(UNITS) == sorted(UNITS)
    assert list(action().action_units) == list(UNITS)


def test_units_are_means_of_their_blendshapes():
    own = action(mouthSmileLeft=0.8, mouthSmileRight=0.4, browInnerUp=0.5, eyeBlinkLeft=1.0)
    units = own.action_units
    assert (units["AU12"], units["AU01"]) == pytest.approx((0.6, 0.5))
    assert own.blink == units["AU45"] == units["AU43"] == pytest.approx(0.5)
    assert sum(units.values()) == pytest.approx(0.6 + 0.5 + 0.5 + 0.5 + 0.2)  # and AU25


@pytest.mark.parametrize(("opening", "parted"), [(0.0, 0.0), (0.2, 0.4), (0.9, 1.0)])
def test_lips_part_with_the_opening_of_the_mouth(opening, parted):
    assert action(opening=opening).action_units["AU25"] == pytest.approx(parted)


def test_a_blendshape_that_is_missing_is_an_error():
    with pytest.raises(KeyError):
        coefficients_of({"jawOpen": 1.0})


def test_the_mean_is_of_every_measure_and_of_directions():
    first, second = action(1.0, yaw=179.0, jawOpen=0.2), action(1.2, yaw=-177.0, jawOpen=0.6)
    mean = mean_action([first, second], 0.5)
    assert (mean.at, mean.track, mean.confidence) == (0.5, 2, 0.9)
    assert mean.box == first.box
    assert mean.pose.yaw % 360 == pytest.approx(181.0)
    assert mean.pose.pitch == pytest.approx(5.0)
    assert mean.gaze_in_head == pytest.approx((-1.0, -2.0))
    assert mean.blendshapes["jawOpen"] == pytest.approx(0.4)
    assert isinstance(mean.coefficients, array)


@given(st.lists(st.lists(st.floats(0, 1), min_size=52, max_size=52), min_size=1, max_size=4))
def test_means_and_units_stay_in_their_range(rows):
    actions = [action(**dict(zip(BLENDSHAPES, row, strict=True))) for row in rows]
    mean = mean_action(actions, 0.0)
    for own in (*actions, mean):
        assert all(0 <= number <= 1 for number in own.action_units.values())
    for name, number in mean.blendshapes.items():
        values = [a.blendshapes[name] for a in actions]
        assert min(values) - 1e-6 <= number <= max(values) + 1e-6
