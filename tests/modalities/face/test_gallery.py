"""The looks of faces: the same look in another light is the same, another one is not."""

import numpy as np
import pytest

from moodal.modalities.face.gallery import FACES, KEPT, Gallery, look_of

RNG = np.random.default_rng(0)


def face():
    """A made-up crop with a structure of its own."""
    coarse = RNG.integers(40, 200, (12, 12))
    return np.kron(coarse, np.ones((4, 4))).astype(np.uint8)


def test_a_look_does_not_change_with_light_and_contrast():
    one = face()
    darker = (one * 0.5 + 20).astype(np.uint8)
    assert look_of(one) @ look_of(darker) == pytest.approx(1, abs=0.01)
    assert np.linalg.norm(look_of(one)) == pytest.approx(1)
    assert not look_of(np.full((48, 48), 90, np.uint8)).any()


def test_a_face_is_known_again_and_another_one_is_not():
    gallery, one, other = Gallery(), face(), face()
    gallery.add(3, 0.0, one)
    assert gallery.find(one, without=set()) == 3
    assert gallery.find(one, without={3}) is None
    assert gallery.find(other, without=set()) is None
    gallery.add(4, 1.0, other)
    assert gallery.find(other, without=set()) == 4


def test_the_latest_looks_of_the_latest_faces_are_kept():
    gallery = Gallery()
    first = face()
    gallery.add(0, 0.0, first)
    gallery.add(0, 0.5, face())  # too soon after the first one
    for i in range(KEPT):
        gallery.add(0, 1.0 + i, face())
    assert gallery.find(first, without=set()) is None
    last = face()
    gallery.add(0, 50.0, last)
    for track in range(1, FACES + 1):
        gallery.add(track, 100.0, face())
    assert gallery.find(last, without=set()) is None  # fifty faces were seen since
