"""The drawn waveform: bounded, and true to the extremes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.records import RATE
from moodal.media.envelope import DRAWN, Envelope

sizes = st.lists(st.integers(150, 30000), min_size=1, max_size=5)


def pieces(samples, sizes):
    """Cut samples into blocks of any size, one after the other."""
    at, i = 0, 0
    while at < len(samples):
        size = sizes[i % len(sizes)]
        yield samples[at : at + size]
        at, i = at + size, i + 1


@settings(deadline=None, max_examples=60)
@given(length=st.integers(0, 60000), sizes=sizes)
def test_an_envelope_holds_the_extremes(length, sizes):
    sound = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    envelope = Envelope()
    for samples in pieces(sound, sizes):
        envelope.add(samples)
    assert envelope.samples == length
    assert envelope.seconds == length / RATE
    if not length:
        assert envelope.drawn is None
        return
    drawn = envelope.drawn
    assert drawn.dtype == np.float32
    assert len(drawn) <= DRAWN
    assert (drawn[:, 0] <= drawn[:, 1]).all()
    assert drawn[:, 0].min() == sound.min()
    assert drawn[:, 1].max() == sound.max()
    assert envelope.peak == np.abs(sound).max()


def test_an_envelope_of_an_hour_is_as_large_as_of_a_minute():
    envelope = Envelope()
    block = np.zeros(30 * RATE, np.float32)
    for _ in range(120):
        envelope.add(block)
    assert envelope.seconds == 3600
    assert envelope.drawn.shape == (DRAWN, 2)


def test_a_single_loud_sample_is_drawn():
    envelope = Envelope()
    sound = np.zeros(RATE * 60, np.float32)
    sound[70000] = 0.9
    for samples in np.split(sound, 6):
        envelope.add(samples)
    assert envelope.seconds == 60
    assert envelope.drawn.shape == (4000, 2)
    assert envelope.peak == envelope.drawn.max() == np.float32(0.9)
    assert np.flatnonzero(envelope.drawn[:, 1]).tolist() == [70000 * 4000 // (60 * RATE)]
