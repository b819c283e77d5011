"""Model: answers that add up, do not depend on what else is asked, and say what they lack."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import moodal
from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.core.manifest import MADE_UP
from moodal.media.audio import read_audio
from moodal.model.info import ProtocolInfo, SystemBody
from moodal.model.options import PredictOptions
from moodal.model.question import MADE_UP_MODEL
from moodal.output.formats import FORMATS, render

CLIP = Path(__file__).parents[2] / "examples" / "clip.mp4"
needs_clip = pytest.mark.skipif(not CLIP.exists(), reason="the example clip is not here")
BASICS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
SAID = "We won, and I am so happy!"


@pytest.fixture(scope="module")
def filmed(model):
    """The example clip's answers, with its subtitles, a picture a second."""
    return model.predict(CLIP, subtitles=CLIP.with_suffix(".srt"), fps=2)


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    """A sound that is no speech, as samples and as a file."""
    import soundfile

    samples = (np.random.default_rng(0).normal(0, 0.1, 24000)).clip(-1, 1)
    whole = np.round(samples * 32767).astype(np.int16)
    path = tmp_path_factory.mktemp("wav") / "noise.wav"
    soundfile.write(path, whole, 16000)
    return path, whole


def softmax(x):
    return np.exp(x - np.max(x)) / np.exp(x - np.max(x)).sum()


def test_nothing_asked_gives_the_basic_emotions(model):
    timeline = model.predict(text=SAID)
    (answer,) = timeline
    assert timeline.emotions == BASICS
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.streams == ("text",)
    assert set(answer.absent) == {"speech", "face"}
    assert timeline.artefact["name"] == "tiny"
    assert timeline.artefact["digest"] == model.info.digest


def test_a_model_of_made_up_data_says_so(model, tiny, tmp_path):
    marked = ProtocolInfo(name="fused", stamps=(MADE_UP[:-1],))
    made_up = moodal.load(tiny.write_tiny(tmp_path / "a", protocol=marked), threads=1)
    assert MADE_UP_MODEL in made_up.predict(text=SAID).notes
    assert MADE_UP_MODEL not in model.predict(text=SAID).notes


@needs_clip
def test_shares_and_bias_are_the_logits_that_the_probabilities_are_of(filmed):
    assert [a.streams for a in filmed] == [("text", "speech", "face")] * 3
    for answer in filmed:
        total = {
            e: answer.bias[e] + sum(answer.shares[s][e] for s in answer.streams) for e in BASICS
        }
        assert answer.logits == pytest.approx(total)
        expected = softmax(np.array(list(total.values())))
        assert list(answer.probabilities.values()) == pytest.approx(list(expected), abs=1e-6)


@needs_clip
def test_parts_and_the_rest_are_the_share(filmed):
    for answer in filmed:
        for stream in answer.streams:
            parts = (
                answer.words
                if stream == "text"
                else [m for m in answer.moments if m.stream == stream]
            )
            assert parts
            for emotion in BASICS:
                total = sum(p.shares[emotion] for p in parts) + answer.rest[stream][emotion]
                assert total == pytest.approx(answer.shares[stream][emotion], abs=1e-6)


@needs_clip
def test_moments_lie_in_their_utterance(filmed):
    for answer in filmed:
        for moment in answer.moments:
            assert answer.start - 0.8 <= moment.start < moment.end <= answer.end + 0.8


@needs_clip
def test_quality_and_the_followed_face_are_told(filmed):
    assert set(filmed[0].quality) == {"speech", "face"}
    assert filmed[0].track is not None
    assert filmed.thumbnails
    assert filmed.kind == "video"


def test_a_word_does_not_depend_on_what_else_is_asked(model, wav):
    path, _ = wav
    options = {"text": SAID, "whole": True}
    alone = model.predict(path, emotions=["relieved"], **options)[0]
    many = model.predict(path, emotions=["bored", "fear", "relieved"], **options)[0]
    basics = model.predict(path, **options)[0]
    assert many.probabilities["relieved"] == pytest.approx(alone.probabilities["relieved"])
    assert many.probabilities["fear"] == pytest.approx(basics.probabilities["fear"])
    assert many.shares["text"]["relieved"] == pytest.approx(
        alone.shares["text"]["relieved"], rel=1e-5
    )


