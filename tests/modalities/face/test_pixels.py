"""The face stream's encoder, from videos and images."""

import json

import numpy as np
import pytest

from moodal.core.errors import DataError, UsageError
from moodal.core.records import Clip
from moodal.lookalikes.face import draw_face
from moodal.media.video import Picture
from moodal.modalities.face.pixels import Pixels, values
from moodal.modalities.face.track import Follower

av = pytest.importorskip("av")


def film(path, pictures, rate=5):
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.qmax = "yuv420p", 4
        for i, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts = i
            file.mux(stream.encode(frame.reformat(format="yuv420p")))
        file.mux(stream.encode(None))
    return str(path)


def look(picture):
    """The faces of one picture as a video's first picture, the largest first."""
    return Follower().look(Picture(0.0, picture))


def largest_face(picture):
    """The row [2304] of the largest face in a picture."""
    return values(look(picture)[0].face)


def test_a_video_gives_its_face_at_every_picture(tmp_path):
    path = film(tmp_path / "a.mp4", [draw_face(160, smile=i / 10) for i in range(10)])
    out = Pixels().encode(Clip(path))
    assert out.shape == (10, 2304)
    assert out.dtype == np.float32
    assert 0 <= out.min() < 0.3 < 0.6 < out.max() <= 1
    assert Pixels(fps=2.5).encode(Clip(path)).shape == (5, 2304)
    assert Pixels().encode(Clip(path, 1.0, 1.5)).shape == (3, 2304)
    np.testing.assert_array_equal(out, Pixels().encode(Clip(path)))
    assert np.abs(out[0] - largest_face(draw_face(160))).mean() < 0.04


def test_the_larger_of_two_faces_is_the_main_one(tmp_path):
    picture = np.full((200, 360, 3), 170, np.uint8)
    picture[100:180, 10:90] = draw_face(80, smile=-1)
    picture[10:190, 150:330] = draw_face(180, smile=1)
    out = Pixels().encode(Clip(film(tmp_path / "two.mp4", [picture] * 4)))
    want = largest_face(draw_face(180, smile=1))
    assert out.shape == (4, 2304)
    assert np.abs(out - want).mean() < 0.05
    assert np.abs(largest_face(picture) - want).mean() < 0.05


def test_where_there_is_no_face_there_are_no_steps(tmp_path):
    path = film(tmp_path / "wall.mp4", [np.full((90, 120, 3), 99, np.uint8)] * 3)
    assert Pixels().encode(Clip(path)).shape == (0, 2304)
    assert look(np.zeros((1, 1, 3), np.uint8)) == []


def test_a_picture_of_one_face_is_cropped_and_a_blank_one_has_none():
    tight = np.ascontiguousarray(draw_face(96, smile=0.8)[10:90, 8:88])
    pictures = np.stack([tight, np.full_like(tight, 120)])
    out = Pixels().encode(pictures)
    assert out.shape == (1, 2304)
    assert np.abs(out[0] - largest_face(draw_face(160, smile=0.8))).mean() < 0.08
    grey = tight[..., :1]
    assert Pixels().encode(grey[None]).shape == (1, 2304)


def test_features_from_files_are_read_as_the_pictures_that_they_are():
    crop = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
    stored = (crop.reshape(3, -1).astype(np.float32) / 255).astype(np.float16)
    np.testing.assert_array_equal(Pixels().raw(stored), crop[..., None])
    assert Pixels().raw(stored[:, :35]) is None


def test_a_crop_comes_in_as_it_is():
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    out = Pixels().encode(face[None])
    np.testing.assert_array_equal(out, face.reshape(1, -1).astype(np.float32) / 255)
    np.testing.assert_array_equal(out[0], values(face))
    assert (
        np.rint(out.astype(np.float16).astype(np.float32) * 255).tolist()[0]
        == face.ravel().tolist()
    )


def test_it_says_what_it_is():
    spec = Pixels().spec()
    assert spec["parameters"] == {"fps": 5.0}
    assert (spec["name"], spec["width"], Pixels().stream) == ("pixels", 2304, "face")
    assert spec["version"].startswith("weights ")
    assert spec == json.loads(json.dumps(Pixels().spec()))
    assert spec["fingerprint"] != Pixels(fps=10).spec()["fingerprint"]
    assert (Pixels(fps=10).rate, Pixels().dtype) == (10.0, "float16")
    with pytest.raises(UsageError, match="fps"):
        Pixels(fps=0)


def test_an_unreadable_clip_is_refused(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 9)
    for look in (Pixels().check, Pixels().encode):
        with pytest.raises(DataError, match=r"bad\.mp4"):
            look(Clip(str(tmp_path / "bad.mp4")))


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("single_face.mp4", 12),
        ("WolfgangLanger_Pexels.mp4", 15),
        ("ravdess_01-01-01-01-01-01-01.mp4", 15),
    ],
)
def test_real_faces_are_seen_throughout(name, steps, real):
    path = real(f"face_video_samples/{name}")
    out = Pixels().encode(Clip(str(path), 0.0, 3.0))
    assert abs(len(out) - steps) <= 1
    assert out.std(axis=1).min() > 0.1


def test_crops_are_scaled_and_other_arrays_refused():
    crops = np.arange(2 * 48 * 48, dtype=np.uint32).astype(np.uint8).reshape(2, 48, 48)
    out = Pixels().encode(crops)
    assert (out.shape, out.dtype, out.max()) == ((2, 2304), np.float32, 1.0)
    np.testing.assert_array_equal(out[1].reshape(48, 48), crops[1].astype(np.float32) / 255)
    with pytest.raises(DataError, match=r"\[n, 48, 48\] uint8; got \[2, 48, 48\] of float32"):
        Pixels().encode(crops.astype(np.float32))
    with pytest.raises(UsageError, match="reads pictures; got a text"):
        Pixels().encode("a face")
