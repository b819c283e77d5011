"""observe: any recording becomes utterances, each sense says what it observed, or why nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import moodal
from moodal.core.errors import DataError, UsageError
from moodal.core.records import RATE
from moodal.lookalikes.face import draw_face
from moodal.media import recording as recordings
from moodal.media.audio import read_audio
from moodal.media.recording import opened
from moodal.modalities import MODALITIES
from moodal.modalities.modality import Settings
from moodal.modalities.speech.observe import CRY
from moodal.modalities.speech.segment import Span
from moodal.model.observe import observe, observe_text
from moodal.model.options import PredictOptions

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
needs_clip = pytest.mark.skipif(not CLIP.exists(), reason="the example clip is not here")
GERMAN = "Das habe ich wirklich nicht von dir erwartet."
WALL = np.full((96, 128, 3), 130, np.uint8)


@pytest.fixture(scope="module")
def said():
    """The sound of the example clip, [n] at 16 kHz."""
    return read_audio(CLIP)


def observed(source, transcribe=None, **options):
    """The observations of a recording, and its summary; an array has 16,000 samples a second."""
    options = PredictOptions(**options)
    modalities = {name: kind(Settings(options.fps)) for name, kind in MODALITIES.items()}
    if source is None:
        every = list(observe_text(options.text, modalities, options))
    else:
        rate = RATE if isinstance(source, list | np.ndarray) else None
        with opened(source, rate) as recording:
            every = list(observe(recording, modalities, options, transcribe))
    return every[:-1], every[-1]


def spans(observations):
    return [(o.segment.start, o.segment.end) for o in observations]


def senses(observations):
    return [set(o.observed) for o in observations]


def array(samples):
    return np.asarray(samples, np.float32)


def picture(path, pixels):
    from PIL import Image

    Image.fromarray(pixels).save(path)
    return path


def film(path, pictures, sound=None):
    """A film of five pictures a second, with a sound or without."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=5)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        heard = None if sound is None else file.add_stream("aac", rate=RATE, layout="mono")
        for rgb in pictures:
            file.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        file.mux(video.encode(None))
        for at in range(0, 0 if sound is None else len(sound), 1024):
            piece = np.zeros((1, 1024), np.float32)
            piece[0, : len(sound[at : at + 1024])] = sound[at : at + 1024]
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, at
            file.mux(heard.encode(frame))
        if heard is not None:
            file.mux(heard.encode(None))
    return path


def test_a_text_is_cut_into_sentences():
    observations, summary = observed(None, text="I won! Did you see it?")
    assert [o.segment.text for o in observations] == ["I won!", "Did you see it?"]
    assert senses(observations) == [{"text"}, {"text"}]
    assert summary.absent == {"speech": "a text has no sound", "face": "no pictures"}


@pytest.mark.parametrize("text", ["", "  \n ", "?!"])
def test_a_text_without_words_is_said_to_have_none(text):
    observations, summary = observed(None, text=text)
    assert observations == []
    assert summary.absent["text"] == "no words"


@needs_clip
def test_words_of_another_language_are_used_beside_a_voice(said):
    observations, summary = observed(said, text=GERMAN)
    assert senses(observations) == [{"text", "speech"}]
    assert observations[0].observed["text"][0].language == "de"
    assert summary.notes == ()


@needs_clip
def test_a_voice_is_cut_into_utterances(said):
    observations, summary = observed(said)
    assert len(observations) == 3
    assert senses(observations) == [{"speech"}] * 3
    assert summary.absent == {"face": "no pictures", "text": "no transcript; --asr makes one"}
    assert summary.duration == pytest.approx(len(said) / RATE)
    assert summary.waveform.shape[1] == 2


@needs_clip
def test_blocks_of_any_size_give_the_same(said):
    usual, summary = observed(said)
    for size in (11_200, 999):
        other, also = observed([said[i : i + size] for i in range(0, len(said), size)])
        assert spans(other) == spans(usual)
        for a, b in zip(usual, other, strict=True):
            one, two = a.observed["speech"][0].item, b.observed["speech"][0].item
            np.testing.assert_array_equal(one.samples, two.samples)
            assert one.speech == two.speech
        np.testing.assert_array_equal(also.waveform, summary.waveform)


@needs_clip
def test_given_subtitles_are_the_utterances(said, tmp_path):
    lines = "1\n00:00:01,000 --> 00:00:02,000\nWe won.\n\n2\n00:00:59,000 --> 00:01:00,000\nBye.\n"
    (tmp_path / "a.srt").write_text(lines)
    observations, summary = observed(said, subtitles=tmp_path / "a.srt")
    assert spans(observations) == [(1.0, 2.0), (59.0, 60.0)]
    assert [o.segment.text for o in observations] == ["We won.", "Bye."]
    assert senses(observations) == [{"text", "speech"}, {"text"}]
    assert summary.notes == ("A subtitle begins at 59.0 s, after the sound ends.",)


