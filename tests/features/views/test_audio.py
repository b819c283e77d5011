import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import UsageError
from moodal.features.views.audio import (
    RATE,
    AudioChange,
    AudioRecipe,
    audio_view,
    band_limited,
    change_audio,
    draw_audio,
    echoed,
    noisy,
    stretched,
)

NEVER = AudioRecipe(speed_p=0, pitch_p=0, echo_p=0, noise_p=0, band_p=0, gain_p=0)


def voice(seconds=2.0, pitch=120.0, seed=0):
    """Hum with syllables and a little breath, [samples] float32."""
    time = np.arange(round(seconds * RATE)) / RATE
    hum = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 30))
    breath = np.random.default_rng(seed).normal(0, 0.03, len(time))
    return (0.15 * hum * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)) + breath).astype(np.float32)


def generator(seed=0):
    return np.random.default_rng(seed)


def decibels(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def power(samples, low, high):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE)
    return spectrum[(frequency >= low) & (frequency < high)].sum()


def fundamental(samples):
    """Hz, by the autocorrelation's highest peak between 70 and 300 Hz."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4].astype(np.float64)
    spectrum = np.fft.rfft(middle, 2 * len(middle))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)
    lags = np.arange(RATE // 300, RATE // 70)
    return RATE / lags[correlation[lags].argmax()]


def test_a_view_is_the_same_for_the_same_seed_number_and_samples():
    one = audio_view(voice(), 3, 1)
    audio_view(voice(seed=5), 8, 2)
    np.random.seed(0)  # noqa: NPY002 -- what others do to numpy's own state must not matter
    np.testing.assert_array_equal(one, audio_view(voice(), 3, 1))


@pytest.mark.parametrize(("seed", "number", "sound"), [(4, 1, 0), (3, 2, 0), (3, 1, 9)])
def test_another_seed_number_or_sound_makes_another_view(seed, number, sound):
    one, other = audio_view(voice(), 3, 1), audio_view(voice(seed=sound), seed, number)
    assert one.shape != other.shape or not np.allclose(one, other, atol=1e-3)


def test_another_process_makes_the_same():
    script = (
        "import sys, numpy as np; from moodal.features.views.audio import audio_view;"
        "x = np.sin(np.arange(16000) / 9).astype('f4');"
        "sys.stdout.buffer.write(b''.join(audio_view(x, 5, i).tobytes() for i in range(3)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    x = np.sin(np.arange(16000) / 9).astype(np.float32)
    assert output == b"".join(audio_view(x, 5, i).tobytes() for i in range(3))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 24000),
    st.integers(0, 10**6),
    st.sampled_from(["voice", "noise", "click", "square", "constant", "quiet", "silent"]),
)
def test_whatever_comes_in_a_sound_of_about_its_length_comes_out(n, seed, kind):
    sounds = {
        "voice": voice(1.5)[:n],
        "noise": generator(seed).uniform(-1, 1, n),
        "click": np.eye(1, n, n // 2)[0],
        "square": np.sign(np.sin(np.arange(n) / 7 + 0.1)),
        "constant": np.full(n, 0.5),
        "quiet": 1e-5 * generator(seed).normal(size=n),
        "silent": np.zeros(n),
    }
    samples = sounds[kind].astype(np.float32)
    before = samples.copy()
    changed = audio_view(samples, seed, 0)
    np.testing.assert_array_equal(samples, before)
    assert changed.dtype == np.float32
    assert changed.ndim == 1
    assert np.isfinite(changed).all()
    assert np.abs(changed).max(initial=0) <= 1
    assert 0.8 * n <= len(changed) <= max(1.25 * n, n)
    assert changed.any() == samples.any()


def test_a_view_is_always_another_sound():
    samples = voice()
    for number in range(40):
        change = draw_audio(AudioRecipe(), generator(number))
        assert replace(change, gain=0.0) != AudioChange()
        changed = change_audio(samples, change, generator())
        assert len(changed) != len(samples) or np.abs(changed - samples).max() > 1e-3


def test_each_change_is_drawn_about_as_often_as_asked_and_within_its_bounds():
    recipe = AudioRecipe()
    drawn = [draw_audio(recipe, generator(seed)) for seed in range(2000)]
    for name in ("speed", "pitch", "echo", "noise", "band", "gain"):
        values = [getattr(d, name) for d in drawn if getattr(d, name) != getattr(AudioChange, name)]
        share = getattr(recipe, f"{name}_p")
        assert share - 0.04 < len(values) / 2000 < share + 0.06  # at least one is always drawn
        low, high = getattr(recipe, name, (0, 8000))
        first = np.array([v[0] if isinstance(v, tuple) else v for v in values])
        assert low <= first.min() < first.max() <= high
    assert draw_audio(replace(NEVER, noise_p=1e-9), generator()).noise is not None
    assert draw_audio(NEVER, generator()).noise is not None


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1])
@pytest.mark.parametrize("semitones", [-2.0, 0.0, 2.0])
def test_pitch_and_speed_change_independently(speed, semitones):
    changed = stretched(voice(), speed, semitones)
    assert len(changed) == pytest.approx(2 * RATE / speed, abs=1)
    assert fundamental(changed) == pytest.approx(120 * 2 ** (semitones / 12), rel=0.015)
    # four syllables a second become as many more
    level = np.abs(changed[: len(changed) // 160 * 160]).reshape(-1, 160).mean(1)
    spectrum = np.abs(np.fft.rfft(level - level.mean(), 8000))
    assert np.fft.rfftfreq(8000, 0.01)[spectrum.argmax()] == pytest.approx(4 * speed, rel=0.06)


def test_speech_stays_where_it_was_in_time():
    samples = np.zeros(RATE, np.float32)
    samples[8000:8400] = voice(0.025)
    changed = stretched(samples, 1.1, 1.0)
    centre = (np.arange(len(changed)) * changed**2).sum() / (changed**2).sum()
    assert centre == pytest.approx(8200 / 1.1, abs=0.02 * RATE)


def test_clips_below_a_quarter_second_keep_speed_and_pitch():
    short = voice(0.2)
    np.testing.assert_array_equal(stretched(short, 1.1, 2.0), short)


@pytest.mark.parametrize("ratio", [10.0, 20.0, 30.0])
@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
def test_noise_is_as_far_below_as_drawn_and_has_its_colour(ratio, colour):
    clean = voice()
    noise = noisy(clean, ratio, colour, generator()) - clean
    assert decibels(clean) - decibels(noise) == pytest.approx(ratio, abs=0.05)
    # power per octave of frequency falls by 3 dB times colour
    low, high = power(noise, 500, 600) / 100, power(noise, 4000, 4800) / 800
    assert 10 * np.log10(low / high) == pytest.approx(9.03 * colour, abs=2.5)


def test_a_low_pass_takes_the_highs_and_leaves_the_rest():
    flat = generator().normal(0, 0.1, 4 * RATE).astype(np.float32)
    changed = band_limited(flat, 0, 3000)
    assert power(changed, 6000, 8000) < 1e-4 * power(flat, 6000, 8000)
    assert power(changed, 50, 2000) == pytest.approx(power(flat, 50, 2000), rel=0.02)


def test_a_telephone_takes_the_lows_too():
    flat = generator().normal(0, 0.1, 4 * RATE).astype(np.float32)
    changed = band_limited(flat, 300, 3400)
    assert power(changed, 0, 150) < 1e-4 * power(flat, 0, 150)
    assert power(changed, 6800, 8000) < 1e-4 * power(flat, 6800, 8000)
    assert power(changed, 500, 2500) == pytest.approx(power(flat, 500, 2500), rel=0.02)


@pytest.mark.parametrize("seconds", [0.2, 0.5, 0.8])
def test_an_echo_falls_by_sixty_decibels_in_the_time_drawn(seconds):
    click = np.zeros(2 * RATE, np.float32)
    click[100] = 1
    changed = echoed(click, seconds, 5.0, generator())[100:]
    assert changed.argmax() == 0
    direct, tail = changed[:1], changed[1:]
    ratio = 10 * np.log10((direct**2).sum() / (tail**2).sum())
    assert ratio == pytest.approx(5, abs=0.1)
    left = 10 * np.log10(np.cumsum(tail[::-1].astype(np.float64) ** 2)[::-1] + 1e-30)
    start, end = (np.argmax(left < left[0] - fall) for fall in (5, 25))
    assert 3 * (end - start) / RATE == pytest.approx(seconds, rel=0.15)


def test_an_echo_keeps_length_and_level():
    changed = echoed(voice(), 0.6, 3.0, generator())
    assert len(changed) == 2 * RATE
    assert decibels(changed) == pytest.approx(decibels(voice()), abs=0.01)


def test_gain_is_in_decibels_and_never_clips():
    quiet = 0.1 * voice()
    louder = change_audio(quiet, AudioChange(gain=6.0), generator())
    assert decibels(louder) - decibels(quiet) == pytest.approx(6, abs=0.01)
    loud = voice() / np.abs(voice()).max()
    same = change_audio(loud, AudioChange(gain=6.0), generator())
    np.testing.assert_allclose(same, loud, atol=1e-6)


def test_a_hum_outside_the_band_does_not_become_silence():
    hum = np.full(RATE, 0.4, np.float32)
    changed = change_audio(hum, AudioChange(band=(300.0, 3400.0)), generator())
    assert decibels(changed) > decibels(hum) - 6


@pytest.mark.parametrize("wrong", [{"speed": (0.5, 1.1)}, {"speed": (1.2, 0.9)}, {"echo": (0, 1)}])
def test_bounds_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError):
        AudioRecipe(**wrong)
