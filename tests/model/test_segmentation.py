"""Where utterances lie: cues, pauses, the whole, and silent stretches where a face is seen."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.records import RATE, Clip, Sound
from moodal.core.timeline import Word
from moodal.media.subtitles import Cue
from moodal.modalities.modality import Window
from moodal.modalities.speech.segment import PAD, STEP, Span, speech_spans
from moodal.model.segmentation import Buffer, Cues, Pauses, Segment, Stretches, Whole, WholeBuffer

seconds = st.integers(0, 3000).map(lambda n: n / 1000)
spans = st.lists(st.tuples(seconds, seconds).map(lambda s: Span(min(s), max(s))), max_size=12)
sizes = st.lists(st.integers(150, 30000), min_size=1, max_size=5)


def pieces(samples, sizes):
    """Cut samples into blocks of any size, one after the other."""
    at, i = 0, 0
    while at < len(samples):
        size = sizes[i % len(sizes)]
        yield samples[at : at + size]
        at, i = at + size, i + 1


@settings(deadline=None, max_examples=60)
@given(spans=spans, length=st.integers(0, 40000), sizes=sizes)
def test_what_is_cut_is_that_of_the_whole_whatever_the_blocks(spans, length, sizes):
    sound, buffer = np.arange(length, dtype=np.float32), Buffer(RATE)
    for samples in pieces(sound, sizes):
        buffer.add(samples)
    assert buffer.seconds == length / RATE
    for span in spans:
        whole = sound[round(span.start * RATE) : round(span.end * RATE)]
        np.testing.assert_array_equal(buffer.cut(span.start, span.end), whole)


@settings(deadline=None, max_examples=60)
@given(spans=spans, length=st.integers(0, 40000), sizes=sizes)
def test_a_whole_sound_is_cut_alike_and_taken_without_a_copy(spans, length, sizes):
    sound, buffer, whole = np.arange(length, dtype=np.float32), Buffer(RATE), WholeBuffer(RATE)
    for samples in pieces(sound, sizes):
        buffer.add(samples)
        whole.add(samples)
        whole.forget(1.0)
    assert whole.seconds == buffer.seconds == length / RATE
    for span in [*spans, Span(0.0, 10.0)]:
        expected = buffer.cut(span.start, span.end)
        cut, taken = whole.cut(span.start, span.end), whole.take(span.start, span.end)
        np.testing.assert_array_equal(cut, expected)
        np.testing.assert_array_equal(taken, expected)
        if len(taken):
            assert np.shares_memory(taken, whole.take(0.0, 10.0))
            assert not np.shares_memory(cut, taken)


@settings(deadline=None, max_examples=60)
@given(spans=spans, sizes=sizes)
def test_what_is_needed_stays_when_the_rest_is_forgotten(spans, sizes):
    sound, buffer = np.arange(40000, dtype=np.float32), Buffer(RATE)
    waiting = sorted(spans, key=lambda span: span.end)
    for samples in pieces(sound, sizes):
        buffer.add(samples)
        while waiting and waiting[0].end <= buffer.seconds:
            span = waiting.pop(0)
            whole = sound[round(span.start * RATE) : round(span.end * RATE)]
            np.testing.assert_array_equal(buffer.cut(span.start, span.end), whole)
        buffer.forget(min((span.start for span in waiting), default=math.inf))


def test_of_an_hour_only_the_last_blocks_are_kept():
    buffer = Buffer(RATE)
    for second in range(3600):
        buffer.add(np.full(RATE, second, np.float32))
        buffer.forget(second - 30.0)
        assert sum(map(len, buffer._blocks)) <= 32 * RATE
    assert buffer.seconds == 3600
    assert buffer.cut(3590.0, 3591.0).tolist() == [3590.0] * RATE


def stretches(speech, seen):
    """Give silent stretches as a reading does: what is seen, less what lies in speech."""
    finder, segments, covered = Stretches(), [], 0.0
    waiting = sorted(speech, key=lambda span: span.start)
    for at in [*seen, math.inf]:
        while waiting and waiting[0].start <= at:
            segments += finder.end()
            covered = max(covered, waiting.pop(0).end)
        if covered <= at < math.inf:
            segments += finder.see(at)
    return [Span(s.start, s.end) for s in segments + finder.end()]


@settings(deadline=None, max_examples=60)
@given(spans=spans, seen=st.lists(seconds.map(lambda s: 10 * s), max_size=80).map(sorted))
def test_stretches_of_silence_lie_apart_from_speech_and_from_each_other(spans, seen):
    speech = [Span(10 * s.start, 10 * s.end) for s in spans]
    found = stretches(speech, seen)
    for stretch in found:
        assert 1 <= stretch.end - stretch.start <= 8 + 1e-9
        assert not any(s.start < stretch.end and stretch.start < s.end for s in speech)
        inside = [t for t in seen if stretch.start <= t <= stretch.end]
        assert max(b - a for a, b in pairwise(inside)) <= 2
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("speech", "seen", "expected"),
    [
        ([], [], []),
        ([], [3.0], []),
        ([], [1.0, 1.4], []),
        ([], np.arange(0, 2.1, 0.2), [(0.0, 2.0)]),
        ([Span(0.5, 1.5)], np.arange(0, 3.1, 0.2), [(1.6, 3.0)]),
        ([Span(0, 9)], np.arange(0, 9, 0.2), []),
        # lost for more than two seconds
        ([], [0.0, 1.0, 2.0, 5.0, 6.0], [(0.0, 2.0), (5.0, 6.0)]),
        # cut every five seconds, as soon as a further second is seen
        ([], np.arange(0, 12.1, 0.5), [(0.0, 5.0), (5.0, 10.0), (10.0, 12.0)]),
        ([], np.arange(0, 5.8, 0.2), [(0.0, 5.6)]),
        ([], np.arange(0, 6.1, 0.2), [(0.0, 5.0), (5.0, 6.0)]),
        # an utterance within another one
        ([Span(0, 8), Span(1, 2)], np.arange(0, 10, 0.5), [(8.0, 9.5)]),
    ],
)
def test_where_nobody_speaks_and_something_is_seen(speech, seen, expected):
    found = stretches(speech, seen)
    assert [(s.start, s.end) for s in found] == [pytest.approx(e) for e in expected]


def test_stretches_are_of_five_seconds_where_a_face_is_seen_between_speech():
    found = stretches([Span(3.0, 6.0)], np.arange(0, 12, 0.2))
    assert found[0].start == 0.0
    assert found[-1].end == pytest.approx(11.8)
    assert not any(s.start < 6.0 and s.end > 3.0 for s in found)
    assert all(s.end - s.start < 6.0 for s in found)


def test_a_stretch_is_given_within_a_second_of_its_cut():
    finder = Stretches()
    for at in np.arange(0, 60, 0.2):
        for segment in finder.see(at):
            assert at - segment.end <= 1.0 + 1e-9
        assert at - finder.pending <= 6.0 + 1e-9


def sound(*times, total):
    """Loud from each second to another, and silent elsewhere."""
    samples = np.zeros(round(total * RATE), np.float32)
    for first, last in times:
        samples[round(first * RATE) : round(last * RATE)] = 0.5
    return samples


def test_cues_are_the_segments_one_for_one():
    cues = [Cue(1.0, 2.0, "a"), Cue(1.5, 1.5, "b", "ANNA"), Cue(0.5, 99.0, "c")]
    segments = Cues(cues).begin()
    assert [(s.start, s.end, s.text) for s in segments] == [
        (1.0, 2.0, "a"),
        (1.5, 1.5, "b"),
        (0.5, 99.0, "c"),
    ]
    assert [s.speaker for s in segments] == [None, "ANNA", None]
    assert Cues(cues).hear(0.0, sound(total=1)) == Cues(cues).finish(1.0) == []


def test_speech_between_pauses_is_given_as_soon_as_it_has_ended(ear):
    pauses, samples = Pauses(), sound((1, 2), (4, 5), (7.5, 8), total=8)
    given, settled = [], []
    for second in range(8):
        block = samples[second * RATE : (second + 1) * RATE]
        given += [(second + 1, s) for s in pauses.hear(second, block)]
        settled.append(pauses.settled)
    given += [(9, s) for s in pauses.finish(8.0)]
    assert [(at, s.speech) for at, s in given] == [
        (3, pytest.approx((1 - PAD, 2 + PAD), abs=STEP)),
        (6, pytest.approx((4 - PAD, 5 + PAD), abs=STEP)),
        (9, pytest.approx((7.5 - PAD, 8.0), abs=STEP)),
    ]
    assert all((s.start, s.end) == s.speech for _, s in given)
    # no segment begins before what was settled when it was not known yet
    for at, segment in given:
        assert all(reached <= segment.start for reached in settled[: at - 1])


@pytest.mark.parametrize("silence", [True, False])
@pytest.mark.parametrize("speech", [((1, 2), (3, 4)), ()])
def test_the_whole_is_one_segment(ear, silence, speech):
    samples = sound(*speech, total=6)
    whole = Whole("So good.", silence=silence)
    for second in range(6):
        assert whole.hear(second, samples[second * RATE : (second + 1) * RATE]) == []
        assert whole.settled == 0
    (segment,) = whole.finish(6.0)
    assert whole.settled == math.inf
    found = speech_spans([(0.0, samples)])
    heard = (found[0].start, found[-1].end) if speech else (0.0, 6.0)
    assert segment.speech == heard
    assert (segment.start, segment.end) == ((0.0, 6.0) if silence else heard)
    assert (segment.text, segment.spoken) == ("So good.", silence or bool(speech))


def test_the_window_of_a_segment_has_all_that_was_read_of_it():
    assert Segment(text="Oh.").window() == Window(text="Oh.")
    words, sound, media = (Word("Oh.", 1.0, 1.5, {}),), Sound(np.ones(9)), {"pulse": Clip("a.csv")}
    segment = Segment(1.0, 2.0, "Oh.", words, spoken=False, speech=(1.2, 1.5))
    assert segment.window(sound, media) == Window(1.0, 2.0, "Oh.", words, sound, False, media)


@pytest.fixture
def cry(monkeypatch):
    """Whatever is short enough is a cry from second 0.5 to 1.5."""
    monkeypatch.setattr("moodal.modalities.speech.cry.cry_extent", lambda _: Span(0.5, 1.5))


def heard(segmentation, samples):
    """Hear a sound second by second: (what was settled, the segments) after each, then the end."""
    steps = []
    for second in range(len(samples) // RATE):
        segments = segmentation.hear(second, samples[second * RATE : (second + 1) * RATE])
        steps.append((segmentation.settled, segments))
    return steps, segmentation.finish(len(samples) / RATE)


def test_a_short_recording_without_speech_may_be_a_cry(ear, cry):
    steps, (segment,) = heard(Pauses(), sound(total=3))
    assert steps == [(0.0, [])] * 3
    assert (segment.start, segment.end, segment.speech) == (0.5, 1.5, (0.5, 1.5))
    assert (segment.cry, segment.spoken, segment.text) == (True, True, "")


def test_after_speech_or_in_a_long_recording_there_is_no_cry(ear, cry):
    steps, segments = heard(Pauses(), sound((0.5, 1), total=4))
    assert [s.cry for _, found in steps for s in found] == [False]
    assert segments == []
    assert steps[-1][0] > 2
    steps, segments = heard(Pauses(), sound(total=10))
    assert segments == []
    assert [settled == 0 for settled, _ in steps] == [True] * 8 + [False] * 2


def test_the_whole_may_be_a_cry(ear, cry):
    _, (segment,) = heard(Whole("Help!", silence=False), sound(total=3))
    assert (segment.start, segment.end, segment.spoken) == (0.5, 1.5, True)
    _, (segment,) = heard(Whole(), sound(total=3))
    assert (segment.start, segment.end, segment.speech) == (0.0, 3.0, (0.5, 1.5))
    assert segment.cry
    _, (segment,) = heard(Whole(), sound((1, 2), total=3))
    assert not segment.cry