def test_subtitles_that_overlap_are_given_in_the_order_of_their_beginnings(tmp_path):
    times = [(0.5, 3.5), (1.0, 2.0), (1.5, 1.8), (0.2, 0.4)]
    (tmp_path / "a.srt").write_text(
        "".join(
            f"{i}\n00:00:{a:06.3f} --> 00:00:{b:06.3f}\nLine {i}.\n\n".replace(".", ",", 2)
            for i, (a, b) in enumerate(times)
        )
    )
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE)
    observations, _ = observed(array(noise), subtitles=tmp_path / "a.srt")
    assert spans(observations) == sorted(times)
    for one in observations:
        (speech,) = one.observed["speech"]
        start, end = (round(RATE * second) for second in spans([one])[0])
        np.testing.assert_array_equal(speech.item.samples, array(noise)[start:end])


def test_damaged_subtitles_are_an_error(tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 -> nonsense\nWe won.\n")
    with pytest.raises(DataError):
        observed(array(np.zeros(16000)), subtitles=tmp_path / "a.srt")


def test_whole_hears_what_is_no_speech():
    noise = array(np.random.default_rng(0).normal(0, 0.1, 32000))
    observations, summary = observed(noise)
    assert observations == []
    assert summary.absent["speech"] == "no speech"
    observations, summary = observed(noise, whole=True)
    assert spans(observations) == [(0.0, 2.0)]
    assert senses(observations) == [{"speech"}]
    assert "speech" not in summary.absent
    (speech,) = observations[0].observed["speech"]
    assert any("noisy" in flag for flag in speech.flags)


@pytest.mark.parametrize(
    ("samples", "whole", "reason"),
    [
        ([0.0], False, "silence"),
        ([0.0], True, "silence"),
        ([0.5], False, "no speech"),
        ([0.5], True, "too short or too quiet"),
        ([0.5] * 200, False, "no speech"),
        ([0.5] * 200, True, "too short or too quiet"),
        (np.zeros(16000), False, "silence"),
        (np.zeros(16000), True, "silence"),
    ],
)
def test_next_to_nothing_is_no_error(samples, whole, reason):
    observations, summary = observed(array(samples), whole=whole)
    assert not any(senses(observations))
    assert summary.absent["speech"] == reason


def test_a_text_is_read_where_the_sound_is_silent():
    observations, summary = observed(array(np.zeros(16000)), text="I am fine.")
    assert summary.absent["speech"] == "silence"
    assert senses(observations) == [{"text"}]
    assert spans(observations) == [(0.0, 1.0)]


def test_samples_that_are_none_are_refused_even_with_a_text():
    with pytest.raises(DataError, match=r"\[n\]"):
        observed(array(np.zeros((2, 3, 4))), text="I am fine.")
    with pytest.raises(UsageError, match="rate"), opened(np.zeros(5)):
        pass


def test_a_face_in_a_picture_is_read(tmp_path):
    path = picture(tmp_path / "face.png", draw_face(200, 0.5))
    observations, summary = observed(path, text="I am happy.")
    assert [o.segment.text for o in observations] == ["I am happy."]
    assert senses(observations) == [{"text", "face"}]
    assert spans(observations) == [(None, None)]
    assert summary.absent == {"speech": "a picture has no sound"}
    assert summary.duration is None
    with pytest.raises(UsageError, match="subtitles"):
        observed(path, subtitles="x.srt")


def test_a_text_is_read_beside_a_picture_without_a_face(tmp_path):
    path = picture(tmp_path / "wall.png", np.full((90, 120, 3), 130, np.uint8))
    observations, summary = observed(path, text="I am happy.")
    assert summary.absent["face"] == "no face"
    assert senses(observations) == [{"text"}]
    assert not any(senses(observed(path)[0]))


def test_what_is_said_is_read_where_the_sound_cannot_be(tmp_path, monkeypatch):
    import soundfile

    def broken(*_, **__):
        raise DataError("No sound can be decoded.")
        yield

    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16000)
    monkeypatch.setattr(recordings, "blocks", broken)
    observations, summary = observed(tmp_path / "a.wav", text="I am happy.")
    assert summary.absent["speech"] == "the sound cannot be decoded"
    assert senses(observations) == [{"text"}]
    with pytest.raises(DataError, match="No sound"):
        observed(tmp_path / "a.wav")


def test_what_is_said_is_read_beside_a_film_without_sound(tmp_path):
    path = film(tmp_path / "a.mp4", [WALL] * 10)
    observations, summary = observed(path, text="I am happy.")
    assert summary.absent == {"speech": "no sound", "face": "no face"}
    assert senses(observations) == [{"text"}]
    (tmp_path / "a.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\nWe won.\n")
    observations, _ = observed(path, subtitles=tmp_path / "a.srt")
    assert [(o.segment.start, o.segment.text) for o in observations] == [(0.5, "We won.")]
    assert senses(observations) == [{"text"}]


