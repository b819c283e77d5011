"""Faces in pictures: found where they are, large, small, many, or none."""

import threading

import numpy as np
import pytest

from moodal.lookalikes.face import draw_face
from moodal.modalities.face.detect import Detection, detect, distinct
from moodal.modalities.face.picture import Box, overlap


def scene(*faces, height=240, width=320):
    """Drawn faces (size, left, top) on a wall."""
    picture = np.full((height, width, 3), 170, np.uint8)
    for size, left, top in faces:
        picture[top : top + size, left : left + size] = draw_face(size)
    return picture


@pytest.mark.parametrize(("size", "left", "top"), [(200, 10, 20), (120, 180, 60)])
def test_a_face_is_found_where_it_is(size, left, top):
    (face,) = detect(scene((size, left, top)))
    x, y = face.box.centre
    assert abs(x - left - size / 2) < 0.06 * size
    assert abs(y - top - 0.55 * size) < 0.12 * size
    assert 0.3 * size < face.box.side < 0.6 * size
    assert abs(face.angle) < 0.15


def test_small_faces_are_found_in_tiles():
    picture = scene((52, 700, 300), height=540, width=960)
    assert detect(picture) == []
    (face,) = detect(picture, tile=192)
    assert np.abs(np.subtract(face.box.centre, (726, 328))).max() < 8


def test_a_face_on_the_border_of_tiles_is_one():
    picture = scene((90, 195, 60), height=240, width=480)
    faces = detect(picture, tile=240)
    assert len(faces) == 1


def test_ten_faces_are_ten():
    places = [(120, 10 + 128 * (i % 5), 40 + 150 * (i // 5)) for i in range(10)]
    picture = scene(*places, height=360, width=660)
    faces = distinct(detect(picture) + detect(picture, tile=330))
    assert len(faces) == 10
    assert all(overlap(a.box, b.box) == 0 for a in faces for b in faces if a is not b)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (7, 3), (240, 320, 3), (48, 48)])
def test_without_a_face_nothing_is_found(shape):
    rng = np.random.default_rng(0)
    for picture in (np.full(shape, 90, np.uint8), rng.integers(0, 256, shape, np.uint8)):
        assert detect(picture) == []


def test_of_detections_of_one_face_the_surest_is_kept():
    boxes = [Box(0, 0, 10, 10, 0.6), Box(1, 1, 11, 11, 0.9), Box(50, 0, 60, 10, 0.7)]
    kept = distinct([Detection(box, 0.0) for box in boxes])
    assert [d.box.score for d in kept] == [0.9, 0.7]


def test_threads_share_the_detector():
    picture = scene((200, 10, 20))
    alone = detect(picture)
    results = []
    threads = [threading.Thread(target=lambda: results.append(detect(picture))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [alone] * 4
