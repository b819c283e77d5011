"""The table of what faces do: py-feat's and OpenFace's columns, units and signs."""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.errors import OutputError, UsageError
from moodal.core.face_action import ACTION_UNITS, BLENDSHAPES, Gaze, HeadPose
from moodal.output.formats.face_csv import (
    INTENSITIES,
    NUMBERS,
    PRESENCES,
    openface_gaze,
    openface_rotation,
    write_face_actions,
)

PAGE = Path(__file__).parents[3] / "docs" / "face-actions.md"


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def written(made, tmp_path):
    """Write timelines and return the rows of the table."""
    return lambda *timelines: rows_of(write_face_actions(timelines, tmp_path / "faces.csv"))


def test_the_columns_of_py_feat_and_openface_are_there(made, written):
    [first, *_] = written(made.acted(made.timeline()))
    openface = ["frame", "face_id", "timestamp", "confidence", "success", "gaze_angle_x"]
    openface += ["gaze_angle_y", "pose_Rx", "pose_Ry", "pose_Rz"]
    numbers = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 25, 26)
    openface += [f"AU{n:02}_r" for n in (*numbers, 45)]
    openface += [f"AU{n:02}_c" for n in (*numbers, 28, 45)]
    feat = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
    feat += ["Pitch", "Roll", "Yaw"]
    feat += [f"AU{n:02}" for n in (*numbers, 24, 28, 43)]
    own = ["AU16", "AU18", "AU22", "AU45", "blink", "mouth_opening", *BLENDSHAPES]
    assert set(first) >= {*openface, *feat, *own}
    assert "recording" not in first
    assert {f"{unit}_r" for unit in INTENSITIES} == {c for c in first if c.endswith("_r")}
    assert {f"{unit}_c" for unit in PRESENCES} == {c for c in first if c.endswith("_c")}


def test_each_picture_has_a_row_in_the_order_of_time(made, written):
    timeline = made.acted(made.timeline())
    rows = written(timeline)
    actions = [*timeline.face_between, *(a for p in timeline for a in p.face)]
    assert len(rows) == len(actions) + len(timeline.faceless)
    seconds = [float(row["timestamp"]) for row in rows]
    assert seconds == sorted(seconds)
    assert [int(row["frame"]) for row in rows] == list(range(1, len(rows) + 1))
    unseen = [row for row in rows if row["success"] == "0"]
    assert [float(row["timestamp"]) for row in unseen] == list(timeline.faceless)
    assert {row["face_id"] + row["AU12"] + row["confidence"] for row in unseen} == {""}


def test_the_numbers_have_the_units_of_their_columns(made, written):
    shapes = {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.5, "eyeBlinkLeft": 0.2}
    action = made.face_action(1.0, 3, yaw=30.0, pitch=0.0, roll=0.0, **shapes)
    p = dataclasses.replace(made.prediction(), face=(action,))
    [row] = written(dataclasses.replace(made.timeline(), predictions=(p,)))
    assert (row["face_id"], row["timestamp"], row["success"]) == ("3", "1.0", "1")
    assert (row["FaceRectX"], row["FaceRectHeight"]) == ("100.0", "96.0")
    assert row["confidence"] == row["FaceScore"] == "0.98"
    assert (row["AU12"], row["AU12_r"], row["AU12_c"]) == ("0.6", "3.0", "1")
    assert (row["AU45"], row["AU43"], row["AU45_r"], row["AU45_c"]) == ("0.1", "0.1", "0.5", "0")
    assert row["blink"] == "0.1"
    assert (row["mouth_opening"], row["AU25"]) == ("0.2", "0.4")
    assert (row["Yaw"], row["Pitch"], row["Roll"]) == ("30.0", "0.0", "0.0")
    assert float(row["pose_Ry"]) == pytest.approx(-math.radians(30), abs=1e-4)
    assert float(row["gaze_angle_x"]) == pytest.approx(math.radians(4), abs=1e-4)
    assert float(row["gaze_angle_y"]) == pytest.approx(math.radians(2), abs=1e-4)
    assert (row["mouthSmileLeft"], row["jawOpen"]) == ("0.7", "0.0")


