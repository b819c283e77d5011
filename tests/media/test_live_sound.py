"""Live samples give the sound that an array gives, in blocks of any length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError, UsageError
from moodal.media.blocks import array_blocks
from moodal.media.live_sound import CHUNK, LiveSound

SOUND = np.random.default_rng(0).normal(0.05, 0.2, (50_000, 2)).clip(-1, 1).astype(np.float32)


def heard(sound, sizes, **options):
    """The sound that a session hears in blocks of these sizes, again and again."""
    live, pieces, at = LiveSound(**options), [], 0
    while at < len(sound):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(live.take(sound[at : at + size]))
        assert len(pieces[-1]) % CHUNK == 0
        at += size
    return np.concatenate([*pieces, live.finish()]), live.damages


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 20_000), min_size=1, max_size=3).filter(lambda s: sum(s) > 300),
    st.sampled_from([8000, 16000, 48000]),
    st.sampled_from([1, 2]),
)
def test_blocks_of_any_size_give_the_sound_of_the_array(sizes, rate, channels):
    sound = SOUND[:, :channels]
    whole = np.concatenate([block.samples for block in array_blocks(sound, rate)])
    live, damages = heard(sound, sizes, rate=rate, channels=channels)
    np.testing.assert_allclose(live, whole, atol=1e-6)
    assert "constant offset of 0.05" in damages[0]


def test_whole_numbers_are_scaled_and_excess_is_clipped():
    live = LiveSound(16000)
    live.take(np.full(5000, -32768, np.int16))
    live.take(np.zeros(40_000, np.int16))
    assert live.finish().shape == (45_000 % CHUNK,)
    loud, _ = heard(np.sin(np.arange(5000)).astype(np.float32) * 3, [700], rate=16000)
    assert np.abs(loud).max() == 1


def test_what_is_no_number_is_silence_and_is_told():
    sound = np.sin(np.arange(5000)).astype(np.float32)
    sound[100:110] = np.nan
    out, damages = heard(sound, [700], rate=16000)
    assert not out[100:110].any()
    assert damages == ["10 samples are NaN or infinite, taken as silence"]


@pytest.mark.parametrize("rate", [0, 3999, 10**7, 16000.5, float("nan"), True, None, "16000"])
def test_a_rate_is_a_number_of_samples(rate):
    with pytest.raises(UsageError, match="rate is the number"):
        LiveSound(rate)


@pytest.mark.parametrize("channels", [0, 65, True, 1.5])
def test_channels_are_counted(channels):
    with pytest.raises(UsageError, match="channels are"):
        LiveSound(16000, channels)


@pytest.mark.parametrize("samples", [np.zeros(4), np.zeros((4, 3)), np.zeros((2, 4))])
def test_samples_have_the_channels_that_were_said(samples):
    with pytest.raises(DataError, match=r"are \[n, 2\], since it has 2 channels; got"):
        LiveSound(16000, 2).take(samples)
