"""Pictures out of videos and images: their times, their shape, and damage."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.media.video import check_video, frames

av = pytest.importorskip("av")


def picture(i, width=64, height=48):
    """Grey of value 8 * i, its upper left quarter red."""
    rgb = np.full((height, width, 3), (8 * i) % 200, np.uint8)
    rgb[: height // 2, : width // 2] = (250, 0, 0)
    return rgb


def film(path, pictures, *, rate=10, codec="mpeg4", times=None, turn=0, aspect=None, **options):
    """A video of ``pictures``, at ``times`` (ms) or ``rate`` a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate, options={k: str(v) for k, v in options.items()})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}.get(codec, "yuv420p")
        if codec == "mpeg4":
            stream.codec_context.qmax = 3
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turn:
            stream.set_display_rotation(turn)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for i, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=stream.pix_fmt)
            frame.pts = i if times is None else times[i]
            frame.time_base = Fraction(1, rate) if times is None else Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def times(*args, **kwargs):
    return [round(p.at, 3) for p in frames(*args, **kwargs)]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"),
        ("a.mkv", "mpeg4"),
        ("a.webm", "libvpx"),
        ("a.avi", "mjpeg"),
        ("a.ts", "mpeg2video"),
    ],
)
def test_one_picture_of_every_fifth_of_a_second(tmp_path, name, codec):
    rate = 25 if name == "a.ts" else 10
    path = film(tmp_path / name, [picture(i) for i in range(2 * rate)], codec=codec, rate=rate)
    seen = list(frames(path))
    assert [round(p.at, 2) for p in seen] == pytest.approx(np.arange(10) / 5, abs=0.021)
    assert all(p.rgb.shape == (48, 64, 3) and p.rgb.dtype == np.uint8 for p in seen)
    for p in seen:
        grey = (8 * round(p.at * rate)) % 200
        assert abs(float(p.rgb[30:, 40:].mean()) - grey) < 12
        assert p.rgb[10, 10, 0] > 200 > 60 > p.rgb[10, 10, 2]
    assert times(path, 1000.0) == pytest.approx(np.arange(2 * rate) / rate, abs=1e-3)


def test_a_span_is_sampled_from_its_start(tmp_path):
    path = film(tmp_path / "a.mp4", [picture(i) for i in range(40)], g=12)
    assert times(path, start=1.3, end=2.0) == [1.3, 1.5, 1.7, 1.9]
    assert times(path, start=1.25, end=1.6) == [1.3, 1.5]
    assert times(path, start=3.8) == [3.8]
    assert times(path, start=9.0) == []
    for p in frames(path, 10, start=2.0, end=2.3):
        assert abs(float(p.rgb[30:, 40:].mean()) - (80 * p.at) % 200) < 10


def test_a_variable_rate_is_sampled_by_time_stamps(tmp_path):
    stamps = [0, 30, 60, 90, 1000, 1010, 1020, 4000, 4250]
    path = film(tmp_path / "a.mkv", [picture(i) for i in range(9)], times=stamps)
    assert times(path) == [0, 1.0, 4.0, 4.25]
    # the frame of 1.02 s is still being shown when the span begins
    (first, second) = frames(path, start=2.5, end=4.1)
    assert (first.at, second.at) == (2.5, 4.0)
    assert abs(float(first.rgb[30:, 40:].mean()) - 48) < 8
    assert times(path, start=2.5, end=3.0) == [2.5]


@pytest.mark.parametrize(("turn", "corner"), [(90, (-5, 5)), (-90, (5, -5)), (180, (-5, -5))])
def test_rotation_in_the_metadata_is_applied(tmp_path, turn, corner):
    path = film(tmp_path / "a.mp4", [picture(20)] * 2, turn=turn)
    (seen,) = frames(path)
    assert seen.rgb.shape == ((48, 64, 3) if turn == 180 else (64, 48, 3))
    assert seen.rgb[corner][0] > 200 > 60 > seen.rgb[corner][2]


def test_frames_are_scaled_down_and_pixels_are_square(tmp_path):
    path = film(tmp_path / "a.mp4", [picture(3, 320, 200)])
    (seen,) = frames(path, longest=160)
    assert (seen.rgb.shape, seen.scale) == ((100, 160, 3), 0.5)
    (seen,) = frames(path, longest=2000)
    assert (seen.rgb.shape, seen.scale) == ((200, 320, 3), 1.0)
    wide = film(tmp_path / "wide.mkv", [picture(3, 320, 200)], aspect=Fraction(2, 1))
    assert next(frames(wide)).rgb.shape == (200, 640, 3)
    (seen,) = frames(film(tmp_path / "dot.avi", [picture(9, 2, 2)[:1, :1]], codec="png"))
    assert seen.rgb.shape == (1, 1, 3)


def test_of_a_fast_video_frames_are_skipped_but_no_fifth_of_a_second(tmp_path):
    path = film(tmp_path / "a.mp4", [picture(i) for i in range(120)], rate=60, bf=2)
    assert times(path) == pytest.approx(np.arange(10) / 5, abs=0.1)