@given(st.floats(-85, 85), st.floats(-80, 80), st.floats(-170, 170))
def test_openfaces_angles_are_of_the_same_rotation(yaw, pitch, roll):
    y, p, r = np.radians([yaw, pitch, -roll])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    around_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    camera = np.diag([1.0, -1.0, -1.0])
    (s1, s2, s3), (c1, c2, c3) = (
        [f(a) for a in openface_rotation(HeadPose(yaw, pitch, roll))] for f in (np.sin, np.cos)
    )
    openface = [  # its Euler2RotationMatrix, R = Rx Ry Rz
        [c2 * c3, -c2 * s3, s2],
        [c1 * s3 + c3 * s1 * s2, c1 * c3 - s1 * s2 * s3, -c2 * s1],
        [s1 * s3 - c1 * c3 * s2, c3 * s1 + c1 * s2 * s3, c1 * c2],
    ]
    own = camera @ around_y @ around_x @ around_z @ camera
    np.testing.assert_allclose(openface, own, atol=1e-9)


@pytest.mark.parametrize(
    ("pose", "want"),
    [((0, 20, 0), (-20, 0, 0)), ((20, 0, 0), (0, -20, 0)), ((0, 0, 20), (0, 0, 20))],
)
def test_openfaces_signs(pose, want):
    got = [math.degrees(angle) for angle in openface_rotation(HeadPose(*pose))]
    assert got == pytest.approx(want, abs=1e-9)


@given(st.floats(-70, 70), st.floats(-70, 70))
def test_openfaces_gaze_is_of_the_same_direction(yaw, pitch):
    y, p = math.radians(yaw), math.radians(pitch)
    direction = (math.sin(y) * math.cos(p), math.sin(p), math.cos(y) * math.cos(p))
    want = math.atan2(direction[0], direction[2]), math.atan2(-direction[1], direction[2])
    assert openface_gaze(Gaze(yaw, pitch)) == pytest.approx(want, abs=1e-9)


def test_slices_have_a_row_each_and_none_seen_is_no_success(made, written):
    timeline = made.acted(made.sliced(step=1.0))
    rows = written(timeline)
    assert [float(row["timestamp"]) for row in rows] == pytest.approx(
        [p.start for p in timeline.rows], abs=1e-3
    )
    assert {row["success"] for row in rows} == {"0", "1"}
    assert [row["success"] == "1" for row in rows] == [bool(p.face) for p in timeline.rows]


def test_a_picture_of_two_utterances_and_two_faces_has_a_row_for_each_face(made, written):
    first, second = made.face_action(1.0, 0), made.face_action(1.0, 4)
    predictions = tuple(
        dataclasses.replace(made.prediction(i), face=face)
        for i, face in enumerate([(first,), (first, second)])
    )
    rows = written(dataclasses.replace(made.timeline(), predictions=predictions))
    assert [(row["frame"], row["face_id"]) for row in rows] == [("1", "0"), ("1", "4")]


def test_several_recordings_are_named_and_no_name_is_a_formula(made, written):
    rows = written(made.acted(made.timeline("=1+1.mp4")), made.acted(made.timeline("b.mp4")))
    assert {row["recording"] for row in rows} == {"'=1+1.mp4", "b.mp4"}
    assert [row["frame"] for row in rows].count("1") == 2


def test_nothing_seen_gives_a_header_alone(made, written, tmp_path):
    assert written(made.timeline()) == []
    assert (tmp_path / "faces.csv").read_text().startswith("frame,face_id,timestamp,success,")


def test_a_recording_is_not_overwritten_and_a_failure_leaves_nothing(made, tmp_path):
    path = tmp_path / "film.csv"
    path.write_text("film")
    with pytest.raises(UsageError, match="is the recording itself"):
        write_face_actions([made.timeline(str(path))], path)
    assert path.read_text() == "film"
    with pytest.raises(OutputError):
        write_face_actions([made.timeline()], path / "faces.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["film.csv"]


def test_every_unit_and_column_is_documented():
    page = PAGE.read_text(encoding="utf-8")
    for unit, names in {**ACTION_UNITS, "AU25": ("mouth_opening",)}.items():
        [row] = re.findall(rf"^\| [AU0-9, ]*\b{unit}\b[AU0-9, ]*\|[^|]*\|([^|]*)\|$", page, re.M)
        assert set(re.findall(r"`(\w+)`", row)) == set(names), unit
    own = [name for name in NUMBERS if name not in BLENDSHAPES and not name.startswith("AU")]
    for name in ("frame", "face_id", "timestamp", "success", *own):
        assert f"`{name}`" in page, name
