"""read_audio: the sound of any file at any rate, whole or a span; damage is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodal.core.errors import AbsentError, DataError, MissingDependencyError
from moodal.media.audio import check_audio, read_audio

av = pytest.importorskip("av")


def tone(seconds, rate, hertz=440.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(2.0, 16000), 16000, subtype="FLOAT")
    return path


def test_the_samples_of_a_file_come_back_exactly(wav):
    audio = read_audio(wav)
    assert audio.dtype == np.float32
    np.testing.assert_array_equal(audio, tone(2.0, 16000))


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_any_rate_is_resampled_to_the_same_tone(tmp_path, rate):
    path = tmp_path / "tone.flac"
    soundfile.write(path, tone(1.0, rate), rate)
    audio = read_audio(path)
    assert abs(len(audio) - 16000) <= 1
    middle = slice(2000, 14000)
    np.testing.assert_allclose(audio[middle], tone(1.0, 16000)[: len(audio)][middle], atol=2e-3)


def test_channels_are_averaged(tmp_path):
    path = tmp_path / "stereo.wav"
    left = tone(0.5, 16000)
    right = tone(0.5, 16000, hertz=150) / 2
    soundfile.write(path, np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path), (left + right) / 2, atol=1e-7)


def test_a_span_is_cut_out(wav):
    whole = read_audio(wav)
    np.testing.assert_array_equal(read_audio(wav, start=0.5, end=1.25), whole[8000:20000])
    np.testing.assert_array_equal(read_audio(wav, start=1.5), whole[24000:])
    # annotations are rounded: a little past the end is the end
    np.testing.assert_array_equal(read_audio(wav, start=1.5, end=2.05), whole[24000:])
    assert check_audio(wav, 0.5, 1.25) == 0.75


def test_only_the_span_is_decoded(tmp_path, monkeypatch):
    wav, asked = tmp_path / "tone.wav", []
    soundfile.write(wav, tone(2.0, 16000), 16000, subtype="PCM_16")
    read = soundfile.SoundFile.read

    def counted(self, frames=-1, **options):
        asked.append(frames)
        return read(self, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    read_audio(wav, start=0.5, end=0.75)
    assert asked == [4000]


def test_samples_stay_within_one(tmp_path):
    path = tmp_path / "loud.wav"
    soundfile.write(path, 1.5 * np.sign(tone(0.5, 48000)), 48000, subtype="FLOAT")
    assert np.abs(read_audio(path)).max() == 1.0


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ((2.5, 3.0), "2.000 s long and has no span 2.5-3.0"),
        ((0.0, 2.5), "no span 0.0-2.5"),
        ((1.0, 1.0), "no span"),
        ((1.5, 1.0), "no span"),
        ((-0.5, 1.0), "no span -0.5-1.0"),
        ((float("nan"), 1.0), "no span nan"),
    ],
)
@pytest.mark.parametrize("look", [read_audio, check_audio])
def test_a_span_that_the_file_does_not_have_is_refused(wav, span, words, look):
    with pytest.raises(DataError, match=words):
        look(wav, start=span[0], end=span[1])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no file .*clip.wav"),
        (b"", r"is empty \(0 bytes\)"),
        (b"these are words, not a sound" * 20, "it is a text, not a recording; copy or download"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "run `git lfs pull`"),
        (b"/annex/objects/SHA256E-s9--1.wav\n", "run `git annex get`"),
        (b"<!-- error -->\n<!DOCTYPE html><html>404</html>", "web page .*download it again"),
        (b"%PDF-1.7 ", "is a PDF document"),
        (b"RIFF\xff\xff", "Cannot read audio"),
    ],
)
@pytest.mark.parametrize("look", [read_audio, check_audio])
def test_what_is_no_sound_is_refused_in_words(tmp_path, content, words, look):
    path = tmp_path / "clip.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        look(path)


@pytest.mark.parametrize("look", [read_audio, check_audio])
def test_headerless_samples_are_refused_in_words(tmp_path, look):
    (tmp_path / "clip.raw").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(DataError, match=r"clip\.raw: not a WAV"):
        look(tmp_path / "clip.raw")


def test_a_folder_is_no_audio_file(tmp_path):
    with pytest.raises(DataError, match="is a folder, not a file"):
        read_audio(tmp_path)


def test_a_file_without_samples_is_refused(tmp_path):
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0, np.float32), 16000)
    with pytest.raises(DataError, match="holds no samples"):
        read_audio(path)


def test_nan_is_refused(tmp_path):
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([0.1, np.nan, 0.2], np.float32), 16000, subtype="FLOAT")
    with pytest.raises(DataError, match=r"nan\.wav: 1 sample is NaN or infinite; record it again"):
        read_audio(path)


def test_a_damaged_middle_is_refused_or_decoded_but_never_a_traceback(tmp_path):
    path = tmp_path / "cut.flac"
    soundfile.write(path, tone(2.0, 16000), 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.flac"):
        read_audio(path)


def write_film(
    path: Path, samples: np.ndarray, rate: int, codec: str, *, picture: bool = True
) -> Path:
    """A file with ``samples`` [n, channels], and a black picture where wanted."""
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[samples.shape[1]]
    with av.open(str(path), "w") as file:
        video = None
        if picture:
            video = file.add_stream("mpeg4" if path.suffix != ".webm" else "libvpx", rate=10)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = file.add_stream(codec, rate=rate, layout=layout)
        if video is not None:
            for i in range(max(1, round(len(samples) / rate * 10))):
                image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
                image.pts = i
                file.mux(video.encode(image))
            file.mux(video.encode(None))
        packed = np.ascontiguousarray(samples.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(
            format=sound.codec_context.format,
            layout=layout,
            rate=rate,
            frame_size=sound.codec_context.frame_size or None,
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(sound.encode(piece))
        file.mux(sound.encode(None))
    return path


FILES = [
    ("clip.mp4", "aac", 44100, 1),
    ("clip.mp4", "aac", 48000, 2),
    ("clip.mp4", "aac", 48000, 6),
    ("clip.mp4", "aac", 48000, 8),
    ("clip.mkv", "pcm_s16le", 16000, 1),
    ("clip.mkv", "libopus", 48000, 2),
    ("clip.webm", "libopus", 48000, 1),
    ("clip.mov", "pcm_s16le", 22050, 2),
    ("clip.avi", "pcm_s16le", 8000, 1),
]


def written(tmp_path, name, codec, rate, channels, **options):
    samples = np.repeat(tone(2.0, rate)[:, None], channels, axis=1)
    try:
        return write_film(tmp_path / name, samples, rate, codec, **options)
    except av.FFmpegError as error:
        pytest.skip(f"this FFmpeg does not write {name}: {error}")


@pytest.mark.parametrize(("name", "codec", "rate", "channels"), FILES)
def test_the_sound_of_a_video_is_read(tmp_path, name, codec, rate, channels):
    path = written(tmp_path, name, codec, rate, channels)
    audio = read_audio(path)
    assert audio.dtype == np.float32
    assert abs(len(audio) - 32000) < 1100  # codecs add up to a block
    assert abs(check_audio(path) - 2.0) < 0.07
    middle = slice(4000, 28000)
    want = tone(2.0, 16000)
    assert np.abs(audio[middle] - want[middle]).max() < 0.15
    assert np.corrcoef(audio[middle], want[middle])[0, 1] > 0.99


@pytest.mark.parametrize(("name", "codec", "rate", "channels"), FILES[:1] + FILES[4:6])
def test_a_span_is_that_part_of_the_whole(tmp_path, name, codec, rate, channels):
    path = written(tmp_path, name, codec, rate, channels)
    whole = read_audio(path, rate=rate)
    for start, end in ((0.0, 0.5), (0.5, 1.25), (1.3, 1.9)):
        span = read_audio(path, rate=rate, start=start, end=end)
        part = whole[round(start * rate) : round(end * rate)]
        assert len(span) == len(part)
        # MKV's time stamps are rounded to 1 ms
        shifts = range(-rate // 500, rate // 500 + 1) if name.endswith("mkv") else (0,)
        inner = slice(len(part) // 4, -len(part) // 4)
        nearest = min(np.abs(span - np.roll(part, by))[inner].max() for by in shifts)
        assert nearest < 2e-3 if codec != "libopus" else nearest < 0.05
    assert check_audio(path, 0.5, 1.25) == pytest.approx(0.75)
    with pytest.raises(DataError, match=r"has no span 1.0-5.0"):
        read_audio(path, start=1.0, end=5.0)


def test_the_first_samples_of_an_mp4_are_as_right_as_the_rest(tmp_path):
    path = written(tmp_path, "clip.mp4", "aac", 16000, 1)
    assert np.abs(read_audio(path) - tone(2.0, 16000)).max() < 0.15
    again = read_audio(path, start=0.0, end=0.25)
    assert np.abs(again - tone(2.0, 16000)[:4000]).max() < 0.15


def test_a_colon_in_the_name_is_no_protocol(tmp_path, monkeypatch):
    written(tmp_path, "clip.mp4", "aac", 16000, 1).rename(tmp_path / "12:30.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(read_audio("12:30.mp4")) == 32000


def test_a_playlist_is_not_followed(tmp_path):
    written(tmp_path, "clip.mp4", "aac", 16000, 1)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(DataError, match=r"list\.m3u8"):
        read_audio(tmp_path / "list.m3u8")


def test_an_m4a_without_a_picture_is_read(tmp_path):
    path = written(tmp_path, "clip.m4a", "aac", 16000, 1, picture=False)
    assert abs(len(read_audio(path)) - 32000) < 1100


def test_a_video_without_sound_lacks_it(tmp_path):
    with av.open(str(tmp_path / "mute.mp4"), "w") as file:
        video = file.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for i in range(5):
            image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            image.pts = i
            file.mux(video.encode(image))
        file.mux(video.encode(None))
    for look in (read_audio, check_audio):
        with pytest.raises(AbsentError, match=r"mute\.mp4 holds no sound"):
            look(tmp_path / "mute.mp4")


@pytest.mark.parametrize("kept", [0, 100, 0.3, 0.9])
def test_a_damaged_video_is_refused_or_decoded_but_never_a_traceback(tmp_path, kept):
    path = written(tmp_path, "clip.mp4", "aac", 16000, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(DataError, match=r"clip\.mp4"):
        read_audio(path)


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, "clip.mp4", "aac", 16000, 1)
    (tmp_path / "words.wav").write_bytes(b"these are words" * 20)
    soundfile.write(tmp_path / "good.wav", tone(0.1, 16000), 16000)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"clip\.mp4 wants the package av"):
        read_audio(path)
    with pytest.raises(DataError, match="not a recording"):
        read_audio(tmp_path / "words.wav")
    assert len(read_audio(tmp_path / "good.wav")) == 1600