def test_the_order_of_emotions_does_not_matter(model):
    names = ["love", "bored", "anger"]
    one = model.predict(text=SAID, emotions=names)[0]
    other = model.predict(text=SAID, emotions=names[::-1])[0]
    assert list(one.probabilities) == names
    assert dict(other.probabilities) == pytest.approx(dict(one.probabilities))
    assert one.decided == other.decided


def test_a_missing_modality_is_simply_absent(model, wav):
    """Speech's evidence is the same whether or not there is a text; only its weight differs."""
    path, _ = wav
    both = model.predict(path, text=SAID, whole=True)[0]
    alone = model.predict(path, whole=True, asr=False)[0]
    assert alone.streams == ("speech",)
    assert alone.absent["text"].startswith("no transcript")
    fusion = model.artefact.fused.fusion
    of_both = fusion["text+speech"].weights["speech"]
    of_one = fusion["speech"].weights["speech"]
    ratio = both.shares["speech"]["anger"] / alone.shares["speech"]["anger"]
    assert ratio == pytest.approx(of_both / of_one)
    without = model.predict(path, text=SAID, whole=True, streams=["text"])[0]
    assert without.shares["text"] == pytest.approx(model.predict(text=SAID)[0].shares["text"])


@pytest.mark.parametrize("streams", [["text"], "text", " text, "])
def test_what_was_not_asked_for_is_said_to_be_so(model, streams):
    unasked = {"speech": "not asked for", "face": "not asked for"}
    timeline = model.predict(text=SAID, streams=streams)
    assert timeline[0].absent == timeline.absent == unasked
    assert model.predict(text="", streams=streams).absent == {"text": "no words"} | unasked


def test_learned_guessed_and_absent_are_told(model, wav):
    path, _ = wav
    options = {"text": SAID, "whole": True}
    answer = model.predict(path, emotions=["love", "relieved", "surprise"], **options)[0]
    assert answer.sources == {
        "love": {"text": "learned", "speech": "absent"},
        "relieved": {"text": "guess", "speech": "absent"},
        "surprise": {"text": "learned", "speech": "absent"},
    }
    assert answer.shares["speech"]["love"] == 0
    alone = model.predict(path, emotions=["love"], whole=True, asr=False)[0]
    assert alone.sources == {"love": {"speech": "guess"}}


def test_synonyms_are_noted_and_doubled_words_refused(model):
    timeline = model.predict(text=SAID, emotions=["joy"])
    assert "joy is taken for happiness, as the artefact declares." in timeline.notes
    plain = model.predict(text=SAID)[0].probabilities["happiness"]
    assert timeline[0].probabilities["joy"] == pytest.approx(plain)
    with pytest.raises(SpaceError, match="twice"):
        model.predict(text=SAID, emotions=["joy", "joy"])


def test_samples_and_a_file_get_the_same_answer(model, wav):
    path, samples = wav
    file = model.predict(path, whole=True, asr=False)
    array = model.predict(samples, rate=16000, whole=True, asr=False)
    assert dict(array[0].probabilities) == pytest.approx(dict(file[0].probabilities), abs=1e-6)
    assert (array.path, file.path) == ("", str(path))
    stereo = np.stack([samples, samples], 1)
    twice = model.predict(stereo, rate=16000, whole=True, asr=False)
    assert dict(twice[0].probabilities) == pytest.approx(dict(array[0].probabilities), abs=1e-6)


@needs_clip
def test_the_loudness_of_other_recordings_changes_nothing(model):
    """What is answered of a recording does not depend on what was answered before it."""
    sound = read_audio(CLIP)
    first = model.predict(sound, rate=16000, asr=False)
    model.predict(sound[::-1].copy() * 0.1, rate=16000, asr=False)
    again = model.predict(sound, rate=16000, asr=False)
    assert [dict(a.probabilities) for a in first] == [dict(a.probabilities) for a in again]


