import numpy as np
import pytest
import soundfile

from moodal.core.errors import DataError
from moodal.media.audio import check_audio, read_audio


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


def test_channels_are_averaged_or_kept(tmp_path):
    path = tmp_path / "stereo.wav"
    left, right = tone(0.5, 16000), np.zeros(8000, np.float32)
    soundfile.write(path, np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path), left / 2, atol=1e-7)
    both = read_audio(path, mono=False)
    assert both.shape == (8000, 2)
    np.testing.assert_array_equal(both[:, 0], left)


def test_a_span_is_cut_out(wav):
    whole = read_audio(wav)
    np.testing.assert_array_equal(read_audio(wav, start=0.5, end=1.25), whole[8000:20000])
    np.testing.assert_array_equal(read_audio(wav, start=1.5), whole[24000:])
    # annotations are rounded: a little past the end is the end
    np.testing.assert_array_equal(read_audio(wav, start=1.5, end=2.05), whole[24000:])
    assert check_audio(wav, 0.5, 1.25) == 0.75


def test_only_the_span_is_decoded(wav, monkeypatch):
    asked = []
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
        (None, "There is no audio file .*clip.wav"),
        (b"", r"is empty \(0 bytes\)"),
        (b"these are words, not a sound" * 20, "not a WAV, FLAC, Ogg, MP3 or AIFF file"),
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
    with pytest.raises(DataError, match="no audio file"):
        read_audio(tmp_path)


def test_a_file_without_samples_is_refused(tmp_path):
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0, np.float32), 16000)
    with pytest.raises(DataError, match="holds no samples"):
        read_audio(path)


def test_nan_is_refused(tmp_path):
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([0.1, np.nan, 0.2], np.float32), 16000, subtype="FLOAT")
    with pytest.raises(DataError, match="NaN or infinity"):
        read_audio(path)


def test_a_damaged_middle_is_refused_or_decoded_but_never_a_traceback(tmp_path):
    path = tmp_path / "cut.flac"
    soundfile.write(path, tone(2.0, 16000), 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.flac"):
        read_audio(path)
