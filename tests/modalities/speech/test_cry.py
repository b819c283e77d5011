"""Cries: found where a lower pitch makes them voices, and only in what is short and loud."""

from __future__ import annotations

import numpy as np
import pytest

from moodal.core.records import RATE, Sound
from moodal.modalities.modality import Window
from moodal.modalities.speech import cry
from moodal.modalities.speech.cry import LONGEST, LOUD, CryFinder, cry_extent
from moodal.modalities.speech.observe import CRY, Speech
from moodal.modalities.speech.segment import PAD, STEP, speech_spans
from moodal.modalities.speech.spoken import Spoken, spoken, voice_extent

TIME = np.arange(3 * RATE) / RATE


def harmonics(pitch, count=10, wave=0.0):
    """A tone with overtones, whose pitch may swing 5.5 times a second."""
    phase = 2 * np.pi * np.cumsum(pitch * (1 + wave * np.sin(11 * np.pi * TIME))) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, count + 1))


def noise(seed=0):
    return np.random.default_rng(seed).normal(0, 1, len(TIME))


def claps():
    sound = np.zeros(len(TIME))
    for start in range(0, len(TIME) - 2000, 6400):
        sound[start : start + 1600] = noise()[:1600] * np.exp(-np.arange(1600) / 200)
    return sound


SOUNDS = {
    "noise": noise(),
    "beating noise": noise() * (1 + np.sin(8 * np.pi * TIME)),
    "clicks": (np.arange(len(TIME)) % 8000 == 0).astype(float),
    "claps": claps(),
    "a tone": np.sin(2 * np.pi * 440 * TIME),
    "a high tone": np.sin(2 * np.pi * 1000 * TIME),
    "a chord": harmonics(262.0) + harmonics(330.0) + harmonics(392.0),
    "a violin": harmonics(660.0, wave=0.01),
    "a siren": harmonics(800 + 300 * np.sin(1.4 * np.pi * TIME), 6),
    "an alarm": np.sign(np.sin(4000 * np.pi * TIME)) * (np.sin(4 * np.pi * TIME) > 0),
    "an engine": harmonics(80 + 20 * np.sin(0.6 * np.pi * TIME), 30),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_noise_music_and_machines_are_no_cries(name):
    sound = SOUNDS[name]
    samples = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
    assert cry_extent(samples) is None


@pytest.fixture
def low_ear(monkeypatch):
    """Hear speech from second 0.5 to 1.5 of the recording, but only where it is played slower."""

    def spans(blocks, **_):
        [(_, samples)] = blocks
        factor = len(samples) / low_ear.count
        return [cry.Span(0.5 * factor, 1.5 * factor)] if factor > 1.2 else []

    low_ear.count = 2 * RATE
    monkeypatch.setattr(cry, "speech_spans", spans)
    monkeypatch.setattr("moodal.modalities.speech.spoken.speech_spans", spans)
    return low_ear


def scream(seconds=2.0, level=0.2, ear=None):
    """Sound that is loud from second 0.5 to 1.5."""
    samples = np.full(round(seconds * RATE), level, np.float32)
    samples[: RATE // 2] = samples[3 * RATE // 2 :] = level / 100
    if ear is not None:
        ear.count = len(samples)
    return samples


def test_a_cry_is_what_is_a_voice_at_a_lower_pitch(low_ear):
    extent = cry_extent(scream())
    assert (extent.start, extent.end) == pytest.approx((0.5 - PAD, 1.5 + PAD), abs=STEP)


def test_what_is_long_or_quiet_is_none(low_ear):
    assert cry_extent(scream(LONGEST, ear=low_ear)) is not None
    assert cry_extent(scream(LONGEST + 0.1, ear=low_ear)) is None
    assert cry_extent(scream(level=LOUD * 0.99, ear=low_ear)) is None
    assert cry_extent(np.zeros(0, np.float32)) is None


def test_training_evaluation_and_prediction_hear_the_same_part_of_a_cry(low_ear):
    samples = scream()
    (first, last), is_cry = voice_extent(samples)
    assert is_cry
    assert (first, last) == pytest.approx((0.5 - PAD, 1.5 + PAD), abs=STEP)
    np.testing.assert_array_equal(spoken(samples), Spoken().encode(samples)[:, 0])
    (observed,) = Speech().observe(Window(sound=Sound(samples)))
    assert observed.flags[0] == CRY
    np.testing.assert_array_equal(Spoken().encode(observed.item), Spoken().encode(samples))
    (given,) = Speech().observe(Window(sound=Sound(samples, (first, last), cry=True)))
    assert (given.item.speech, given.flags) == (observed.item.speech, observed.flags)


def test_speech_is_no_cry(ear):
    samples = np.full(2 * RATE, 0.5, np.float32)
    assert speech_spans([(0.0, samples)])
    assert voice_extent(samples)[1] is False
    (observed,) = Speech().observe(Window(sound=Sound(samples)))
    assert CRY not in observed.flags


def test_a_streamed_recording_may_be_a_cry_until_it_is_too_long(low_ear):
    finder = CryFinder()
    for second in range(2):
        finder.hear(second, scream()[second * RATE : (second + 1) * RATE])
        assert finder.possible
    assert finder.finish() == cry_extent(scream())
    assert not finder.possible
    finder = CryFinder()
    for second in range(9):
        finder.hear(second, scream(1.0))
        assert finder.possible == (second < LONGEST)
    assert finder.finish() is None


def test_a_gap_in_the_sound_ends_a_possible_cry():
    finder = CryFinder()
    finder.hear(0.0, scream(1.0))
    finder.hear(1.5, scream(1.0))
    assert not finder.possible