def test_a_still_image_is_one_picture(tmp_path):
    for name, codec in (("a.png", "png"), ("a.jpg", "mjpeg"), ("100%02d.png", "png")):
        path = tmp_path / name
        film(tmp_path / "one.avi", [picture(4)], codec=codec)
        with av.open(str(tmp_path / "one.avi")) as file:
            path.write_bytes(bytes(next(file.demux(video=0))))
        check_video(path)
        (seen,) = frames(path)
        assert seen.at == 0
        assert abs(int(seen.rgb[40, 50, 1]) - 32) < 6


def test_music_with_a_cover_and_text_are_no_videos(tmp_path):
    with av.open(str(tmp_path / "song.mp3"), "w") as file:
        sound = file.add_stream("mp3", rate=16000, layout="mono")
        cover = file.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        image = av.VideoFrame.from_ndarray(picture(1), "rgb24")
        file.mux(cover.encode(image))
        for i in range(20):
            block = av.AudioFrame.from_ndarray(np.zeros((1, 1152), "f4"), "fltp", "mono")
            block.sample_rate, block.pts = 16000, 1152 * i
            file.mux(sound.encode(block))
        file.mux(sound.encode(None))
    with av.open(str(tmp_path / "song.mp3")) as file:
        assert len(file.streams.video) == 1
    (tmp_path / "words.txt").write_text("these are words\n" * 30)
    (tmp_path / "page.pdf").write_bytes(b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:9,\nhttp://a.invalid/x.ts\n")
    for name in ("song.mp3", "words.txt", "page.pdf", "list.mp4"):
        for look in (check_video, lambda path: list(frames(path))):
            with pytest.raises(DataError, match=name):
                look(tmp_path / name)


def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match=r"no video file .*none\.mp4"):
        check_video(tmp_path / "none.mp4")
    with pytest.raises(DataError, match=r"empty\.mp4 is empty"):
        list(frames(tmp_path / "empty.mp4"))
    path = film(tmp_path / "a:b.mp4", [picture(0)] * 4)
    assert times(path) == [0, 0.2]
    for wrong in ({"fps": 0}, {"start": -1.0}, {"start": 2.0, "end": 2.0}, {"longest": 0}):
        with pytest.raises(UsageError):
            list(frames(path, **wrong))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match="pip install av"):
        list(frames(path))


def test_frames_that_do_not_decode_are_skipped_and_reported(tmp_path):
    path = film(tmp_path / "a.avi", [picture(i) for i in range(30)], codec="png")
    data = path.read_bytes()
    starts = [i for i in range(len(data)) if data.startswith(b"\x89PNG", i)]
    broken = bytearray(data)
    for i in starts[10:20]:
        broken[i : i + 4] = b"none"
    path.write_bytes(broken)
    damaged = []
    seen = times(path, 10, on_damage=lambda at, reason: damaged.append(at))
    assert len(starts) == 30
    # several threads decode, so that a neighbour may be lost with them
    assert set(np.arange(10) / 10) <= set(seen)
    assert set(np.arange(23, 30) / 10) <= set(seen)
    assert not set(seen) & set(np.arange(10, 20) / 10)
    assert damaged
    assert 0.5 < damaged[0] < 2.2
    for i in starts:
        broken[i : i + 4] = b"none"
    path.write_bytes(broken)
    with pytest.raises(DataError, match=r"Cannot decode any picture of .*a\.avi: invalid data"):
        list(frames(path))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"),
        ("a.mp4", "libx264"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx"),
        ("a.jpg", "mjpeg"),
    ],
)
def test_damaged_files_give_pictures_or_one_sentence(tmp_path, name, codec):
    try:
        path = film(
            tmp_path / name,
            [picture(i) for i in range(1 if ".jpg" in name else 20)],
            codec=codec,
            **({"update": 1} if ".jpg" in name else {}),
        )
    except (av.FFmpegError, ValueError) as error:
        pytest.skip(f"this FFmpeg does not write {codec}: {error}")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    answers = set()
    for trial in range(30):
        data = bytearray(whole)
        if trial % 2:
            del data[rng.integers(1, len(data)) :]
        else:
            reach = len(data) if trial % 4 else min(600, len(data))
            for i in rng.integers(0, reach, 12):
                data[i] = rng.integers(256)
        path.write_bytes(data)
        try:
            for p in frames(path, start=0.5 if trial % 5 == 0 else None):
                assert p.rgb.dtype == np.uint8
                assert p.rgb.ndim == 3
            answers.add("pictures")
        except DataError as error:
            answers.add("refused" if name in str(error) else str(error))
    assert answers == {"pictures", "refused"}


def test_only_one_picture_is_held(tmp_path):
    """Six times the pictures need no more memory."""
    import tracemalloc

    sizes = []
    for n in (10, 60):
        path: Path = film(tmp_path / f"{n}.mp4", [picture(1, 160, 120)] * n)
        tracemalloc.start()
        assert sum(1 for _ in frames(path, 10)) == n
        sizes.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert sizes[1] < 1.5 * sizes[0] + 60_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "run `git lfs pull`"),
        (b"<html><body>404</body></html>", "download it again"),
    ],
)
def test_what_stands_in_place_of_a_film_is_named(tmp_path, content, words):
    (tmp_path / "clip.mp4").write_bytes(content)
    for look in (check_video, lambda path: list(frames(path, 5.0))):
        with pytest.raises(DataError, match=words):
            look(tmp_path / "clip.mp4")