@pytest.mark.parametrize("samples", [np.zeros(1), np.ones(1) * 0.3, np.zeros(32000)])
def test_silence_and_a_single_sample_get_a_flagged_answer(model, samples):
    for whole in (False, True):
        timeline = model.predict(samples, rate=16000, whole=whole, asr=False)
        assert len(timeline) == 0
        assert timeline.absent["speech"] in ("silence", "no speech", "too short or too quiet")


def test_noise_is_no_speech_unless_wanted(model, wav):
    path, _ = wav
    assert model.predict(path, asr=False).absent["speech"] == "no speech"
    assert any("noisy" in f for f in model.predict(path, whole=True, asr=False)[0].flags)


def test_no_face_is_said(model, tmp_path):
    from PIL import Image

    Image.fromarray(np.full((90, 120, 3), 99, np.uint8)).save(tmp_path / "wall.png")
    timeline = model.predict(tmp_path / "wall.png")
    assert len(timeline) == 0
    assert timeline.absent["face"] == "no face"


def test_the_model_abstains_below_its_threshold(tiny, tmp_path):
    weights = tiny.body(["text"]).fusion["text"]
    for threshold, decided in ((0.0, 1), (1.0, 0)):
        fusion = {"text": weights.model_copy(update={"threshold": threshold})}
        body = tiny.body(["text"], fusion=fusion)
        folder = tiny.write_tiny(tmp_path / "a", ["text"], body=body)
        (answer,) = moodal.load(folder).predict(text=SAID)
        assert len(answer.decided) == decided


def test_other_languages_and_no_words_are_flagged(model):
    (answer,) = model.predict(text="你为什么这样对我？")
    assert (answer.language, answer.untrained) == ("zh", ("text",))
    assert "The language is Chinese" in answer.flags[0]
    for nothing in ("", "\n \t"):
        timeline = model.predict(text=nothing)
        assert len(timeline) == 0
        assert timeline.absent["text"] == "no words"


def test_a_hundred_thousand_words_are_quick(model):
    started = time.process_time()
    timeline = model.predict(text=f"{'so it was good again ' * 20}. " * 1_000)
    assert len(timeline) == 1_000
    assert time.process_time() - started < 25  # seconds of the processor, of a slow one
    blanks = model.predict(text="word " * 20_000)
    assert 150 < len(blanks) < 250
    assert model.predict(text="x" * 100_000)[0].language == "mis"


