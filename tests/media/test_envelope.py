"""The samples of utterances, out of blocks; the drawn waveform; where a face is seen in silence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.records import RATE
from moodal.core.timeline import Word
from moodal.media.blocks import Block
from moodal.modalities.speech import transcribe
from moodal.modalities.speech.segment import Span
from moodal.modalities.speech.stretches import (
    DRAWN,
    Envelope,
    silent_stretches,
    slices,
    spoken_words,
)


def cut(samples, sizes):
    """Blocks of any size, one after the other."""
    at, i = 0, 0
    while at < len(samples):
        size = sizes[i % len(sizes)]
        yield Block(at / RATE, samples[at : at + size])
        at, i = at + size, i + 1


seconds = st.integers(0, 3000).map(lambda n: n / 1000)
spans = st.lists(st.tuples(seconds, seconds).map(lambda s: Span(min(s), max(s))), max_size=12)
sizes = st.lists(st.integers(150, 30000), min_size=1, max_size=5)


@settings(deadline=None, max_examples=60)
@given(spans=spans, length=st.integers(0, 40000), sizes=sizes)
def test_slices_are_those_of_the_whole_whatever_the_blocks(spans, length, sizes):
    sound = np.arange(length, dtype=np.float32)
    found = list(slices(cut(sound, sizes), spans))
    assert sorted(i for i, _ in found) == list(range(len(spans)))
    for i, samples in found:
        whole = sound[round(spans[i].start * RATE) : round(spans[i].end * RATE)]
        np.testing.assert_array_equal(samples, whole)
    ends = [spans[i].end for i, _ in found]
    assert ends == sorted(ends)


def test_a_slice_comes_as_soon_as_it_is_whole_and_what_is_past_is_let_go():
    read = []

    def blocks():
        for i in range(100):
            read.append(i)
            yield Block(float(i), np.full(RATE, i, np.float32))

    every = (Span(float(i), i + 1.5) for i in range(0, 90, 5))
    for i, samples in slices(blocks(), list(every)):
        assert read[-1] == 5 * i + 1
        assert len(samples) == 1.5 * RATE
    assert read[-1] == 86


def test_words_are_given_to_the_span_they_lie_in(monkeypatch):
    heard = []

    def words(samples, rate, offset, threads):
        heard.append((len(samples), offset, threads))
        return [Word(str(at), at, at + 0.2) for at in (offset, offset + 1.3, offset + 1.6)]

    monkeypatch.setattr(transcribe, "words", words)
    where = [Span(0.0, 1.0), Span(1.7, 3.0), Span(6.0, 8.0)]
    sound = np.zeros(9 * RATE, np.float32)
    found = spoken_words([[0, 1], [2]], where, lambda: cut(sound, [5000]), 2)
    assert heard == [(3 * RATE, 0.0, 2), (2 * RATE, 6.0, 2)]
    texts = {i: [w.text for w in some] for i, some in found.items()}
    # 1.4 lies between two utterances: the nearer one's
    assert texts == {0: ["0.0"], 1: ["1.3", "1.6"], 2: ["6.0", "7.3", "7.6"]}


@settings(deadline=None, max_examples=60)
@given(length=st.integers(0, 60000), sizes=sizes)
def test_an_envelope_holds_the_extremes_and_lets_blocks_pass(length, sizes):
    sound = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    envelope = Envelope()
    passed = list(envelope.passing(cut(sound, sizes)))
    assert sum(len(b.samples) for b in passed) == length
    assert envelope.seconds == length / RATE
    if not length:
        assert envelope.drawn is None
        return
    drawn = envelope.drawn
    assert drawn.dtype == np.float32
    assert len(drawn) <= DRAWN
    assert (drawn[:, 0] <= drawn[:, 1]).all()
    assert drawn[:, 0].min() == sound.min()
    assert drawn[:, 1].max() == sound.max()
    assert envelope.peak == np.abs(sound).max()


def test_an_envelope_of_an_hour_is_as_large_as_of_a_minute():
    envelope = Envelope()
    block = np.zeros(30 * RATE, np.float32)
    for _ in envelope.passing(Block(30.0 * i, block) for i in range(120)):
        pass
    assert envelope.seconds == 3600
    assert envelope.drawn.shape == (DRAWN, 2)


@settings(deadline=None, max_examples=60)
@given(spans=spans, seen=st.lists(seconds.map(lambda s: 10 * s), max_size=80).map(sorted))
def test_stretches_of_silence_lie_apart_from_speech_and_from_each_other(spans, seen):
    speech = [Span(10 * s.start, 10 * s.end) for s in spans]
    found = silent_stretches(speech, seen)
    for stretch in found:
        assert 0 < stretch.end - stretch.start <= 5 + 1e-9
        assert not any(s.start < stretch.end and stretch.start < s.end for s in speech)
        inside = [t for t in seen if stretch.start - 2.1 <= t <= stretch.end + 2.1]
        assert inside
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("speech", "seen", "expected"),
    [
        ([], [], []),
        ([], [3.0], []),
        ([], np.arange(0, 2.1, 0.2), [(0.0, 2.0)]),
        ([Span(0.5, 1.5)], np.arange(0, 3.1, 0.2), [(1.6, 3.0)]),
        ([Span(0, 9)], np.arange(0, 9, 0.2), []),
        # lost for more than two seconds
        ([], [0.0, 1.0, 2.0, 5.0, 6.0], [(0.0, 2.0), (5.0, 6.0)]),
        ([], np.arange(0, 12.1, 0.5), [(0.0, 4.0), (4.0, 8.0), (8.0, 12.0)]),
        # an utterance within another one
        ([Span(0, 8), Span(1, 2)], np.arange(0, 10, 0.5), [(8.0, 9.5)]),
    ],
)
def test_where_nobody_speaks_and_a_face_is_seen(speech, seen, expected):
    found = silent_stretches(speech, seen)
    assert [(s.start, s.end) for s in found] == [pytest.approx(e) for e in expected]
