"""What a face does: blendshapes of drawn faces, and the gaze of eyes that are turned by angles."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.face_action import BLENDSHAPES
from moodal.lookalikes.face import draw_face
from moodal.modalities.face.actions import (
    EYE_DEPTH,
    EYE_HEIGHT,
    EYE_RADIUS,
    EYES,
    SUBSET,
    blendshapes,
    face_action,
    gaze,
)
from moodal.modalities.face.align import crop_square, pose
from moodal.modalities.face.detect import detect
from moodal.modalities.face.landmarks import FOLDER, Landmarks, first_landmarks
from moodal.modalities.face.track import Sighting


@cache
def drawn(**look):
    """The landmarks of a drawn face."""
    picture = np.full((240, 400, 3), 170, np.uint8)
    picture[40:200, 100:260] = draw_face(160, **look)
    (face,) = first_landmarks(picture, [detect(picture)[0].square])
    return face


def seen(face, at=1.5, scale=1.0):
    """A sighting of a face in a picture that was scaled down by ``scale``."""
    head = pose(face)
    side = crop_square(head).side / scale
    return Sighting(3, at, face, head, np.zeros((48, 48), np.uint8), side, 0.5)


def rotation(yaw, pitch, roll=0.0):
    y, p, r = np.radians([yaw, pitch, -roll])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    around_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return around_y @ around_x @ around_z


def looking(eyes, head=(0.0, 0.0, 0.0), scale=8.0):
    """The canonical face, turned by angles, with irises on balls that are turned in the head."""
    with np.load(FOLDER / "canonical_face.npz") as file:
        points = np.concatenate([file["points"].astype(float), np.zeros((10, 3))])
    ahead = rotation(*eyes) @ np.array([0.0, 0.0, EYE_RADIUS])
    for first, second, iris in EYES:
        centre = (points[first] + points[second]) / 2 + (0, EYE_HEIGHT, -EYE_DEPTH)
        points[list(iris)] = centre + ahead
    return Landmarks(scale * points @ rotation(*head).T * (1, -1, -1) + (200, 150, 0), 20.0)


def test_the_subset_is_of_146_landmarks():
    assert len(set(SUBSET)) == len(SUBSET) == 146
    assert set(range(468, 478)) <= set(SUBSET)
    assert list(SUBSET) == sorted(SUBSET)


@pytest.mark.parametrize(
    ("look", "unit", "least"),
    [
        ({"smile": 1.0}, "AU12", 0.1),
        ({"brow": 1.0}, "AU02", 0.1),
        ({"brow": -1.0}, "AU04", 0.03),  # drawn brows are faint
        ({"mouth": 1.0}, "AU25", 0.1),
        ({"mouth": 1.0}, "AU26", 0.1),
    ],
)
def test_a_drawn_movement_raises_its_unit(look, unit, least):
    moved, resting = (face_action(seen(drawn(**own))).action_units[unit] for own in (look, {}))
    assert moved > resting + least


def test_the_landmarks_reach_the_graph_as_they_reached_the_tflite_runtime():
    with np.load(Path(__file__).with_name("reference.npz")) as file:
        points = file["blendshapes.input"].astype(np.float32) / 255
        want = file["blendshapes.output0"]
    face = Landmarks(np.full((478, 3), np.nan), 20.0)
    face.points[SUBSET, :2] = points[0]
    np.testing.assert_allclose(blendshapes(face), np.clip(want, 0, 1), atol=1e-5)


@settings(max_examples=20)
@given(st.floats(0.3, 8), st.floats(-500, 2000), st.floats(-500, 2000))
def test_blendshapes_depend_neither_on_scale_nor_on_place(scale, right, down):
    face = drawn(smile=1.0)
    moved = replace(face, points=face.points * scale + (right, down, 0))
    np.testing.assert_allclose(blendshapes(moved), blendshapes(face), atol=2e-3)


def test_blendshapes_are_52_shares():
    own = blendshapes(drawn(mouth=1.0))
    assert len(own) == len(BLENDSHAPES)
    assert 0 <= min(own) < max(own) <= 1


@given(
    st.floats(-40, 40),
    st.floats(-30, 30),
    st.floats(-30, 30),
    st.floats(-25, 25),
    st.floats(-60, 60),
)
def test_the_gaze_is_that_of_the_eyes_in_the_head(eye_yaw, eye_pitch, yaw, pitch, roll):
    face = looking((eye_yaw, eye_pitch), (yaw, pitch, roll))
    to_camera, in_head = gaze(face, pose(face))
    want = rotation(yaw, pitch, roll) @ rotation(eye_yaw, eye_pitch) @ (0, 0, 1)
    if want[2] > 0.3:  # else the eyes look away from the picture's plane
        assert in_head == pytest.approx((eye_yaw, eye_pitch), abs=0.01)
        assert np.degrees(np.arctan2(want[0], want[2])) == pytest.approx(to_camera.yaw, abs=0.01)
        assert np.degrees(np.arcsin(want[1])) == pytest.approx(to_camera.pitch, abs=0.01)


def test_eyes_that_stay_on_the_camera_turn_against_the_head():
    face = looking((-20.0, 0.0), (20.0, 0.0, 0.0))
    to_camera, in_head = gaze(face, pose(face))
    assert to_camera == pytest.approx((0, 0), abs=0.01)
    assert in_head.yaw == pytest.approx(-20, abs=0.01)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_an_action_has_the_place_of_the_face_in_the_file(scale):
    face = drawn()
    own = face_action(seen(face, scale=scale))
    assert (own.at, own.track) == (1.5, 3)
    assert own.confidence == face.score
    assert own.box.left == pytest.approx(face.box.left / scale)
    assert own.box.height == pytest.approx((face.box.bottom - face.box.top) / scale)
    head = pose(face)
    assert own.pose == (head.yaw, head.pitch, head.roll)
    assert abs(own.gaze.yaw) < 10


def test_irises_far_outside_of_the_eye_give_a_steep_gaze_not_an_error():
    face = looking((0.0, 0.0))
    face.points[468:478, 0] += 1000
    to_camera, _ = gaze(face, pose(face))
    assert to_camera.yaw == pytest.approx(75)