def test_one_bad_file_does_not_stop_the_rest(model, wav, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF no sound")
    (tmp_path / "fine.txt").write_text(SAID)
    files = [tmp_path / "bad.wav", tmp_path / "none.wav", tmp_path / "fine.txt"]
    bad, missing, fine = model.predict_many(files)
    assert isinstance(bad, DataError)
    assert isinstance(missing, DataError)
    assert len(fine) == 1


@pytest.mark.parametrize("emotions", [[""], ["fear", ""], "fear,,joy", ["12"]])
def test_an_emotion_that_is_no_word_is_refused(model, emotions):
    with pytest.raises(SpaceError, match="no emotion word"):
        model.predict(text=SAID, emotions=emotions)
    with pytest.raises(SpaceError, match="no emotion word"):
        model.check(PredictOptions(emotions=emotions))


def test_arguments_that_do_not_go_together_are_refused(model, wav):
    for wrong in (
        {},
        {"source": np.zeros(9)},
        {"text": "a", "streams": ["smell"]},
        {"text": "a", "streams": []},
        {"text": "a", "subtitles": "b.srt"},
        {"text": "a", "faces": "some"},
        {"text": "a", "fps": 0},
        {"text": "a", "colour": "red"},
        {"text": "a", "options": PredictOptions(text="b")},
    ):
        with pytest.raises(UsageError):
            model.predict(**wrong)


def test_an_artefact_of_fewer_modalities_uses_those(tiny, model, tmp_path):
    alone = moodal.load(tiny.write_tiny(tmp_path / "text", ["text"]))
    (answer,) = alone.predict(text=SAID)
    assert dict(answer.probabilities) == pytest.approx(
        dict(model.predict(text=SAID)[0].probabilities)
    )
    assert answer.absent == {}
    with pytest.raises(UsageError, match="does not read speech"):
        alone.predict(text=SAID, streams=["speech"])


@pytest.fixture
def copied(tiny_artefact, tmp_path):
    return Path(shutil.copytree(tiny_artefact, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["speech.onnx", "weights.safetensors", "artefact.json"])
def test_a_changed_byte_is_refused(copied, name):
    content = bytearray((copied / name).read_bytes())
    place = content.index(b"anger") if name == "artefact.json" else len(content) // 2
    content[place] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(DataError):
        moodal.load(copied)


def test_an_unknown_format_or_a_missing_graph_is_refused(copied):
    about = json.loads((copied / "artefact.json").read_text())
    (copied / "artefact.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(DataError, match="format 99"):
        moodal.load(copied)
    (copied / "artefact.json").write_text(json.dumps(about))
    (copied / "face.onnx").unlink()
    with pytest.raises(DataError, match="missing"):
        moodal.load(copied)


def test_other_encoders_and_other_systems_are_refused(tiny, tmp_path):
    encoder = tiny.describe(["text"]).encoders["text"]
    other_encoder = encoder.model_copy(update={"fingerprint": "0" * 32})
    with pytest.raises(DataError, match="pieces is not the one"):
        moodal.load(tiny.write_tiny(tmp_path / "a", ["text"], encoders={"text": other_encoder}))
    other = tiny.write_tiny(tmp_path / "b", ["text"], body=SystemBody(name="eea", config={}))
    with pytest.raises(DataError, match="eea"):
        moodal.load(other)


def test_a_graph_that_cannot_run_is_one_sentence(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "_text", lambda: b"no graph at all")
    broken = moodal.load(tiny.write_tiny(tmp_path / "a", ["text"]))
    with pytest.raises(DataError, match="is not run: it is no ONNX graph"):
        broken.predict(text=SAID)


NAMED = """WEBVTT

00:00.200 --> 00:00.700
<v Eve\x1b[31m>We won, and I am so happy!

00:00.700 --> 00:01.000
- ANNA: Oh no.
- BOB: Leave me alone!

00:01.000 --> 00:01.400
- How dare you!
"""


@pytest.mark.parametrize("heard", [True, False])
def test_answers_keep_the_speakers_of_subtitles(model, wav, tmp_path, heard):
    cues = tmp_path / "a.vtt"
    cues.write_text(NAMED)
    timeline = model.predict(wav[0], subtitles=cues) if heard else model.predict(cues)
    assert [p.speaker for p in timeline] == ["Eve\x1b[31m", "ANNA, BOB", None]
    assert [p.text for p in timeline][1:] == ["Oh no. Leave me alone!", "How dare you!"]
    unnamed = NAMED.replace("<v Eve\x1b[31m>", "").replace("ANNA: ", "").replace("BOB: ", "")
    cues.write_text(unnamed)
    plain = model.predict(wav[0], subtitles=cues) if heard else model.predict(cues)
    assert [p.speaker for p in plain] == [None] * 3
    assert [p.probabilities for p in plain] == [p.probabilities for p in timeline]
    for format in FORMATS:
        text = render([timeline], format)
        assert "\x1b" not in text
        if format == "rttm":  # a line for each speaker, and none without
            assert "ANNA" in text
            assert "BOB" in text
            continue
        # Hume's answers have no names of speakers
        assert format == "hume" or "ANNA, BOB" in text
        unnamed = render([plain], format).replace(str(tmp_path), "")
        assert all(name not in unnamed for name in ("Eve", "ANNA", "speaker"))
