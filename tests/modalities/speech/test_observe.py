"""What is observed of the voice in an utterance, and which second its states belong to."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.records import RATE, Sound
from moodal.modalities.modality import Absent, Window
from moodal.modalities.speech.observe import ObservedSpeech, Speech
from moodal.modalities.speech.segment import PAD, STEP
from moodal.modalities.speech.spoken import Spoken

NOISE = np.random.default_rng(0).normal(0, 0.1, 40000).astype(np.float32)


def observe(samples, speech=None, **window):
    (observed,) = Speech().observe(Window(sound=Sound(samples, speech), **window))
    return observed


def test_seconds_of_speech_follow_each_other():
    observed = observe(NOISE, (0.0, 2.5), start=10.0, end=12.5)
    assert observed.quality["seconds"] == pytest.approx(2.5)
    division = observed.divide(125)
    assert [round(part.start, 2) for part in division.parts] == [10.0, 11.0, 12.0]
    assert [part.end for part in division.parts] == pytest.approx([11.0, 12.0, 12.5])
    assert division.places.tolist() == [0] * 50 + [1] * 50 + [2] * 25


@pytest.mark.parametrize("seconds", [0.05, 1.0, 2.0, 2.0000001, 20.0])
def test_a_second_is_whole_but_the_last(seconds):
    samples = np.zeros(round(seconds * RATE), np.float32)
    division = ObservedSpeech(Sound(samples), seconds=seconds).divide(1000)
    assert len(division.parts) == max(1, round(seconds))
    assert division.parts[-1].end == pytest.approx(seconds)
    assert all(part.start < part.end for part in division.parts)
    assert np.bincount(division.places).min() >= 1000 // len(division.parts) - 1


def test_without_states_there_is_nothing_to_divide():
    assert observe(NOISE).divide(0) is None


def test_a_state_of_the_whole_utterance_is_of_no_second():
    assert observe(NOISE, (0.0, 2.5)).divide(1) is None
    assert observe(NOISE, (0.0, 2.5)).divide(2) is None
    division = observe(NOISE, (0.0, 0.9)).divide(1)
    assert [(part.start, part.end) for part in division.parts] == [(0.0, pytest.approx(0.9))]


def test_what_is_heard_is_from_the_first_to_the_last_speech(ear):
    """Of a cue or a row, in which no detector has listened yet, as of a recording."""
    samples = np.zeros(5 * RATE, np.float32)
    samples[RATE : 2 * RATE] = samples[3 * RATE : 4 * RATE] = 0.5
    observed = observe(samples, start=7.0, end=12.0)
    assert observed.item.speech == pytest.approx((1 - PAD, 4 + PAD), abs=2 * STEP)
    assert observed.start == pytest.approx(8 - PAD, abs=2 * STEP)
    assert observed.seconds == pytest.approx(3 + 2 * PAD, abs=2 * STEP)
    np.testing.assert_array_equal(Spoken().encode(observed.item), Spoken().encode(samples))
    known = observe(samples, observed.item.speech, start=7.0, end=12.0)
    assert (known.start, known.seconds) == (observed.start, observed.seconds)
    assert known.quality == observed.quality


def test_what_keeps_a_voice_from_being_judged_is_said():
    assert Speech().observe(Window()) == Absent("no sound")
    silent = Window(sound=Sound(NOISE), spoken=False)
    assert Speech().observe(silent) == Absent("no speech")
    for samples in (NOISE[:300], np.zeros(16000, np.float32), NOISE[:0], NOISE * 1e-5):
        answer = Speech().observe(Window(sound=Sound(samples)))
        assert answer == Absent("too short or too quiet")


def test_noise_is_flagged():
    assert any("noisy" in flag for flag in observe(NOISE).flags)
