"""Damaged files of every kind: an answer or one sentence, in bounded time, and nothing else."""

from __future__ import annotations

import time

import numpy as np
import pytest
import soundfile

from moodal.core.errors import DataError
from moodal.core.timeline import Timeline
from moodal.lookalikes.face import draw_face

av = pytest.importorskip("av")

DAMAGES = 20
PATIENCE = 5.0
"""Seconds that the answer to a file of one second may take on a busy machine."""
CODECS = {
    "mp4": ("mpeg4", "aac"),
    "mkv": ("mpeg4", "libopus"),
    "webm": ("libvpx", "libopus"),
}
SRT = "".join(
    f"{i}\n00:00:{i:02},000 --> 00:00:{i:02},900\nI am number {i}, and so <i>happy</i>!\n\n"
    for i in range(1, 30)
)


def film(path, video, audio):
    """A second of a face and of noise."""
    with av.open(str(path), "w") as file:
        seen, heard = file.add_stream(video, rate=5), file.add_stream(audio, rate=48000)
        seen.width, seen.height, seen.pix_fmt = 96, 96, "yuv420p"
        heard.layout = "mono"
        for i in range(5):
            picture = draw_face(96, i / 5)
            file.mux(seen.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(seen.encode(None))
        noise = np.random.default_rng(0).normal(0, 0.1, (1, 48000)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(noise, format="flt", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        plain = av.AudioResampler(
            format=heard.codec_context.format,
            layout="mono",
            rate=48000,
            frame_size=heard.codec_context.frame_size,
        )
        for piece in [*plain.resample(frame), *plain.resample(None)]:
            file.mux(heard.encode(piece))
        file.mux(heard.encode(None))


def picture(path):
    with av.open(str(path), "w", format="image2") as file:
        png = path.suffix == ".png"
        still = file.add_stream("png" if png else "mjpeg", rate=1)
        still.width, still.height, still.pix_fmt = 120, 120, "rgb24" if png else "yuvj420p"
        file.mux(still.encode(av.VideoFrame.from_ndarray(draw_face(120), format="rgb24")))
        file.mux(still.encode(None))


def write(path):
    """A whole file of about a second."""
    ending = path.suffix[1:]
    if ending in CODECS:
        film(path, *CODECS[ending])
    elif ending in ("png", "jpg"):
        picture(path)
    elif ending == "srt":
        path.write_text(SRT)
    else:
        noise = np.random.default_rng(1).normal(0, 0.1, 16000)
        soundfile.write(path, noise, 16000)


def damaged(good, rng, i):
    """Cut short, with changed bytes, both, a piece missing, or zeros in a piece."""
    raw, kind = bytearray(good), i % 5
    if kind in (0, 2):
        raw = raw[: rng.integers(1, len(raw))]
    if kind in (1, 2):
        # every other time in the header, where it matters
        reach = len(raw) if i % 2 else min(len(raw), 400)
        for at in rng.integers(0, reach, rng.integers(1, 20)):
            raw[at] = rng.integers(256)
    at, n = sorted(rng.integers(0, len(raw), 2))
    if kind == 3:
        del raw[at:n]
    if kind == 4:
        raw[at:n] = bytes(n - at)
    return bytes(raw)


@pytest.mark.parametrize(
    "ending", ["wav", "mp3", "ogg", "flac", "mp4", "mkv", "webm", "png", "jpg", "srt"]
)
def test_a_damaged_file_is_an_answer_or_a_sentence(model, tmp_path, ending, capfd):
    path = tmp_path / f"a.{ending}"
    try:
        write(path)
    except (av.FFmpegError, soundfile.LibsndfileError, ValueError) as error:
        pytest.skip(f"cannot be written here: {error}")
    good, rng = path.read_bytes(), np.random.default_rng(len(ending) + ord(ending[0]))
    answers = 0
    assert len(model.predict(path, whole=True, asr=False)) > 0
    for i in range(DAMAGES):
        path.write_bytes(damaged(good, rng, i))
        started = time.perf_counter()
        try:
            found = model.predict(path, whole=True, asr=False)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017
            assert path.name in str(error)  # noqa: PT017
        else:
            assert isinstance(found, Timeline)
            for one in found:
                assert sum(one.probabilities.values()) == pytest.approx(1)
                assert 0 <= (one.start or 0) <= (one.end or 0)
            answers += 1
        assert time.perf_counter() - started < PATIENCE
    assert answers or ending == "png", "not one was read past its damage"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["mp4", "wav", "png"])
@pytest.mark.parametrize("name", ["a", "a.txt", "a.srt", "a.mp3", "a.jpg", "a.raw"])
def test_the_content_counts_and_not_the_name(model, tmp_path, ending, name):
    write(tmp_path / f"b.{ending}")
    path = (tmp_path / f"b.{ending}").rename(tmp_path / name)
    try:
        found = model.predict(path, whole=True, asr=False)
    except DataError as error:
        assert name in str(error)  # noqa: PT017
    else:
        assert found.kind == {"mp4": "video", "wav": "audio", "png": "image"}[ending]
        assert len(found) == 1
