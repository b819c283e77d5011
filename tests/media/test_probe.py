"""What a file is, by its content; and one sentence where it is nothing that can be read."""

import gzip
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodal.core.errors import DataError
from moodal.media.probe import is_recording, probe
from moodal.media.video import frames

av = pytest.importorskip("av")

IMAGE = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)


def picture(path, codec="mjpeg"):
    context = av.CodecContext.create(codec, "w")
    context.width, context.height = 64, 48
    context.pix_fmt = "rgb24" if codec == "png" else "yuvj420p"
    context.framerate = 1
    frame = av.VideoFrame.from_ndarray(IMAGE, "rgb24").reformat(format=context.pix_fmt)
    path.write_bytes(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]))
    return path


def film(path, *, sound=True, codec="mpeg4", audio="aac"):
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        voice = file.add_stream(audio, rate=48000, layout="mono") if sound else None
        for i in range(10):
            image = av.VideoFrame.from_ndarray(IMAGE, "rgb24")
            image.pts = i
            file.mux(video.encode(image))
        file.mux(video.encode(None))
        if voice is not None:
            plain = av.AudioResampler(
                format=voice.codec_context.format,
                layout="mono",
                rate=48000,
                frame_size=voice.codec_context.frame_size or None,
            )
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 48000), "f4"), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 48000, 0
            for piece in [*plain.resample(frame), *plain.resample(None)]:
                file.mux(voice.encode(piece))
            file.mux(voice.encode(None))
    return path


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff", "dat"])
def test_audio(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    kind = {"dat": "WAV"}.get(ending, ending.upper())
    soundfile.write(path, np.zeros((16000, 2)), 16000, format=kind)
    media = probe(path)
    assert (media.kind, media.has_audio, media.has_video) == ("audio", True, False)
    assert (media.rate, media.channels) == (16000, 2)
    assert media.seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "codec", "audio"),
    [
        ("a.mp4", "mpeg4", "aac"),
        ("a.mkv", "mpeg4", "libopus"),
        ("a.webm", "libvpx", "libopus"),
        ("a.avi", "mpeg4", "pcm_s16le"),
        ("a.flv", "flv", "aac"),
        ("a.ts", "mpeg2video", "aac"),
    ],
)
def test_video(tmp_path, name, codec, audio):
    media = probe(film(tmp_path / name, codec=codec, audio=audio))
    assert (media.kind, media.has_audio, media.has_video) == ("video", True, True)
    assert media.size == (64, 48)
    assert media.fps == pytest.approx(10, abs=0.5) or name in ("a.ts", "a.flv")
    assert media.seconds == pytest.approx(1.0, abs=0.2)


def test_a_film_without_sound_and_one_with_another_ending(tmp_path):
    media = probe(film(tmp_path / "a.mp4", sound=False))
    assert (media.kind, media.has_audio, media.rate) == ("video", False, None)
    film(tmp_path / "b.mp4").rename(tmp_path / "b.txt")
    assert probe(tmp_path / "b.txt").kind == "video"


def test_a_song_with_a_cover_is_audio(tmp_path):
    cover = picture(tmp_path / "cover.jpg").read_bytes()
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as file:
        voice = file.add_stream("aac", rate=48000, layout="mono")
        art = file.add_stream("mjpeg", rate=1)
        art.width, art.height, art.pix_fmt = 64, 48, "yuvj420p"
        art.disposition = av.stream.Disposition.attached_pic
        for i in range(20):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), "f4"), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 48000, 1024 * i
            file.mux(voice.encode(frame))
        packet = av.Packet(cover)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = art, 0, 0, True
        file.mux(packet)
        file.mux(voice.encode(None))
    with av.open(str(tmp_path / "a.m4a")) as file:
        assert file.streams.video  # the cover is in it
    media = probe(tmp_path / "a.m4a")
    assert (media.kind, media.has_video, media.size) == ("audio", False, None)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.jpg", "mjpeg"), ("a.png", "png"), ("a.wav", "png")]
)
def test_pictures(tmp_path, name, codec):
    media = probe(picture(tmp_path / name, codec))
    assert (media.kind, media.size, media.has_video) == ("image", (64, 48), False)


def test_texts_and_subtitles(tmp_path):
    (tmp_path / "a.txt").write_text("I did not expect that — naïve me.", encoding="utf-8")
    (tmp_path / "notes").write_text("so what", encoding="utf-8")
    (tmp_path / "long.txt").write_text("é" * 200_000, encoding="utf-8")
    (tmp_path / "a.srt").write_bytes(b"1\r\n00:00:01,0 --> 00:00:02,5\r\ncaf\xe9\r\n")
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:03.000\nHi\n")
    (tmp_path / "b.txt").write_text("1\n00:00:01,0 --> 00:00:02,5\nHi\n")
    kinds = {p.name: probe(p).kind for p in tmp_path.iterdir()}
    assert kinds == {
        "a.txt": "text",
        "notes": "text",
        "long.txt": "text",
        "a.srt": "subtitles",
        "a.vtt": "subtitles",
        "b.txt": "subtitles",
    }
    assert probe(tmp_path / "a.srt").seconds == 2.5


