"""Mel spectrograms equal librosa's."""

from pathlib import Path

import numpy as np
import pytest

from moodal.modalities.speech.speakers.mel import BANDS, mel_spectrogram

REFERENCE = np.load(Path(__file__).with_name("reference.npz"))


def test_it_equals_that_of_librosa():
    """The reference is librosa 0.11's; the tolerance is relative to its largest value."""
    ours = mel_spectrogram(REFERENCE["samples"] / np.float32(32768))
    assert ours.shape == REFERENCE["mel"].shape == (101, BANDS)
    assert np.abs(ours - REFERENCE["mel"]).max() < 1e-5 * REFERENCE["mel"].max()


@pytest.mark.parametrize("count", [0, 1, 159, 160, 4001])
def test_there_is_a_frame_every_10_ms(count):
    assert mel_spectrogram(np.ones(count, np.float32)).shape == (1 + count // 160, BANDS)


def test_a_tone_lies_in_its_band():
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000).astype(np.float32)
    louder = mel_spectrogram(2 * tone)
    assert louder[10].argmax() == mel_spectrogram(tone)[10].argmax()
    np.testing.assert_allclose(louder, 4 * mel_spectrogram(tone), rtol=1e-4, atol=1e-6)
    centres = [mel_spectrogram(np.sin(tone_of(f)).astype(np.float32))[10].argmax() for f in TONES]
    assert centres == sorted(set(centres))


TONES = (200, 500, 1000, 2000, 4000)


def tone_of(hertz):
    return 2 * np.pi * hertz * np.arange(8000) / 16000
