"""Readings: parts that add up to a modality's logits."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.timeline import Word


@pytest.fixture(scope="module")
def readers(predictor):
    return predictor.readers(predictor.ask(["joy", "relieved"]), ["text", "speech", "face"])


def test_the_words_of_a_text_have_its_logits(readers):
    text = "Well, I didn't expect THAT naïve café answer!"
    reading = readers["text"].text(text)
    assert [p.text for p in reading.parts] == text.split()
    assert all(p.start is None for p in reading.parts)
    reader = readers["text"]
    special = reader.branch.pieces(np.array([101, 102])) @ reader.keys  # [CLS], [SEP]
    from moodal.modalities.text.minilm import tokenizer

    pieces = len(tokenizer().encode(text).ids)
    parts = sum(p.logits for p in reading.parts) + special.sum(0) / pieces
    assert parts + reader.constants == pytest.approx(reading.logits, abs=1e-5)


def test_a_word_has_its_own_pieces(readers):
    reader = readers["text"]
    first, second = reader.text("joyful day").parts
    keys = reader.branch.pieces
    from moodal.modalities.text.minilm import tokenizer

    ids = tokenizer().encode("joyful", add_special_tokens=False).ids
    pieces = len(tokenizer().encode("joyful day").ids)
    expected = (keys(np.array(ids)) @ reader.keys).sum(0) / pieces
    assert first.logits == pytest.approx(expected, abs=1e-5)
    assert second.text == "day"


def test_timed_words_keep_their_times(readers):
    timed = (Word("I", 1.0, 1.2), Word("won.", 1.3, 1.9))
    reading = readers["text"].text("I won.", timed)
    assert [(p.text, p.start, p.end) for p in reading.parts] == [
        ("I", 1.0, 1.2),
        ("won.", 1.3, 1.9),
    ]
    assert reading.logits == pytest.approx(readers["text"].text("I won.").logits)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_a_text_without_words_says_nothing(readers, text):
    assert readers["text"].text(text) is None


def test_long_texts_are_flagged(readers):
    assert "256" in readers["text"].text("very " * 300).flags[0]
    assert readers["text"].text("very " * 200).flags == ()


def test_any_characters_are_read(readers):
    rng = np.random.default_rng(0)
    for n in rng.integers(1, 7, 300):
        low, high = rng.integers(0, 0x3100, n), rng.integers(0xE000, 0x10FFFF, n)
        text = "".join(map(chr, np.where(rng.random(n) < 0.7, low, high)))
        reading = readers["text"].text(text)
        assert reading is None or np.isfinite(reading.logits).all()


def test_seconds_of_speech_add_up(readers):
    samples = np.random.default_rng(0).normal(0, 0.1, 40000).astype(np.float32)
    reader = readers["speech"]
    reading = reader.speech(samples, 10.0)
    assert [round(p.start, 2) for p in reading.parts] == [10.0, 11.0, 12.0]
    assert reading.parts[-1].end == pytest.approx(12.5)
    total = sum(p.logits for p in reading.parts) + reader.constants
    assert total == pytest.approx(reading.logits, abs=1e-5)
    assert reading.quality["seconds"] == pytest.approx(2.5)


def test_speech_longer_than_the_window_is_heard_whole(readers):
    reader = readers["speech"]
    loud = np.random.default_rng(0).normal(0, 0.1, 20 * 16000).astype(np.float32)
    reading = reader.speech(loud)
    assert len(reading.parts) == 20
    halves = [reader.speech(x).logits for x in np.array_split(loud, 2)]
    assert reading.logits == pytest.approx(np.mean(halves, 0), abs=0.02)


@pytest.mark.parametrize("n", [1, 799, 801])
def test_the_shortest_sound_is_heard(readers, n):
    reading = readers["speech"].speech(np.full(n, 0.5, np.float32))
    assert np.isfinite(reading.logits).all()
    assert reading.parts[-1].end <= 0.06


def test_faces_add_up_and_their_number_changes_nothing(readers):
    pixels = np.random.default_rng(0).random((70, 2304), np.float32)
    reader = readers["face"]
    seen = reader.seen(pixels)
    one_by_one = np.concatenate([reader.seen(p[None]) for p in pixels[:3]])
    assert seen[:3] == pytest.approx(one_by_one, abs=1e-4)
    reading = reader.face([(i / 5, i / 5 + 0.2, row) for i, row in enumerate(seen)])
    assert len(reading.parts) == 70
    assert reading.logits == pytest.approx(seen.mean(0) + reader.constants, abs=1e-5)


def test_constants_are_less_the_words_share(predictor):
    asked = predictor.ask(["relieved"])
    branch = predictor.branches["speech"]
    _, constants = branch.keys(asked.words, asked.vectors)
    plain = asked.vectors @ branch.offset
    assert constants[0] == pytest.approx(plain[0] - np.log(branch.learned["anger"]), abs=1e-5)
    typical = np.mean(np.log(list(branch.learned.values())))
    assert constants[-1] == pytest.approx(plain[-1] - typical, abs=1e-5)
