"""Channels that cancel, are empty or have an offset become one channel without loss."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.media.audio import read_audio
from moodal.media.blocks import array_blocks, blocks, live_blocks
from moodal.media.downmix import Downmix, Offset

RATE = 16000


def voice(seconds=3.0, seed=0):
    """Return noise with pauses, as loud as speech: [n]."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    loud = np.repeat(rng.random(n // 4000 + 1) > 0.3, 4000)[:n]
    return (rng.normal(0, 0.05, n) * loud).astype(np.float32)


def mix(samples):
    downmix = Downmix()
    return np.concatenate([x for _, x in downmix.mixed([(RATE, samples)])]), downmix.notes


def rms(samples):
    return np.sqrt(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize("other", [-1.0, -0.98, -0.5])
def test_opposite_phase_is_turned(other):
    x = voice()
    mixed, notes = mix(np.stack([x, other * x], 1))
    assert rms(mixed) == pytest.approx(rms(x) * (1 + abs(other)) / 2, rel=1e-3)
    assert notes == ["channels of opposite phase were turned before they were averaged"]


@pytest.mark.parametrize("count", [2, 6, 8])
def test_empty_channels_do_not_dilute(count):
    x = voice()
    samples = np.zeros((len(x), count), np.float32)
    samples[:, count // 2] = x
    mixed, notes = mix(samples)
    np.testing.assert_allclose(mixed, x, atol=1e-7)
    assert notes == []


def test_different_channels_are_averaged_and_silence_is_silence():
    x, y = voice(seed=1) + 0.01, voice(seed=2) - 0.02
    np.testing.assert_allclose(mix(np.stack([x, y], 1))[0], (x + y) / 2, atol=1e-7)
    assert not mix(np.zeros((5000, 3), np.float32))[0].any()


def test_a_channel_that_comes_later_counts_from_then_on():
    x = voice(4.0)
    late = np.where(np.arange(len(x)) < 2 * RATE, 0, x).astype(np.float32)
    mixed, _ = mix(np.stack([x, late], 1))
    np.testing.assert_allclose(mixed, x, atol=1e-6)


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=8), st.integers(2, 4))
def test_samples_do_not_depend_on_the_pieces(sizes, channels):
    x = voice(2.0)
    samples = np.stack([x * (-1) ** c / (c + 1) for c in range(channels)], 1)
    whole, _ = mix(samples)
    cuts = np.minimum(np.cumsum(sizes), len(samples))
    pieces = [(RATE, part) for part in np.split(samples, cuts) if len(part)]
    np.testing.assert_array_equal(
        np.concatenate([part for _, part in Downmix().mixed(pieces)]), whole
    )


@pytest.mark.parametrize("offset", [0.5, 0.02, -0.1])
def test_an_offset_is_removed_and_named(offset):
    x, mend = voice(), Offset()
    parts = [(RATE, part) for part in np.split(x + np.float32(offset), 6)]
    out = np.concatenate([part for _, part in mend.removed(parts)])
    np.testing.assert_allclose(out, x, atol=2e-3)
    assert mend.notes == [f"a constant offset of {offset:.3f} of full scale was removed"]


@given(st.integers(0, 50), st.floats(0.1, 4), st.floats(0.01, 0.3))
def test_sound_without_an_offset_stays_as_it_is(seed, seconds, level):
    x = voice(seconds, seed) * np.float32(level / 0.05)
    mend = Offset()
    np.testing.assert_array_equal(
        np.concatenate([part for _, part in mend.removed([(RATE, x)])]), x
    )
    assert mend.notes == []


def test_a_low_hum_is_no_offset():
    x = (0.3 * np.sin(2 * np.pi * 13 * np.arange(3 * RATE) / RATE)).astype(np.float32)
    mend = Offset()
    assert list(mend.removed([(RATE, x)]))
    assert mend.notes == []


@pytest.mark.parametrize("ending", ["wav", "caf", "aiff", "w64"])
def test_float_files_and_arrays_beyond_full_scale_are_scaled(tmp_path, ending):
    x = voice() * 20  # peaks of about 4
    path = tmp_path / f"loud.{ending}"
    soundfile.write(path, x, RATE, subtype="FLOAT")
    notes = []
    of_file = np.concatenate([b.samples for b in blocks(path, on_damage=notes.append)])
    np.testing.assert_allclose(of_file, x / np.abs(x).max(), atol=1e-6)
    assert [f"{np.abs(x).max():.2f} of full scale" in note for note in notes] == [True]
    of_array = np.concatenate([b.samples for b in array_blocks(x, RATE)])
    np.testing.assert_array_equal(of_array, of_file)
    np.testing.assert_array_equal(read_audio(path, start=1, end=2), of_file[RATE : 2 * RATE])


def test_integers_that_were_stored_as_floats_are_refused(tmp_path):
    x = voice() * 32768
    soundfile.write(tmp_path / "x.wav", x, RATE, subtype="DOUBLE")
    for read in (
        lambda: list(blocks(tmp_path / "x.wav")),
        lambda: read_audio(tmp_path / "x.wav"),
        lambda: list(array_blocks(x, RATE)),
        lambda: list(live_blocks([x], RATE)),
    ):
        with pytest.raises(DataError, match="divide 16-bit values by 32768"):
            read()


def test_a_file_an_array_and_a_stream_give_the_same(tmp_path):
    x = voice()
    stereo = np.stack([x, -0.9 * x], 1)
    soundfile.write(tmp_path / "x.wav", stereo, RATE, subtype="FLOAT")
    want = read_audio(tmp_path / "x.wav")
    for pieces in (
        blocks(tmp_path / "x.wav", seconds=0.7),
        array_blocks(stereo, RATE),
        live_blocks(np.array_split(stereo, 37), RATE),
    ):
        np.testing.assert_array_equal(np.concatenate([b.samples for b in pieces]), want)
