"""Who speaks when: bounds that hold for any sound, and voices that are told apart."""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import UsageError
from moodal.corpora import crema_d
from moodal.lookalikes.voice import Speaker, voice
from moodal.media.audio import read_audio
from moodal.modalities.speech.speakers.diarise import Diariser
from moodal.modalities.speech.speakers.encoder import SpeakerVectors, own_space
from moodal.modalities.speech.speakers.turns import Turn, speaker_during
from moodal.modalities.speech.spoken import spoken

RATE = 16000
ACTORS = ("1014", "1009")
LOW, HIGH = Speaker(95, 0.92, 0, 1), Speaker(250, 1.25, 0, 1)


def talk(who, seconds, seed=0):
    """Made-up speech of one voice."""
    rng = np.random.default_rng(seed)
    pieces = [voice("neutral", who, rng, intensity=0) for _ in range(round(seconds / 0.9) + 1)]
    return np.concatenate(pieces)[: round(seconds * RATE)]


class Drawn:
    """An encoder whose "sound" says who speaks: the sample's value is the speaker."""

    space = own_space()

    def __init__(self, speakers=4, seed=0):
        rng = np.random.default_rng(seed)
        deviation = np.sqrt(self.space.between)
        self.places = rng.normal(size=(speakers, len(deviation))) * deviation * 2
        self.rng = rng

    def encode(self, samples):
        count = max(1, round(len(samples) / RATE / 0.4))
        edges = np.linspace(0, len(samples) / RATE, count + 1)
        middle = ((edges[1:] + edges[:-1]) / 2 * RATE).astype(int)
        who = samples[middle].astype(int)
        noise = self.rng.normal(size=(count, self.places.shape[1]))
        return SpeakerVectors(edges, (self.places[who] + noise).astype(np.float32))


def says(*parts):
    """The "sound" of speakers for some seconds each."""
    return np.concatenate([np.full(round(s * RATE), who, np.float32) for who, s in parts])


def check(turns, spans):
    """Turns lie in their spans, in order, and cover them."""
    left = list(turns)
    for start, end in spans:
        own = [turn for turn in left if turn.end <= end + 1e-6]
        left = left[len(own) :]
        assert own[0].start == pytest.approx(start)
        assert own[-1].end == pytest.approx(end)
        assert all(turn.start < turn.end for turn in own)
        assert all(a.end == b.start for a, b in itertools.pairwise(own))
        assert all(a.speaker != b.speaker for a, b in itertools.pairwise(own))
    assert not left


def sound(kind, count, rng):
    """Silence, noise, a chord or a voice."""
    if kind == 3:
        return np.resize(talk(LOW, count / RATE + 0.1), count)
    time = np.arange(count) / RATE
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 277, 330)) / 5
    return (np.zeros(count), rng.normal(0, 0.1, count), chord)[kind]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 2), st.floats(0.01, 5)), min_size=1, max_size=3),
    st.integers(0, 3),
    st.sampled_from([None, 1, 2, 3]),
)
def test_turns_cover_any_sound(gaps, kind, speakers):
    rng = np.random.default_rng(kind)
    diariser, spans, at, provisional = Diariser(speakers), [], 0.0, []
    for gap, seconds in gaps:
        count = max(1, round(seconds * RATE))
        at += gap
        turns = diariser.hear(at, sound(kind, count, rng).astype(np.float32))
        spans.append((at, at + count / RATE))
        check(turns, spans[-1:])
        provisional += turns
        at = spans[-1][1]
    final = diariser.finish()
    check(final, spans)
    firsts = list(dict.fromkeys(turn.speaker for turn in final))
    assert firsts == list(range(1, len(firsts) + 1))
    if speakers:
        assert max(turn.speaker for turn in final + provisional) <= speakers


def test_two_voices_take_turns():
    diariser, at, truth, provisional = Diariser(), 0.0, [], []
    for number in range(8):
        samples = talk((LOW, HIGH)[number % 2], 3.0, number)
        provisional += diariser.hear(at, samples)
        truth.append((at, at + len(samples) / RATE, number % 2 + 1))
        at = truth[-1][1] + 0.5
    final = diariser.finish()
    speakers = [speaker_during(final, start, end).speaker for start, end, _ in truth]
    assert speakers == [number for _, _, number in truth]
    assert {turn.speaker for turn in final} == {1, 2}


