"""One pass: utterances come as they end, whatever a recording comes from, and nothing is kept."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError, UsageError
from moodal.core.records import RATE
from moodal.lookalikes.face import draw_face
from moodal.media import recording as recordings
from moodal.media.audio import read_audio
from moodal.modalities.face.observe import Face
from moodal.model.segmentation import Buffer
from tests.sounds import bursts

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
needs_clip = pytest.mark.skipif(not CLIP.exists(), reason="the example clip is not here")
OPTIONS = {"asr": False, "fps": 2}


@pytest.fixture(scope="module")
def said():
    """The sound of the example clip, [n] at 16 kHz."""
    return read_audio(CLIP)


class Microphone:
    """Gives samples block by block, and counts the seconds that were pulled."""

    def __init__(self, samples, seconds=0.25):
        self.samples, self.size, self.pulled = samples, round(seconds * RATE), 0.0

    def __iter__(self):
        for at in range(0, len(self.samples), self.size):
            block = self.samples[at : at + self.size]
            self.pulled += len(block) / RATE
            yield block


def told(timeline):
    """All that an answer says, but for the names of the recording."""
    return [
        (p.start, p.end, p.text, p.streams, dict(p.probabilities), p.decided, p.flags, p.absent)
        for p in timeline
    ]


def assert_equal(timeline, expected):
    assert told(timeline) == told(expected)
    assert timeline.duration == expected.duration
    assert timeline.absent == expected.absent
    assert timeline.notes == expected.notes
    np.testing.assert_array_equal(timeline.waveform, expected.waveform)


def test_an_utterance_is_answered_before_the_recording_has_ended(model, ear):
    microphone = Microphone(bursts((1, 2), (4, 6), (30, 31), total=60))
    answers = model.stream(microphone, rate=RATE, asr=False)
    assert microphone.pulled == 0
    for end in (2.1, 6.1, 31.1):
        answer = next(answers)
        assert answer.end == pytest.approx(end, abs=0.05)
        # the block in which the pause is heard has ended, and no more was read
        assert end < microphone.pulled <= end + 2.5
    assert list(answers) == []
    assert microphone.pulled == 60


def test_a_transcribed_utterance_is_answered_within_31_seconds(model, ear, monkeypatch):
    from moodal.modalities.speech import transcribe

    monkeypatch.setattr(transcribe, "transcript", lambda *_, **__: transcribe.Transcript([]))
    times = [(at, at + 2.5) for at in np.arange(1, 100, 3.5)]
    microphone = Microphone(bursts(*times, total=120))
    reached = [
        (answer.end, microphone.pulled)
        for answer in model.stream(microphone, rate=RATE, asr=True, streams="speech,text")
    ]
    assert len(reached) == len(times)
    delays = [pulled - end for end, pulled in reached]
    assert 20 < max(delays) < 31


def test_a_stream_says_what_predict_says(model, ear):
    samples = bursts((1, 2), (4, 6), total=8)
    timeline = model.predict(samples, rate=RATE, asr=False)
    assert list(model.stream(Microphone(samples), rate=RATE, asr=False)) == list(timeline)
    assert len(timeline) == 2


def test_a_wrong_option_is_refused_before_anything_is_read(model):
    microphone = Microphone(np.zeros(RATE, np.float32))
    for wrong in ({"streams": "smell"}, {"fps": 0}, {"emotions": "12"}, {"colour": "red"}):
        with pytest.raises(Exception, match=r"smell|fps|12|colour"):
            next(model.stream(microphone, rate=RATE, **wrong))
    with pytest.raises(UsageError, match="rate"):
        next(model.stream(microphone))
    assert microphone.pulled == 0


def through_pipe(path, buffering=-1):
    """The reading end of a pipe into which a thread writes a file."""
    reader, writer = os.pipe()

    def write():
        with os.fdopen(writer, "wb") as out:
            out.write(path.read_bytes())

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reader, "rb", buffering)


def through_process(path):
    """The output of a process that copies a file."""
    code = "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer)"
    return subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE).stdout


SOURCES = {
    "a path as a text": str,
    "bytes": Path.read_bytes,
    "a byte array": lambda path: bytearray(path.read_bytes()),
    "a view of bytes": lambda path: memoryview(path.read_bytes()),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "an open file": partial(open, mode="rb"),
    "an unbuffered file": partial(open, mode="rb", buffering=0),
    "a pipe": through_pipe,
    "an unbuffered pipe, which gives a little at a time": partial(through_pipe, buffering=0),
    "the output of a process": through_process,
}


@pytest.fixture(scope="module")
def of_path(model):
    """The answer to the clip by its path."""
    return model.predict(CLIP, **OPTIONS)


@needs_clip
@pytest.mark.parametrize("kind", SOURCES)
def test_a_film_is_answered_alike_whatever_it_comes_from(model, of_path, kind):
    source = SOURCES[kind](CLIP)
    assert_equal(model.predict(source, **OPTIONS), of_path)
    if isinstance(source, io.IOBase):
        source.close()


@needs_clip
def test_its_name_is_what_is_said(model, of_path):
    assert of_path.path == str(CLIP)
    assert [p.id for p in of_path] == ["clip.mp4#1", "clip.mp4#2", "clip.mp4#3"]
    unnamed = model.predict(CLIP.read_bytes(), **OPTIONS)
    assert unnamed.path == ""
    assert [p.id for p in unnamed] == ["recording#1", "recording#2", "recording#3"]
    named = model.predict(CLIP.read_bytes(), name="talks/a.mp4", **OPTIONS)
    assert (named.path, named[0].id) == ("talks/a.mp4", "a.mp4#1")


@pytest.mark.parametrize("name", ["said.txt", "a.srt", "face.png", "a.flac"])
def test_other_kinds_are_answered_alike_as_files_and_as_bytes(model, tmp_path, name):
    path = tmp_path / name
    if name == "said.txt":
        path.write_text("We won! Did you see it?")
    elif name == "a.srt":
        path.write_text("1\n00:00:01,000 --> 00:00:02,000\nWe won.\n")
    elif name == "face.png":
        from PIL import Image

        Image.fromarray(draw_face(96)).save(path)
    else:
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    options = {"whole": True, "asr": False} if name == "a.flac" else {}
    of_path, of_bytes = (model.predict(x, **options) for x in (path, path.read_bytes()))
    assert len(of_path) > 0
    assert told(of_bytes) == told(of_path)
    assert of_bytes.kind == of_path.kind


@pytest.fixture(scope="module")
def wav(said, tmp_path_factory):
    """The sound of the clip as a file and as the samples of the file."""
    path = tmp_path_factory.mktemp("wav") / "said.wav"
    soundfile.write(path, said, RATE)
    samples, _ = soundfile.read(path, dtype="int16")
    return path, samples


@pytest.fixture(scope="module")
def of_wav(model, wav):
    """The answer to that file."""
    return model.predict(wav[0], asr=False)


@needs_clip
@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(sizes=st.lists(st.integers(1, 50_000), min_size=1, max_size=4), kind=st.sampled_from("lgc"))
def test_samples_in_blocks_of_any_size_are_answered_as_the_file(model, wav, of_wav, sizes, kind):
    _, samples = wav
    edges = [0]
    for size in itertools.cycle(max(size, 200) for size in sizes):
        edges.append(edges[-1] + size)
        if edges[-1] >= len(samples):
            break
    pieces = [samples[a:b] for a, b in itertools.pairwise(edges)]
    if kind == "c":  # two channels
        pieces = [np.stack([piece, piece], 1) for piece in pieces]
    source = pieces if kind == "l" else (piece for piece in pieces)
    assert_equal(model.predict(source, rate=RATE, asr=False), of_wav)


@needs_clip
def test_an_array_is_answered_as_the_file(model, wav, of_wav):
    _, samples = wav
    assert len(of_wav) == 3
    assert_equal(model.predict(samples, rate=RATE, asr=False), of_wav)


@needs_clip
@pytest.mark.parametrize("rate", [8000, 44100])
def test_samples_of_another_rate_are_resampled_alike_in_any_blocks(model, said, rate):
    import soxr

    samples = soxr.resample(said, RATE, rate)
    whole = model.predict(samples, rate=rate, asr=False)
    pieces = [samples[i : i + 3001] for i in range(0, len(samples), 3001)]
    blockwise = model.predict(pieces, rate=rate, asr=False)
    assert len(whole) == len(blockwise) == 3
    for one, other in zip(whole, blockwise, strict=True):
        assert (one.start, one.end) == (other.start, other.end)
        assert dict(one.probabilities) == pytest.approx(dict(other.probabilities), abs=1e-5)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "the recording is empty"),
        (io.BytesIO(b""), "the recording is empty"),
        (b"%PDF-1.7\n" + bytes(200), "the recording is a PDF document"),
        (io.StringIO("text"), "binary mode"),
        (7, "not a int"),
        (["a"], "Samples must be"),
        ([], "The stream held no samples"),
        ([np.zeros(0, np.float32)] * 3, "The stream held no samples"),
        (np.zeros(0, np.float32), "holds no samples"),
    ],
)
def test_what_is_no_recording_is_one_sentence(model, source, words):
    with pytest.raises((DataError, UsageError), match=words) as caught:
        model.predict(source, rate=RATE)
    assert "moodal-" not in str(caught.value)  # the copy's folder


def test_a_live_stream_that_ends_without_a_sample_is_refused(model):
    with pytest.raises(DataError, match="The stream held no samples"):
        list(model.stream(iter([]), rate=RATE))


@needs_clip
@pytest.mark.parametrize("options", [{}, {"whole": True}, {"subtitles": CLIP.with_suffix(".srt")}])
def test_sound_and_pictures_are_decoded_once(model, monkeypatch, said, options):
    opened, heard, seen = [], [], []

    def blocks(path, **more):
        opened.append("sound")
        for block in real_blocks(path, **more):
            heard.append(len(block.samples))
            yield block

    def frames(path, *args, **more):
        opened.append("pictures")
        for picture in real_frames(path, *args, **more):
            seen.append(picture.at)
            yield picture

    real_blocks, real_frames = recordings.blocks, recordings.frames
    monkeypatch.setattr(recordings, "blocks", blocks)
    monkeypatch.setattr(recordings, "frames", frames)
    timeline = model.predict(CLIP, **OPTIONS, **options)
    assert {s for p in timeline for s in p.streams} >= {"speech", "face"}
    assert sorted(opened) == ["pictures", "sound"]
    assert sum(heard) == len(said)
    assert seen == sorted(set(seen))
    assert len(seen) == pytest.approx(2 * timeline.duration, abs=1)


@needs_clip
def test_pictures_are_not_decoded_where_no_face_is_asked_for(model, monkeypatch):
    monkeypatch.setattr(recordings, "frames", None)
    assert len(model.predict(CLIP, streams="speech", asr=False)) == 3


class CountingBuffer(Buffer):
    """Keeps the most samples that were held at once."""

    most = 0

    def add(self, samples):
        super().add(samples)
        CountingBuffer.most = max(CountingBuffer.most, sum(map(len, self._blocks)))


@pytest.fixture
def most_held(monkeypatch):
    """Return the most seconds of sound that were held at once."""
    monkeypatch.setattr(CountingBuffer, "most", 0)
    monkeypatch.setattr("moodal.model.reading.Buffer", CountingBuffer)
    return lambda: CountingBuffer.most / RATE


def test_old_sound_is_let_go(model, ear, most_held):
    times = [(at, at + 4) for at in range(1, 300, 6)]
    answers = list(model.stream(Microphone(bursts(*times, total=305)), rate=RATE, asr=False))
    assert len(answers) == len(times)
    assert most_held() < 10
    silence = Microphone(np.zeros(300 * RATE, np.float32))
    assert list(model.stream(silence, rate=RATE, asr=False)) == []
    assert most_held() < 10


def test_old_sound_is_let_go_where_it_is_transcribed(model, ear, most_held, monkeypatch):
    from moodal.modalities.speech import transcribe

    monkeypatch.setattr(transcribe, "transcript", lambda *_, **__: transcribe.Transcript([]))
    times = [(at, at + 2.5) for at in np.arange(1, 200, 3.5)]
    microphone = Microphone(bursts(*times, total=205))
    assert len(list(model.stream(microphone, rate=RATE, asr=True))) == len(times)
    assert 28 < most_held() < 40


def test_old_pictures_are_let_go(model, tmp_path, monkeypatch):
    av = pytest.importorskip("av")
    path, held = tmp_path / "a.mp4", []
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=2)
        video.width, video.height, video.pix_fmt = 96, 96, "yuv420p"
        for i in range(120):
            picture = draw_face(96, np.sin(i))
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode(None))
    watch = Face.watch

    def watching(self, picture):
        watch(self, picture)
        held.append(len(self._sightings))

    monkeypatch.setattr(Face, "watch", watching)
    timeline = model.predict(path, fps=2)
    assert len(held) == pytest.approx(120, abs=2)
    assert max(held) <= 2 * 9  # a stretch of up to six seconds, and what follows it
    assert [p.end - p.start for p in timeline][:-1] == pytest.approx([5.0] * (len(timeline) - 1))
