"""Faces in pictures: found where they are, cropped as FER2013 frames its own."""

import sys
import threading

import numpy as np
import pytest

from moodal.core.errors import DataError, MissingDependencyError
from moodal.lookalikes.face import draw_face
from moodal.media.video import Picture
from moodal.modalities.face import detect as face_boxes
from moodal.modalities.face.detect import (
    Box,
    crop,
    detect_near,
    luma,
    overlap,
    resample,
    search,
    sharpness,
)
from moodal.modalities.face.track import Follower

pytest.importorskip("_dlib_pybind11")


def detect(picture):
    """Detect the faces of one picture as a video's first picture, the largest first."""
    return [sighting.box for sighting in Follower().look(Picture(0.0, picture))]


def wall(height=240, width=320):
    return np.full((height, width, 3), 170, np.uint8)


def scene(*faces, height=240, width=320):
    """Drawn faces (size, left, top) on a wall."""
    picture = wall(height, width)
    for size, left, top in faces:
        picture[top : top + size, left : left + size] = draw_face(size)
    return picture


@pytest.mark.parametrize(("size", "left", "top"), [(200, 10, 20), (120, 180, 60), (64, 100, 90)])
def test_a_face_is_found_where_it_is(size, left, top):
    (box,) = detect(scene((size, left, top)))
    x, y = box.centre
    assert abs(x - left - size / 2) < 0.05 * size
    assert abs(y - top - 0.55 * size) < 0.06 * size
    assert 0.38 * size < box.side < 0.56 * size
    assert box.score > 0.3


@pytest.mark.parametrize(
    "look", [{"smile": 1.0}, {"smile": -1.0}, {"brow": 1.0}, {"brow": -1.0}, {"mouth": 1.0}]
)
def test_drawn_faces_of_every_look_are_faces(look):
    faces = [draw_face(160, **look), draw_face(160)]
    boxes = [detect(face) for face in faces]
    assert [len(b) for b in boxes] == [1, 1]
    assert boxes[0][0].score > 0.7
    np.testing.assert_array_equal(faces[0], draw_face(160, **look))
    crops = [crop(f, b[0]).astype(float) for f, b in zip(faces, boxes, strict=True)]
    assert np.abs(crops[0] - crops[1]).mean() > 1


def test_ten_faces_are_ten():
    faces = [(120, 10 + 128 * (i % 5), 40 + 150 * (i // 5)) for i in range(10)]
    boxes = detect(scene(*faces, height=360, width=660))
    assert len(boxes) == 10
    assert [b.side for b in boxes] == sorted((b.side for b in boxes), reverse=True)
    assert all(overlap(a, b) == 0 for a in boxes for b in boxes if a is not b)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (7, 3), (240, 320, 3), (48, 48)])
def test_without_a_face_nothing_is_found(shape):
    rng = np.random.default_rng(0)
    for picture in (np.full(shape, 90, np.uint8), rng.integers(0, 256, shape, np.uint8)):
        assert detect(picture) == []


def test_a_picture_that_is_none_is_refused():
    for wrong in (
        np.zeros((4, 4), np.float32),
        np.zeros((0, 4, 3), "u1"),
        np.zeros((4, 4, 4), "u1"),
    ):
        with pytest.raises(DataError, match="A picture must be"):
            detect(wrong)


def test_near_finds_the_same_box_from_a_start_that_is_off():
    grey = luma(scene((160, 70, 40)))
    (found,) = search(grey, 480)
    x, y = found.centre
    rng = np.random.default_rng(0)
    boxes = []
    for _ in range(12):
        half = found.side / 2 * np.exp(rng.normal(0, 0.08))
        dx, dy = rng.normal(0, 0.06, 2) * found.side
        box = detect_near(grey, Box(x + dx - half, y + dy - half, x + dx + half, y + dy + half))
        assert box is not None
        boxes.append((box.side, *box.centre))
    assert (np.std(boxes, axis=0) < 0.06 * found.side).all()
    assert detect_near(grey, Box(0, 0, 60, 60)) is None
    assert detect_near(grey, Box(-500, -500, -400, -400)) is None


def test_a_face_that_the_edges_cut_is_found_where_it_fills_the_picture():
    whole = draw_face(160)
    (box,) = detect(whole)
    tight = crop(whole, box)
    boxes = search(tight, 960, edge=True)
    assert len(boxes) == 1
    assert abs(boxes[0].side - 48 / face_boxes.MARGIN) < 7


def test_a_crop_is_framed_as_announced():
    """A picture whose value tells the place is cropped to the places that the constants say."""
    places = np.arange(200, dtype=np.uint8)
    box = Box(60, 70, 140, 150)
    side = 80 * face_boxes.MARGIN
    across = crop(np.tile(places, (200, 1)), box)
    down = crop(np.tile(places[:, None], (1, 200)), box)
    for values, centre in ((across[0], 100), (down[:, 0], 110 - 80 * face_boxes.LIFT)):
        want = centre - side / 2 + (np.arange(48) + 0.5) * side / 48 - 0.5
        assert np.abs(values.astype(float) - want).max() < 1
    beyond = crop(np.tile(places, (200, 1)), Box(-300, 0, -200, 100))
    assert (beyond == 0).all()


def test_resampling_keeps_a_crop_and_averages_what_shrinks():
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    np.testing.assert_array_equal(resample(face, 0, 0, 48, 48), face)
    noise = np.random.default_rng(1).integers(0, 256, (480, 480), np.uint8)
    small = resample(noise, 0, 0, 480, 480)
    assert abs(float(small.mean()) - 127.5) < 2
    assert small.std() < 0.35 * noise.std()


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


def test_the_saved_detector_is_dlibs_own(monkeypatch):
    picture = scene((150, 40, 40))
    saved = detect(picture)
    monkeypatch.setattr(face_boxes, "SAVED", face_boxes.SAVED.with_name("nowhere.dat"))
    monkeypatch.setattr(face_boxes, "_of_thread", threading.local())
    assert detect(picture) == saved


def test_without_dlib_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "_dlib_pybind11", None)
    with pytest.raises(MissingDependencyError, match="pip install dlib-bin"):
        detect(wall())
