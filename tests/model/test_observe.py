"""gather: any source becomes utterances with readings, and what is missing is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moodal.core.errors import DataError, UsageError
from moodal.media.audio import read_audio
from moodal.media.video import frames
from moodal.modalities.speech.segment import Span
from moodal.modalities.speech.stretches import Envelope, silent_stretches, slices
from moodal.model import observe as gathering
from moodal.model.observe import Source, gather

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
needs_clip = pytest.mark.skipif(not CLIP.exists(), reason="the example clip is not here")


@pytest.fixture(scope="module")
def readers(predictor):
    return predictor.readers(predictor.ask(), ["text", "speech", "face"])


@pytest.fixture(scope="module")
def said():
    """The sound of the example clip, [n] at 16 kHz."""
    return read_audio(CLIP)


def array(samples, **more):
    return Source(np.asarray(samples, np.float32), 16000, asr=False, **more)


def picture(path, pixels):
    from PIL import Image

    Image.fromarray(pixels).save(path)
    return path


def test_a_text_is_cut_into_sentences(readers):
    found = gather(Source(None, text="I won! Did you see it?"), readers)
    assert [u.text for u in found.utterances] == ["I won!", "Did you see it?"]
    assert [set(r) for r in found.readings] == [{"text"}, {"text"}]
    assert found.absent == {"speech": "a text has no sound", "face": "no pictures"}


@pytest.mark.parametrize("text", ["", "  \n ", "?!"])
def test_a_text_without_words_is_said_to_have_none(readers, text):
    found = gather(Source(None, text=text), readers)
    assert found.utterances == []
    assert found.absent["text"] == "no words"


def test_a_text_in_another_language_is_flagged(readers):
    found = gather(Source(None, text="Das habe ich wirklich nicht von dir erwartet."), readers)
    assert "1 text does not look English" in found.notes[0]
    assert "means little" in found.notes[0]
    assert set(found.readings[0]) == {"text"}


@needs_clip
def test_foreign_words_are_not_used_beside_a_voice(readers, said):
    text = "Das habe ich wirklich nicht von dir erwartet."
    found = gather(array(said, text=text), readers)
    assert set(found.readings[0]) == {"speech"}
    assert "were not used" in found.notes[0]


@needs_clip
def test_foreign_words_are_not_used_beside_a_face(readers, tmp_path):
    shot = picture(tmp_path / "face.png", next(iter(frames(CLIP))).rgb)
    foreign, english = "Das habe ich wirklich nicht von dir erwartet.", "I did not expect that."
    found = gather(Source(shot, text=foreign), readers)
    assert found.seen.sightings
    assert "1 text does not look English" in found.notes[0]
    assert "not used" in found.notes[0]
    assert found.readings == [{}]
    assert set(gather(Source(shot, text=english), readers).readings[0]) == {"text"}


@needs_clip
def test_a_voice_is_cut_into_utterances(readers, said):
    found = gather(array(said), readers)
    assert len(found.utterances) == 3
    assert [set(r) for r in found.readings] == [{"speech"}] * 3
    assert found.absent == {"face": "no pictures", "text": "no transcript; --asr makes one"}
    assert found.duration == pytest.approx(len(said) / 16000)
    assert found.waveform.shape[1] == 2


@needs_clip
def test_blocks_of_any_size_give_the_same(readers, said, monkeypatch):
    usual = gather(array(said), readers)
    small = gathering.array_blocks
    monkeypatch.setattr(gathering, "array_blocks", lambda x, rate: small(x, rate, seconds=0.7))
    other = gather(array(said), readers)
    assert [(u.start, u.end) for u in other.utterances] == [
        (u.start, u.end) for u in usual.utterances
    ]
    for a, b in zip(usual.readings, other.readings, strict=True):
        assert a["speech"].logits == pytest.approx(b["speech"].logits, abs=1e-6)


@needs_clip
def test_given_subtitles_are_the_utterances(readers, said, tmp_path):
    lines = "1\n00:00:01,000 --> 00:00:02,000\nWe won.\n\n2\n00:00:59,000 --> 00:01:00,000\nBye.\n"
    (tmp_path / "a.srt").write_text(lines)
    found = gather(array(said, subtitles=tmp_path / "a.srt"), readers)
    assert [(u.start, u.end, u.text) for u in found.utterances] == [
        (1.0, 2.0, "We won."),
        (59.0, 60.0, "Bye."),
    ]
    assert [set(r) for r in found.readings] == [{"text", "speech"}, {"text"}]
    assert any("after the sound ends" in note for note in found.notes)


def test_damaged_subtitles_are_an_error(readers, tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 -> nonsense\nWe won.\n")
    with pytest.raises(DataError):
        gather(array(np.zeros(16000), subtitles=tmp_path / "a.srt"), readers)


def test_whole_hears_what_is_no_speech(readers):
    noise = np.random.default_rng(0).normal(0, 0.1, 32000)
    assert gather(array(noise), readers).utterances == []
    assert gather(array(noise), readers).absent["speech"] == "no speech"
    found = gather(array(noise, whole=True), readers)
    assert [(u.start, u.end) for u in found.utterances] == [(0.0, 2.0)]
    assert set(found.readings[0]) == {"speech"}
    assert any("noisy" in flag for flag in found.readings[0]["speech"].flags)


@pytest.mark.parametrize("samples", [[0.0], [0.5], [0.5] * 200, np.zeros(16000)])
def test_next_to_nothing_is_no_error(readers, samples):
    for whole in (False, True):
        found = gather(array(samples, whole=whole), readers)
        assert not any(found.readings)
        assert found.absent["speech"] in ("silence", "no speech", "too short or too quiet")


def test_a_text_is_read_where_the_sound_is_silent(readers):
    found = gather(array(np.zeros(16000), text="I am fine."), readers)
    assert found.absent["speech"] == "silence"
    assert [set(r) for r in found.readings] == [{"text"}]


def test_samples_that_are_none_are_refused_even_with_a_text(readers):
    with pytest.raises(DataError, match=r"\[n\]"):
        gather(array(np.zeros((2, 3, 4)), text="I am fine."), readers)
    with pytest.raises(UsageError, match="rate"):
        gather(Source(np.zeros(5)), readers)


def test_a_face_in_a_picture_is_read(readers, tmp_path):
    from moodal.lookalikes.face import draw_face

    path = picture(tmp_path / "face.png", draw_face(200, 0.5))
    found = gather(Source(path, text="I am happy."), readers)
    assert [u.text for u in found.utterances] == ["I am happy."]
    assert set(found.readings[0]) == {"text"}
    assert len(found.seen.sightings) == 1
    assert found.absent == {"speech": "a picture has no sound"}
    with pytest.raises(UsageError, match="subtitles"):
        gather(Source(path, subtitles="x.srt"), readers)


def test_a_text_is_read_beside_a_picture_without_a_face(readers, tmp_path):
    path = picture(tmp_path / "wall.png", np.full((90, 120, 3), 130, np.uint8))
    found = gather(Source(path, text="I am happy."), readers)
    assert found.absent["face"] == "no face"
    assert [set(r) for r in found.readings] == [{"text"}]
    assert not any(gather(Source(path), readers).readings)


def test_what_is_said_is_read_where_the_sound_cannot_be(readers, tmp_path, monkeypatch):
    import soundfile

    def broken(*_, **__):
        raise DataError("No sound can be decoded.")
        yield

    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16000)
    monkeypatch.setattr(gathering, "blocks", broken)
    found = gather(Source(tmp_path / "a.wav", text="I am happy."), readers)
    assert found.absent["speech"] == "the sound cannot be decoded"
    assert [set(r) for r in found.readings] == [{"text"}]
    with pytest.raises(DataError, match="No sound"):
        gather(Source(tmp_path / "a.wav"), readers)


def silent_film(path, pictures):
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for rgb in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        file.mux(stream.encode(None))
    return path


def test_what_is_said_is_read_beside_a_film_without_sound(readers, tmp_path):
    path = silent_film(tmp_path / "a.mp4", [np.full((96, 128, 3), 130, np.uint8)] * 10)
    found = gather(Source(path, text="I am happy."), readers)
    assert found.absent == {"speech": "no sound", "face": "no face"}
    assert [set(r) for r in found.readings] == [{"text"}]
    (tmp_path / "a.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\nWe won.\n")
    found = gather(Source(path, subtitles=tmp_path / "a.srt"), readers)
    assert [(u.start, u.text) for u in found.utterances] == [(0.5, "We won.")]
    assert [set(r) for r in found.readings] == [{"text"}]


def test_a_face_is_an_utterance_where_nobody_speaks(readers, tmp_path):
    from moodal.lookalikes.face import draw_face

    path = silent_film(tmp_path / "a.mp4", [draw_face(160, 0.4)] * 10)
    found = gather(Source(path), readers)
    assert len(found.utterances) == 1
    assert not found.utterances[0].spoken
    assert found.seen.sightings
    found = gather(Source(path, text="I am happy."), readers)
    assert [(u.start, u.text) for u in found.utterances] == [(0.0, "I am happy.")]
    assert set(found.readings[0]) == {"text"}


def test_slices_are_those_of_the_whole():
    sound = np.arange(160000, dtype=np.float32)
    spans = [Span(1.0, 3.0), Span(0.5, 9.5), Span(2.0, 2.5), Span(9.0, 20.0), Span(30.0, 31.0)]
    whole = {i: sound[round(s.start * 16000) : round(s.end * 16000)] for i, s in enumerate(spans)}
    from moodal.media.blocks import array_blocks

    for seconds in (0.3, 1.0, 30.0):
        blocks = array_blocks(sound / 160000, 16000, seconds=seconds)
        cut = {i: x * 160000 for i, x in slices(blocks, spans)}
        assert set(cut) == set(range(5))
        for i, expected in whole.items():
            assert cut[i].shape == expected.shape
            assert np.abs(cut[i] - expected).max(initial=0) < 0.1


def test_an_envelope_is_bounded_and_holds_the_peaks():
    from moodal.media.blocks import Block

    envelope = Envelope()
    sound = np.zeros(16000 * 60, np.float32)
    sound[70000] = 0.9
    list(envelope.passing(Block(i * 10.0, x) for i, x in enumerate(np.split(sound, 6))))
    assert envelope.seconds == 60
    assert envelope.peak == pytest.approx(0.9)
    assert envelope.drawn.shape == (4000, 2)
    assert envelope.drawn.max() == pytest.approx(0.9)


def test_silent_stretches_are_where_a_face_is_seen_and_nobody_speaks():
    seen = np.arange(0, 12, 0.2)
    found = silent_stretches([Span(3.0, 6.0)], seen)
    assert found[0].start == 0.0
    assert found[-1].end == pytest.approx(11.8)
    assert not any(s.start < 6.0 and s.end > 3.0 for s in found)
    assert all(s.end - s.start <= 5.0 for s in found)
    assert silent_stretches([], []) == []
    assert silent_stretches([], [1.0, 1.4]) == []
