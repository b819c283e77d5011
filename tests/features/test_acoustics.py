"""Tests of moodal.features.acoustics: what copies of a sound share, and others do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.acoustics import MEASURES
from moodal.core.records import RATE
from moodal.features.acoustics import SoundMeasures, measured


def speech_like(seed, seconds=1.5):
    """A sound whose bands come and go."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(t))
    for _ in range(12):
        at, wide = rng.uniform(0.1, seconds - 0.1), rng.uniform(0.04, 0.2)
        pitch = rng.uniform(150, 3000)
        sound += np.exp(-(((t - at) / wide) ** 2)) * np.sin(2 * np.pi * pitch * t)
    return (0.2 * sound).astype(np.float32)


def measures(samples):
    return dict(zip(MEASURES, measured(samples).tolist(), strict=False))


def alike(a, b):
    return float(measured(a)[len(MEASURES) :] @ measured(b)[len(MEASURES) :])


def test_measures_of_a_tone_between_silence():
    t = np.arange(RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 1000 * t).astype(np.float32)
    own = measures(np.concatenate([np.zeros(RATE // 2), tone, np.zeros(RATE // 4)]))
    assert own["seconds"] == pytest.approx(1.75)
    assert own["peak"] == pytest.approx(0.5, abs=1e-3)
    assert own["level"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.3)
    assert own["floor"] == pytest.approx(-100)
    assert own["band"] == pytest.approx(1000, abs=80)
    assert own["before"] == pytest.approx(0.5, abs=0.04)
    assert own["after"] == pytest.approx(0.25, abs=0.04)


@given(st.floats(0.01, 1.0), st.integers(0, 8000), st.integers(0, 8000), st.integers(0, 20))
def test_a_copy_at_another_level_between_silence_is_the_same(gain, before, after, seed):
    sound = speech_like(seed)
    copy = np.pad(gain * sound, (before, after))
    assert alike(sound, copy) > 0.97


def test_other_sounds_are_not_alike():
    sounds = [speech_like(seed) for seed in range(12)]
    others = [alike(a, b) for i, a in enumerate(sounds) for b in sounds[:i]]
    assert max(others) < 0.9


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(5), np.zeros(RATE), np.ones(3)])
def test_silence_and_short_sounds_have_finite_measures(samples):
    own = SoundMeasures().encode(samples.astype(np.float32))
    assert own.shape == (1, SoundMeasures.width)
    assert np.isfinite(own).all()
    assert own[0, 0] == pytest.approx(len(samples) / RATE)