def test_a_change_within_a_span_is_cut():
    diariser = Diariser(encoder=Drawn())
    provisional = diariser.hear(1.0, says((0, 5), (1, 6)))
    for turns in (provisional, diariser.finish()):
        assert [turn.speaker for turn in turns] == [1, 2]
        assert turns[0].end == pytest.approx(6, abs=0.3)


def test_one_voice_stays_one():
    diariser = Diariser()
    for number in range(6):
        diariser.hear(6.0 * number, talk(HIGH, 5, number))
    assert {turn.speaker for turn in diariser.finish()} == {1}


@pytest.mark.parametrize("speakers", [2, 3, 4])
def test_the_number_may_be_given_or_found(speakers):
    for given_number in (None, speakers):
        diariser = Diariser(given_number, encoder=Drawn())
        for turn in range(4 * speakers):
            diariser.hear(10.0 * turn, says((turn % speakers, 6)))
        final = [turn.speaker for turn in diariser.finish()]
        assert final == [number % speakers + 1 for number in range(4 * speakers)]


def test_a_given_number_is_a_limit():
    diariser = Diariser(2, encoder=Drawn())
    for turn in range(12):
        provisional = diariser.hear(10.0 * turn, says((turn % 4, 6)))
        assert max(t.speaker for t in provisional) <= 2
    assert {turn.speaker for turn in diariser.finish()} == {1, 2}


def test_speech_too_short_for_a_vector_is_unsure():
    diariser = Diariser()
    diariser.hear(0.0, talk(LOW, 4))
    (turn,) = diariser.hear(5.0, talk(LOW, 0.05))
    assert turn == Turn(5.0, 5.05, 1, sure=False)
    assert [t.sure for t in diariser.finish()] == [True, False]
    assert not Diariser().hear(0.0, np.zeros(0, np.float32))


def test_nothing_heard_is_nobody():
    assert Diariser().finish() == []


@pytest.mark.parametrize("speakers", [0, -1, 21])
def test_impossible_numbers_are_refused(speakers):
    with pytest.raises(UsageError, match=f"from 1 to 20; got {speakers}"):
        Diariser(speakers)


def test_an_hour_of_one_speaker_takes_little_memory_and_stays_one():
    diariser = Diariser(encoder=Drawn(1))
    span = says((0, 15))
    for number in range(240):
        (turn,) = diariser.hear(15.0 * number, span)
        assert turn.speaker == 1
    kept = sum(sys.getsizeof(a) for s in diariser._spans for a in (s.vectors, s.edges))
    assert kept < 1_000_000
    assert {turn.speaker for turn in diariser.finish()} == {1}


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0.01, 5), st.integers(1, 3)), max_size=6), st.floats(0, 20))
def test_the_speaker_during_a_time_has_most_of_it(parts, start):
    ends = np.cumsum([0.0, *(seconds for seconds, _ in parts)]).tolist()
    turns = [Turn(a, b, who) for a, b, (_, who) in zip(ends[:-1], ends[1:], parts, strict=True)]
    found = speaker_during(turns, start, start + 2)
    shares = {}
    for turn in turns:
        shared = min(turn.end, start + 2) - max(turn.start, start)
        if shared > 0:
            shares[turn.speaker] = shares.get(turn.speaker, 0) + shared
    if found is None:
        assert not shares
    else:
        assert shares[found.speaker] == max(shares.values())


def test_actors_are_told_apart(real):
    """A man and a woman of CREMA-D whom nothing was fitted to."""
    root = real("crema_d")
    files = crema_d.recordings((root / "AudioWAV",), crema_d.AUDIO)
    diariser, at, truth = Diariser(), 0.0, []
    for sentence in ("IEO", "TIE", "IOM", "IWW", "TAI", "WSI"):
        for actor in ACTORS:
            stem = next(s for s in sorted(files) if s.startswith(f"{actor}_{sentence}_NEU"))
            samples = spoken(read_audio(files[stem], rate=RATE))
            diariser.hear(at, samples)
            truth.append((at, at + len(samples) / RATE, ACTORS.index(actor) + 1))
            at = truth[-1][1] + 0.3
    final = diariser.finish()
    right = [speaker_during(final, start, end).speaker == who for start, end, who in truth]
    assert np.mean(right) >= 11 / 12
