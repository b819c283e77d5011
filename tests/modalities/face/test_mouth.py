"""The opening of a mouth, whatever the distance and the turn of the head."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.lookalikes.face import draw_face
from moodal.modalities.face.align import pose
from moodal.modalities.face.detect import detect
from moodal.modalities.face.landmarks import FOLDER, Landmarks, first_landmarks
from moodal.modalities.face.mouth import LOWER_LIP, MOUTH_WIDTH, UPPER_LIP, mouth_opening


def turned(yaw, pitch, roll, scale, gap):
    """The canonical face with lips that are ``gap`` centimetres apart, turned by degrees."""
    y, p, r = np.radians([yaw, pitch, -roll])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    around_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    with np.load(FOLDER / "canonical_face.npz") as file:
        points = np.concatenate([file["points"].astype(float), np.zeros((10, 3))])
    points[LOWER_LIP] = points[UPPER_LIP] - (0, gap, 0)
    placed = scale * points @ (around_z @ around_y @ around_x).T
    return Landmarks(placed * (1, -1, -1) + (200, 150, 0), 20.0)


@given(
    st.floats(-80, 80),
    st.floats(-60, 60),
    st.floats(-170, 170),
    st.floats(0.5, 60),
    st.floats(0, 5),
)
def test_the_opening_depends_on_the_gap_alone(yaw, pitch, roll, scale, gap):
    face = turned(yaw, pitch, roll, scale, gap)
    assert mouth_opening(face, pose(face)) == pytest.approx(gap / MOUTH_WIDTH, abs=1e-6)


def test_lips_that_cross_are_closed():
    face = turned(20, 5, 0, 8, -0.3)
    assert mouth_opening(face, pose(face)) == 0.0


def test_the_width_is_that_of_the_canonical_mouth():
    with np.load(FOLDER / "canonical_face.npz") as file:
        corners = file["points"][[61, 291]]
    assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(MOUTH_WIDTH, abs=1e-3)


def test_a_drawn_mouth_opens():
    openings = []
    for mouth in (0.0, 0.6, 1.0):
        picture = np.full((240, 400, 3), 170, np.uint8)
        picture[40:200, 100:260] = draw_face(160, mouth=mouth)
        (face,) = first_landmarks(picture, [detect(picture)[0].square])
        openings.append(mouth_opening(face, pose(face)))
    assert openings[0] < 0.2 < openings[1] < openings[2]
