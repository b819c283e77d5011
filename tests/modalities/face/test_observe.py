"""What is observed of the faces in an utterance: the main one, or every one."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.lookalikes.face import draw_face
from moodal.media.video import Picture
from moodal.modalities.face.observe import CROWDED, SHOWN, Face
from moodal.modalities.face.track import MOST
from moodal.modalities.modality import Absent, Part, Settings, Window

FACE = draw_face(160, smile=0.5)
WALL = np.full((160, 160, 3), 170, np.uint8)


def watched(pictures, fps=5.0, every=False, actions=False):
    """A modality that was shown pictures, ``fps`` of them a second."""
    face = Face(Settings(fps, every, face_actions=actions))
    for i, rgb in enumerate(pictures):
        face.watch(face.look(Picture(i / fps, rgb, 1.0)))
    return face


def two_faces():
    """A small face to the left of a large one."""
    picture = np.full((200, 360, 3), 170, np.uint8)
    picture[100:180, 10:90] = draw_face(80, smile=-1)
    picture[10:190, 150:330] = draw_face(180, smile=1)
    return picture


def test_the_faces_of_a_window_are_those_of_its_seconds():
    face = watched([FACE] * 5 + [WALL] * 5 + [FACE] * 5)
    assert face.sighting_times == pytest.approx([*np.arange(5) / 5, *(2 + np.arange(5) / 5)])
    (first,) = face.observe(Window(0.0, 1.0))
    assert first.item.shape == (5, 48, 48)
    assert first.item.dtype == np.uint8
    assert first.quality["seen"] == pytest.approx(5 / 6)  # of the pictures until 1.0 s and at it
    assert face.observe(Window(1.2, 1.6)) == Absent("no face")
    (whole,) = face.observe(Window())
    assert len(whole.item) == 10
    assert whole.quality["seen"] == pytest.approx(10 / 15)
    assert whole.flags == ()


def test_each_picture_has_its_own_step():
    (observed,) = watched([FACE] * 4).observe(Window(0.0, 0.5))
    division = observed.divide(3)
    assert division.parts == tuple(Part(at, at + 0.2) for at in (0.0, 0.2, 0.4))
    assert division.places.tolist() == [0, 1, 2]
    assert observed.divide(2) is None


def test_the_main_face_is_observed_or_every_one():
    pictures = [two_faces()] * 4
    (main,) = watched(pictures).observe(Window())
    both = watched(pictures, every=True).observe(Window())
    assert len(both) == 2
    assert len({one.track for one in both}) == 2
    assert main.track == max(both, key=lambda one: one.quality["pixels"]).track


def test_what_lies_before_is_forgotten_and_nothing_else():
    pictures = [FACE] * 5 + [WALL] * 5 + [FACE] * 15
    face, whole = watched(pictures), watched(pictures)
    face.forget(2.0)
    assert min(face.sighting_times) == 2.0
    assert len(face._times) == 15
    (observed,), (expected,) = face.observe(Window(2.5, 4.0)), whole.observe(Window(2.5, 4.0))
    np.testing.assert_array_equal(observed.item, expected.item)
    assert observed.quality == expected.quality


def test_some_faces_are_shown_however_many_there_are():
    face = watched([FACE[::2, ::2]] * (3 * SHOWN), fps=0.5)
    assert SHOWN // 2 <= len(face.thumbnails) <= SHOWN
    times = [at for at, _ in face.thumbnails]
    assert times[0] == 0.0
    assert times == sorted(times)
    assert {picture.shape for _, picture in face.thumbnails} == {(48, 48)}


def test_a_picture_of_a_crops_size_is_a_face_already():
    noise = np.random.default_rng(0).integers(0, 255, (48, 48), dtype=np.uint8)
    grey = np.repeat(noise[..., None], 3, 2)
    (observed,) = watched([grey]).observe(Window())
    np.testing.assert_array_equal(observed.item, noise[None])
    assert any("may be none" in flag for flag in observed.flags)
    larger = np.kron(grey, np.ones((3, 3, 1), np.uint8))
    assert watched([larger]).observe(Window()) == Absent("no face")


def test_actions_are_those_of_the_pictures_where_they_are_asked_for():
    pictures = [FACE] * 5 + [WALL] * 2
    (without,) = watched(pictures).observe(Window(0.0, 2.0))
    assert without.actions == ()
    (observed,) = watched(pictures, actions=True).observe(Window(0.0, 2.0))
    assert tuple(action.at for action in observed.actions) == observed.times
    assert {action.track for action in observed.actions} == {observed.track}
    np.testing.assert_array_equal(observed.item, without.item)
    part = observed.during(0.2, 0.6)
    assert tuple(action.at for action in part.actions) == part.times == (0.2, 0.4)


def test_a_crop_without_landmarks_does_nothing():
    noise = np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    face = watched([noise], actions=True)
    (observed,) = face.observe(Window())
    assert len(observed.item) == 1
    assert observed.actions == tuple(face.face_between) == ()


@pytest.mark.parametrize("forgotten", [False, True])
def test_pictures_of_no_window_are_kept_as_actions(forgotten):
    face = watched([FACE] * 10 + [WALL] * 2, actions=True)
    face.observe(Window(0.4, 1.0))  # reaches a tenth of a second further
    if forgotten:
        face.forget(1.6)
        assert min(face.sighting_times) == 1.6
    assert [a.at for a in face.face_between] == pytest.approx([0.0, 0.2, 1.2, 1.4, 1.6, 1.8])
    assert list(face.faceless) == pytest.approx([2.0, 2.2])
    assert not watched([FACE, WALL]).faceless
    assert not watched([FACE, WALL]).face_between


def test_between_windows_the_largest_face_acts_or_every_one():
    pictures = [two_faces()] * 3
    main, both = (watched(pictures, every=e, actions=True).face_between for e in (False, True))
    assert len(main) == 3
    assert len(both) == 6
    assert {a.box.width for a in main} <= {a.box.width for a in both}
    assert min(a.box.width for a in main) > min(a.box.width for a in both)


def test_a_crowd_is_flagged_where_every_face_was_asked_for():
    rows = [
        np.concatenate([draw_face(110, np.cos(6 * r + c)) for c in range(6)], 1) for r in range(2)
    ]
    crowd = np.concatenate(rows)
    every = watched([crowd] * 3, every=True).observe(Window())
    assert len(every) == MOST
    assert all(CROWDED in one.flags for one in every)
    (main,) = watched([crowd] * 3).observe(Window())
    assert CROWDED not in main.flags
    few = watched([two_faces()] * 3, every=True).observe(Window())
    assert all(CROWDED not in one.flags for one in few)


def test_a_glance_at_faces_is_forgotten():
    face = watched([FACE] * 10, actions=True)
    [glanced] = face.glance(Window(0.5, 1.1))
    assert len(glanced.actions) > 0
    assert len(face.face_between) == 10
    face.observe(Window(0.5, 1.1))
    assert len(face.face_between) == 10 - len(glanced.actions)
