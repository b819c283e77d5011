"""Measures of a sound: near the truth where it is known, finite everywhere."""

import warnings

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.modalities.speech.quality import flags, sound_quality

RNG = np.random.default_rng(5)
T = np.arange(16000 * 3) / 16000
# Syllables: four bursts of wide-band sound a second, as speech has them.
BURSTS = (0.1 * RNG.standard_normal(len(T)) * np.maximum(0, np.sin(2 * np.pi * 4 * T)) ** 2).astype(
    "f4"
)


def noisy(snr):
    noise = RNG.standard_normal(len(T)) * BURSTS.std() * 10 ** (-snr / 20)
    return (BURSTS + noise).astype("f4")


def test_noise_is_told_from_speech():
    told = [sound_quality(noisy(snr), 16000)["snr_db"] for snr in (0, 5, 10, 20)]
    assert told == pytest.approx([0, 5, 10, 20], abs=3)
    assert any("noisy (about" in f for f in flags(sound_quality(noisy(3), 16000)))
    assert flags(sound_quality(noisy(25), 16000)) == []


def test_clipping_is_told_and_a_loud_sound_is_not():
    peak = np.abs(BURSTS).max()
    assert sound_quality(BURSTS / peak, 16000)["clipping"] == 0
    assert sound_quality(np.sin(2 * np.pi * 200 * T), 16000)["clipping"] == 0
    square = np.sign(np.sin(2 * np.pi * 100 * T)).astype("f4")
    found = sound_quality(np.clip(4 * np.sin(2 * np.pi * 100 * T), -1, 1), 16000)
    want = 1 - 2 * np.arcsin(0.25) / np.pi
    assert found["clipping"] == pytest.approx(want, abs=0.05)
    assert sound_quality(square, 16000)["clipping"] > 0.9
    assert flags(found)[0].startswith(f"the sound is clipped ({100 * found['clipping']:.1f} %")


def test_level():
    assert sound_quality(np.full(16000, 0.1), 16000)["level_dbfs"] == pytest.approx(-20)
    assert any("very quiet" in f for f in flags(sound_quality(noisy(30) * 0.01, 16000)))
    assert flags(sound_quality(np.zeros(16000), 16000)) == ["silent"]


def test_the_telephone_is_told_from_wide_band():
    wide = noisy(25)
    narrow = soxr.resample(soxr.resample(wide, 16000, 7000), 7000, 16000)
    assert sound_quality(wide, 16000)["bandwidth_hz"] > 7500
    found = sound_quality(narrow, 16000)
    assert 3200 <= found["bandwidth_hz"] <= 3700
    assert any(f.startswith("telephone band (nothing above 3.") for f in flags(found))
    assert sound_quality(soxr.resample(wide, 16000, 8000), 8000)["bandwidth_hz"] <= 4000


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1, 1, width=32), max_size=900),
    st.sampled_from([8000, 16000, 48000]),
    st.sampled_from([0.0, 1e-20, 1.0]),
)
def test_any_sound_has_finite_measures_without_warnings(values, rate, gain):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sound_quality(np.array(values, np.float32) * np.float32(gain), rate)
        assert all(isinstance(f, str) for f in flags(found))
    assert set(found) == {"snr_db", "clipping", "level_dbfs", "bandwidth_hz", "seconds"}
    assert all(type(v) is float and np.isfinite(v) for v in found.values())
    assert 0 <= found["snr_db"] <= 60
    assert 0 <= found["clipping"] <= 1
    assert -100 <= found["level_dbfs"] <= 0.01
    assert 0 <= found["bandwidth_hz"] <= rate / 2


def test_a_short_clip_is_not_called_noisy_or_narrow():
    for n in (1, 160, 1600):
        assert flags(sound_quality(np.full(n, 0.3), 16000)) == []


def test_nan_counts_as_silence_and_channels_are_refused():
    assert sound_quality(np.full(9000, np.nan), 16000)["level_dbfs"] == -100
    with pytest.raises(DataError, match="one channel"):
        sound_quality(np.zeros((100, 2)), 16000)
