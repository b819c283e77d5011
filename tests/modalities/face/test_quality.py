"""Faces followed through pictures, and what is said of how well they are seen."""

import numpy as np
import pytest

from moodal.core.errors import DataError
from moodal.lookalikes.face import draw_face
from moodal.media.video import Picture
from moodal.modalities.face import track as face_tracks
from moodal.modalities.face.quality import by_track, face_flags, face_quality, main_face
from moodal.modalities.face.track import Follower, main_track


def scene(*faces, height=240, width=400):
    """Drawn faces (size, left, top) on a wall."""
    picture = np.full((height, width, 3), 170, np.uint8)
    for size, left, top in faces:
        picture[top : top + size, left : left + size] = draw_face(size)
    return picture


def pictures(scenes, fps=5.0, scale=1.0):
    return [Picture(i / fps, rgb, scale) for i, rgb in enumerate(scenes)]


def seen_in(scenes, **kwargs):
    follower = Follower()
    looks = [(p.at, follower.look(p)) for p in pictures(scenes, **kwargs)]
    return follower, [sighting for _, seen in looks for sighting in seen], looks


def test_a_face_that_moves_keeps_its_number():
    follower, seen, looks = seen_in([scene((140, 10 + 12 * i, 40 + 3 * i)) for i in range(15)])
    assert [at for at, _ in looks] == pytest.approx(np.arange(15) / 5)
    assert [s.track for s in seen] == [0] * 15
    places = [s.box.centre[0] - 10 - 12 * i - 70 for i, s in enumerate(seen)]
    assert np.abs(places).max() < 12
    track = main_track(follower.tracks.values())
    assert track is not None
    assert (track.number, len(track)) == (0, 15)
    assert list(track.times) == pytest.approx(np.arange(15) / 5)
    assert track.sides[3] == pytest.approx(seen[3].pixels, abs=1e-3)
    assert 60 < track.pixels < 90
    assert all(s.face.shape == (48, 48) and s.face.dtype == np.uint8 for s in seen)


def test_two_faces_have_two_numbers_and_the_larger_is_main():
    both = [scene((90, 20, 90), (180, 190, 30))] * 6
    follower, seen, looks = seen_in(both)
    assert all(len(here) == 2 for _, here in looks)
    faces = by_track(seen)
    assert [len(f) for f in faces.values()] == [6, 6]
    main = main_face(seen)
    assert main is not None
    assert faces[main][0].box.centre[0] > 190
    track = main_track(follower.tracks.values())
    assert track is not None
    assert track.number == main
    # but one that is seen for a moment only is not
    follower, seen, _ = seen_in([scene((120, 20, 90))] * 7 + both[:1])
    assert main_face(seen) == 0


def test_a_face_that_was_hidden_is_the_same_again():
    face, wall = scene((140, 100, 40)), scene()
    _, seen, _ = seen_in([face] * 3 + [wall] * 4 + [face] * 3)
    assert [s.track for s in seen] == [0] * 6
    _, seen, _ = seen_in([face] * 3 + [wall] * 18 + [face] * 3)
    assert [s.track for s in seen] == [0] * 6  # it looks the same


def test_a_face_that_comes_later_is_found_within_a_second():
    _, seen, _ = seen_in([scene((140, 10, 40))] * 4 + [scene((140, 10, 40), (130, 230, 60))] * 7)
    late = by_track(seen)[1]
    assert late[0].at <= 4 / 5 + face_tracks.EVERY
    assert len(late) >= 3


def test_a_small_face_is_found_by_the_deeper_search():
    _, seen, _ = seen_in([scene((100, 300, 200), height=480, width=854)] * 3)
    assert [s.track for s in seen] == [0, 0, 0]
    quality = face_quality(seen, 3)
    assert 40 < quality["pixels"] < 65


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_faces_of_a_video_that_lies_on_its_side_are_cropped_upright(turn):
    lying = np.rot90(scene((160, 100, 40)), -turn)
    _, seen, _ = seen_in([np.ascontiguousarray(lying)] * 5)
    assert len(seen) == 5
    upright = seen_in([scene((160, 100, 40))])[1][0]
    assert np.abs(seen[-1].face.astype(int) - upright.face).mean() < 12


def test_ten_faces_have_ten_numbers():
    faces = [(120, 10 + 128 * (i % 5), 40 + 150 * (i // 5)) for i in range(10)]
    follower, _, looks = seen_in([scene(*faces, height=360, width=660)] * 3)
    assert [len(seen) for _, seen in looks] == [10] * 3
    assert len(follower.tracks) == 10


def test_a_cut_to_another_face_is_another_face_and_the_first_one_is_known_again():
    one = scene((150, 100, 40))
    other = 255 - scene(height=240, width=400)
    tinted = draw_face(150, smile=-1, brow=1) * [1, 0.6, 0.4]
    other[40:190, 100:250] = tinted.astype(np.uint8)
    dark = (scene((150, 100, 40)) * 0.25).astype(np.uint8)
    follower, seen, _ = seen_in([one] * 4 + [dark] * 4 + [one] * 4)
    assert [s.track for s in seen] == [0] * 12  # the light changes, the face does not
    follower, seen, _ = seen_in([one] * 4 + [np.ascontiguousarray(other)] * 4 + [one] * 4)
    tracks = [s.track for s in seen]
    assert tracks[:4] == tracks[-4:] == [0] * 4
    assert follower.looked == 12


def test_where_no_face_is_there_is_no_track():
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    for picture in (noise, noise[:1, :1]):
        follower, seen, _ = seen_in([np.ascontiguousarray(picture)] * 3)
        assert (seen, follower.tracks, follower.looked) == ([], {}, 3)
    assert main_track([]) is None
    assert main_face([]) is None
    with pytest.raises(DataError, match="A picture must be"):
        Follower().look(Picture(0.0, noise.astype(float)))


def test_quality_says_size_sharpness_and_share():
    _, seen, _ = seen_in([scene((140, 100, 40))] * 2 + [scene()] * 6, scale=0.5)
    quality = face_quality(seen, 8)
    assert quality["seen"] == 0.25
    assert 120 < quality["pixels"] < 180  # of the file, which is twice as large
    assert face_flags(quality) == ("The face is seen in 25% of the pictures.",)
    assert face_quality([], 8) == {"seen": 0.0}
    assert face_flags({"seen": 0.0}) == ("No face is seen.",)
    good = {"pixels": 100.0, "sharpness": 0.7, "seen": 1.0, "score": 0.99, "yaw": 8.0}
    assert face_flags(good) == ()
    assert "small" in face_flags({**good, "pixels": 20.0})[0]
    assert "blurred" in face_flags({**good, "sharpness": 0.1})[0]
    assert "hidden" in face_flags({**good, "score": 0.1})[0]
    assert face_flags({**good, "yaw": 72.4}) == ("The face is turned away by 72 degrees.",)