def others(folder):
    """Files that are none of it: name -> (content, what the sentence says)."""
    with zipfile.ZipFile(folder / "z", "w") as file:
        file.writestr("a.wav", b"RIFF")
    return {
        "a.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(200), "PDF"),
        "b.mp4": (b"\n\n%PDF-1.4", "PDF"),
        "a.docx": ((folder / "z").read_bytes(), "ZIP"),
        "a.gz": (gzip.compress(b"hello" * 99), "gzip"),
        "a.exe": (b"MZ\x90\x00\x03" + bytes(200), "program"),
        "a.so": (b"\x7fELF\x02\x01" + bytes(200), "program"),
        "a.html": (b"<!DOCTYPE html>\n<html><body>Hi</body></html>", "web page"),
        "c.txt": (b"  <html><p>Hi", "web page"),
        "p.wav": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        "q.mp4": (b"../.git/annex/objects/x/y/SHA256E-s1--1.mp4", "git annex get"),
        "a.wav": (b"these are words, not sound", "holds text"),
        "a.csv": (b"id,text\n1,hello\n", "table"),
        "a.m3u8": (b"#EXTM3U\n#EXTINF:3,\na.wav\n", "playlist"),
        "u.txt": ("naïve café über alles".encode("latin-1"), "UTF-8"),
        "w.txt": (b" \n\t \n", "no words"),
        "e.txt": (b"", "empty"),
        "e.mp4": (b"", "empty"),
        "r.mp4": (np.random.default_rng(0).bytes(5000), "damaged"),
        "z.wav": (bytes(5000), "damaged"),
        "b.srt": (np.random.default_rng(2).bytes(5000), "no subtitles"),
        "t.srt": (b"no times here", "no subtitles"),
        "x.webp": (b"RIFF\x00\x10\x00\x00WEBPVP8 " + bytes(99), "damaged picture"),
        "huge.png": (
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00\x01\x00\x00" * 2 + bytes(99),
            "65536 x 65536",
        ),
        "cut.jpg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "damaged picture"),
    }


def test_everything_else_is_one_sentence(tmp_path):
    for name, (content, phrase) in others(tmp_path).items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            probe(path)
        message = str(caught.value)
        assert name in message, message
        assert phrase in message, message
        assert "\n" not in message
        assert len(message) < 600


def test_a_film_whose_index_is_lost_is_refused(tmp_path):
    path = film(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"a\.mp4 is damaged: its index is missing"):
        probe(path)


def test_only_sound_films_and_pictures_are_recordings(tmp_path):
    names = {"a.txt": b"words", "a.mp4": b"words", "a.wav": b"RIFF", "a.svg": b"<svg/>", "b": b""}
    for name, content in names.items():
        (tmp_path / name).write_bytes(content)
        assert not is_recording(tmp_path / name)
    assert not is_recording(tmp_path)
    assert not is_recording(tmp_path / "gone.mp4")
    clip = Path(__file__).parents[2] / "examples" / "clip.mp4"
    assert is_recording(shutil.copy(clip, tmp_path / "named.txt"))


def test_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("none.wav", "no file"), (".", "is a folder"), ("pipe", "a pipe")):
        with pytest.raises(DataError, match=message):
            probe(tmp_path / name)
    with pytest.raises(DataError):
        probe("a\0b")


def test_damaged_files_give_a_kind_or_a_sentence(tmp_path):
    seeds = [
        film(tmp_path / "a.mp4"),
        film(tmp_path / "a.mkv", audio="libopus"),
        film(tmp_path / "a.webm", codec="libvpx", audio="libopus"),
        picture(tmp_path / "a.jpg"),
        picture(tmp_path / "a.png", "png"),
    ]
    rng = np.random.default_rng(3)
    for path in seeds:
        good = path.read_bytes()
        for i in range(30):
            raw = bytearray(good[: rng.integers(1, len(good) + 1)] if i % 2 else good)
            for at in rng.integers(0, len(raw), rng.integers(1, 30)):
                raw[at] = rng.integers(256)
            path.write_bytes(raw)
            try:
                media = probe(path)
            except DataError:
                continue
            assert media.kind in ("audio", "video", "image", "text")
            assert media.seconds is None or 0 < media.seconds < 1e8


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "tif"])
def test_pictures_of_every_common_kind_are_read(tmp_path, ending):
    from PIL import Image

    path = tmp_path / f"100%02d.{ending}"
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[:, 30:] = (200, 40, 90)
    Image.fromarray(colours).save(path)
    assert (probe(path).kind, probe(path).size) == ("image", (60, 40))
    [picture] = frames(path)
    assert np.abs(picture.rgb[:, 45].astype(int) - (200, 40, 90)).max() < 12


@pytest.mark.parametrize("ending", ["bmp", "tif"])
def test_a_picture_that_claims_to_be_huge_is_refused(tmp_path, ending):
    from PIL import Image

    path = tmp_path / f"a.{ending}"
    Image.new("L", (20000, 6000)).save(path)
    with pytest.raises(DataError, match="20000 x 6000 pixels"):
        probe(path)
