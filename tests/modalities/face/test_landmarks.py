"""The landmarks of faces, equal to those of the TFLite runtime; and the pose that they give."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.process_local import ProcessLocal
from moodal.lookalikes.face import draw_face
from moodal.modalities.face.align import _canonical, crop, pose
from moodal.modalities.face.crops import aligned, landmarks_of_crop
from moodal.modalities.face.detect import detect
from moodal.modalities.face.landmarks import FOLDER, Landmarks, first_landmarks, landmarks
from moodal.modalities.face.picture import Square
from moodal.modalities.graphs import open_graph

REFERENCE = Path(__file__).with_name("reference.npz")
"""Outputs of the TFLite runtime on noise, written by moodal/train/export/face_graphs.py."""


@pytest.mark.parametrize(
    ("name", "tolerance"), [("detector", 1e-3), ("landmarks", 1e-3), ("blendshapes", 1e-5)]
)
def test_the_graphs_equal_the_tflite_runtime(name, tolerance):
    with np.load(REFERENCE) as file:
        given_input = file[f"{name}.input"].astype(np.float32) / 255
        want = [file[key] for key in file if key.startswith(f"{name}.output")]
    session = ProcessLocal(lambda: open_graph(FOLDER / f"{name}.onnx")).get()
    own = session.run(None, {session.get_inputs()[0].name: given_input})
    for values in want:
        best = min(np.abs(o.ravel() - values).max() for o in own if o.size == values.size)
        assert best < tolerance  # of 256 pixels, for landmarks


def drawn(size=160, left=100, top=40, **look):
    picture = np.full((240, 400, 3), 170, np.uint8)
    picture[top : top + size, left : left + size] = draw_face(size, **look)
    return picture


def face_in(picture):
    (found,) = first_landmarks(picture, [detect(picture)[0].square], turned=True)
    return found


def test_landmarks_lie_on_the_face_and_find_themselves_again():
    face = face_in(drawn())
    assert face.score > 0.99
    assert face.points.shape == (478, 3)
    (again,) = landmarks(drawn(), [face.square])
    assert np.abs(again.points[:, :2] - face.points[:, :2]).mean() < 1.5
    eyes = face.points[[33, 263], :2]
    assert (eyes > (100, 40)).all()
    assert (eyes < (260, 200)).all()


def test_noise_has_no_face():
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    (nothing,) = landmarks(noise, [Square(50, 50, 80)])
    assert nothing.score < 0.01
    assert landmarks(noise, []) == []


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_face_that_lies_has_its_roll_and_the_same_crop(turns):
    upright = face_in(drawn())
    lying = np.ascontiguousarray(np.rot90(drawn(), -turns))
    face = face_in(lying)
    off = (pose(face).roll - pose(upright).roll - 90 * turns) % 360
    assert min(off, 360 - off) < 6
    own, want = crop(lying, pose(face)), crop(drawn(), pose(upright))
    assert np.abs(own.astype(int) - want).mean() < 12


def made(yaw, pitch, roll, scale=8.0, at=(120.0, 90.0)):
    """Landmarks of the canonical face, turned by known degrees."""
    y, p, r = np.radians([yaw, pitch, -roll])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    around_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points, numbers, _ = _canonical()
    whole = np.zeros((478, 3))
    turned = scale * points @ (around_z @ around_y @ around_x).T
    whole[numbers] = turned * (1, -1, -1) + (*at, 0)
    return Landmarks(whole, 20.0)


@given(st.floats(-80, 80), st.floats(-60, 60), st.floats(-170, 170), st.floats(0.5, 60))
def test_the_pose_of_a_turned_face_is_found(yaw, pitch, roll, scale):
    head = pose(made(yaw, pitch, roll, scale))
    assert head.scale == pytest.approx(scale, rel=1e-6)
    assert np.linalg.det(head.rotation) == pytest.approx(1)
    np.testing.assert_allclose(head.place(np.zeros(3)), (120, 90), atol=1e-6 * scale)
    one_axis = [a for a in (yaw, pitch, roll) if a]
    if len(one_axis) == 1:
        assert [head.yaw, head.pitch, head.roll] == pytest.approx([yaw, pitch, roll], abs=1e-6)


@pytest.mark.parametrize("angles", [(35, 0, 0), (-50, 0, 0), (0, 20, 0), (0, -15, 0), (0, 0, 75)])
def test_the_pose_about_one_axis_is_its_angle(angles):
    head = pose(made(*angles))
    assert [head.yaw, head.pitch, head.roll] == pytest.approx(angles, abs=1e-6)


def test_a_crop_keeps_its_scale_when_the_head_turns():
    sides = [pose(made(yaw, 0, 0)).scale for yaw in (0, 30, 60)]
    assert sides == pytest.approx([8.0] * 3)


def test_a_crop_is_found_again_and_noise_is_taken_as_it_is():
    tight = np.ascontiguousarray(draw_face(96)[10:90, 8:88])
    assert landmarks_of_crop(tight).score > 0.5
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    np.testing.assert_array_equal(aligned(noise), noise)
    assert aligned(np.full((48, 48), 120, np.uint8)) is None


def test_the_square_follows_the_eyes():
    face = face_in(drawn())
    turned = replace(face, points=face.points @ [[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    assert turned.square.angle - face.square.angle == pytest.approx(math.pi / 2)
    assert turned.square.side == pytest.approx(face.square.side)