def test_a_face_is_an_utterance_where_nobody_speaks(tmp_path):
    path = film(tmp_path / "a.mp4", [draw_face(160, 0.4)] * 10)
    observations, summary = observed(path)
    assert len(observations) == 1
    assert not observations[0].segment.spoken
    assert senses(observations) == [{"face"}]
    assert observations[0].absent == {"text": "no speech", "speech": "no sound"}
    assert summary.absent == {"speech": "no sound"}  # nobody speaks, so that no words lack
    observations, _ = observed(path, text="I am happy.")
    assert [(o.segment.start, o.segment.text) for o in observations] == [(0.0, "I am happy.")]
    assert senses(observations) == [{"text", "face"}]


def test_a_glimpse_of_a_face_is_an_utterance_where_there_is_nothing_else(tmp_path):
    path = film(tmp_path / "a.mp4", [WALL] * 5 + [draw_face(128)[16:112]] * 2 + [WALL] * 3)
    observations, summary = observed(path)
    assert len(observations) == 1
    assert 0.8 <= observations[0].segment.start <= 1.2
    assert senses(observations) == [{"face"}]
    assert summary.duration == pytest.approx(2.0, abs=0.2)


def test_a_text_without_speech_is_one_utterance_however_long_a_face_is_seen(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.01, 9 * RATE).astype(np.float32)
    path = film(tmp_path / "a.mp4", [draw_face(160, 0.4)] * 45, noise)
    observations, summary = observed(path, text="I am happy.")
    assert senses(observations) == [{"text", "face"}]
    assert spans(observations) == [(0.0, pytest.approx(9.0, abs=0.2))]
    assert summary.absent == {"speech": "no speech"}
    stretches, _ = observed(path)  # without it, the face is seen in stretches
    assert len(stretches) == 2
    assert not any(o.segment.spoken for o in stretches)


def test_a_face_is_seen_between_what_is_said(tmp_path, ear):
    sound = np.zeros(12 * RATE, np.float32)
    sound[3 * RATE : 5 * RATE] = np.random.default_rng(0).normal(0, 0.5, 2 * RATE).clip(-1, 1)
    path = film(tmp_path / "a.mp4", [draw_face(160, 0.4)] * 60, sound)
    observations, summary = observed(path)
    before, speech, *after = observations
    assert [o.segment.spoken for o in observations] == [False, True, *[False] * len(after)]
    assert speech.segment.start == pytest.approx(2.9, abs=0.15)
    assert spans([before])[0] == (0.0, pytest.approx(2.8, abs=0.21))
    assert [end - start for start, end in spans(after)] == pytest.approx([5.0, 1.6], abs=0.41)
    assert senses(observations) == [{"face"}, {"speech", "face"}, *[{"face"}] * len(after)]
    assert [o.absent["speech"] for o in (before, *after)] == ["no speech"] * (1 + len(after))
    assert "speech" not in summary.absent


def test_a_modality_that_is_nowhere_says_so_once_for_all(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.01, 2 * RATE).astype(np.float32)
    path = film(tmp_path / "a.mp4", [WALL] * 10, noise)
    observations, summary = observed(path)
    assert observations == []
    assert summary.absent == {"speech": "no speech", "face": "no face"}


def test_what_concerns_a_copy_goes_by_the_recordings_name(tmp_path, monkeypatch):
    """Bytes are laid down as a file, whose name nobody knows."""

    def broken(path, *_, **__):
        raise DataError(f"No picture of {path} can be decoded.")
        yield

    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    content = film(tmp_path / "a.mp4", [WALL] * 5, noise).read_bytes()
    monkeypatch.setattr(recordings, "frames", broken)
    _, summary = observed(content, whole=True)
    assert summary.notes == ("No picture of the recording can be decoded.",)
    assert summary.absent["face"] == "the pictures cannot be decoded"


def test_a_cry_is_a_voice_without_words_and_silence_around_it_has_a_face(tmp_path, monkeypatch):
    sound = np.random.default_rng(0).normal(0, 0.3, 5 * RATE).astype(np.float32)
    path = film(tmp_path / "a.mp4", [draw_face(160, 0.4)] * 25, sound)
    quiet, _ = observed(path)
    assert senses(quiet) == [{"face"}]
    extent = Span(2.0, 3.0)
    monkeypatch.setattr("moodal.modalities.speech.cry.cry_extent", lambda _: extent)
    observations, summary = observed(path, transcribe=lambda *_: pytest.fail("no words in a cry"))
    assert senses(observations) == [{"face"}, {"speech", "face"}, {"face"}]
    assert spans(observations)[1] == (2.0, 3.0)
    cried = observations[1]
    assert cried.observed["speech"][0].flags[0] == CRY
    assert cried.absent == {"text": "no words"}
    assert "speech" not in summary.absent


def test_bad_lines_of_subtitles_are_named_in_a_note(tmp_path):
    path = tmp_path / "a.srt"
    path.write_text(
        "1\n00:00:01,0 --> 00:00:02,0\nSo good.\n\n2\n00:00:0x,0 --> 00:00:04,0\nlost\n"
    )
    timeline = moodal.load().predict(path)
    assert [p.text for p in timeline] == ["So good."]
    assert [n for n in timeline.notes if "a.srt: left out line 6" in n]
