"""Many faces at once, a film that is turned, and one whose pictures come as they like."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from moodal.lookalikes.face import draw_face

av = pytest.importorskip("av")


def crowd(columns=5, rows=2, side=110):
    """[rows * side, columns * side, 3]: a face in each cell."""
    faces = [draw_face(side, np.cos(i), np.sin(i)) for i in range(rows * columns)]
    lines = [np.concatenate(faces[i * columns : (i + 1) * columns], 1) for i in range(rows)]
    return np.concatenate(lines)


def film(path, pictures, times):
    """Pictures at their times, in ms."""
    from fractions import Fraction

    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=1000)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt, video.bit_rate = "yuv420p", 2_000_000
        video.codec_context.time_base = Fraction(1, 1000)
        for rgb, at in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


def turned(path, degrees):
    """The same MP4 with the matrix in its header that turns it when it is shown."""
    cos, sin = round(np.cos(np.deg2rad(degrees))), round(np.sin(np.deg2rad(degrees)))
    matrix = struct.pack(">9i", cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"tkhd") + 4 + 40
    raw[at : at + 36] = matrix
    path.write_bytes(raw)
    return path


def test_ten_faces_in_a_picture(model, tmp_path):
    from PIL import Image

    Image.fromarray(crowd()).save(tmp_path / "crowd.png")
    (main,) = model.predict(tmp_path / "crowd.png")
    every = model.predict(tmp_path / "crowd.png", faces="all")
    assert len(every) == 10
    assert len({p.track for p in every}) == 10
    assert main.track in {p.track for p in every}
    assert len({round(p.probabilities["anger"], 6) for p in every}) > 5  # each has its own answer


def test_ten_faces_in_a_film_keep_their_numbers(model, tmp_path):
    path = film(tmp_path / "crowd.mp4", [crowd()] * 8, range(0, 1600, 200))
    every = model.predict(path, faces="all")
    assert sorted(p.track for p in every) == sorted({p.track for p in every})
    assert len(every) == 10
    assert len(model.predict(path)) == 1


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_film_that_lies_is_seen_upright(model, tmp_path, degrees):
    face = draw_face(160, 0.6)
    (upright,) = model.predict(film(tmp_path / "a.mp4", [face] * 8, range(0, 1600, 200)))
    lying = [np.rot90(face, degrees // 90)] * 8
    path = film(tmp_path / "b.mp4", lying, range(0, 1600, 200))
    noticed = model.predict(path)  # its pictures lie, and nothing says so
    told = model.predict(turned(path, degrees))
    for (found,) in (noticed, told):
        assert found.quality["face"]["score"] > 0.9
        assert found.quality["face"]["seen"] > 0.7
    assert dict(told[0].probabilities) == pytest.approx(dict(upright.probabilities), abs=0.02)


def test_pictures_that_come_as_they_like_lie_at_their_times(model, tmp_path):
    # 30 a second, then one in half a second, then 30 a second; no face in the middle
    times = [*range(0, 1500, 33), *range(1500, 5000, 500), *range(5000, 6500, 33)]
    face, wall = draw_face(120, 0.3), np.full((120, 120, 3), 150, np.uint8)
    pictures = [wall if 1500 <= t < 5000 else face for t in times]
    found = model.predict(film(tmp_path / "a.mp4", pictures, times))
    assert found.duration == pytest.approx(6.5, abs=0.3)
    spans = [(p.start, p.end) for p in found]
    assert spans == [pytest.approx((0.0, 1.4), abs=0.3), pytest.approx((5.0, 6.4), abs=0.3)]
    for one in found:
        assert len(one.moments) == pytest.approx(5 * 1.5, abs=2)  # five a second, not thirty
