import numpy as np
import pytest
import soundfile


@pytest.fixture
def speech(tmp_path):
    """A maker of WAV files of hum and noise: speech(name, seconds) -> path."""

    def make(name="clip.wav", seconds=1.5, rate=16000, seed=0):
        time = np.arange(round(seconds * rate)) / rate
        noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
        hum = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
        path = tmp_path / name
        soundfile.write(path, (0.1 * hum + noise).astype(np.float32), rate)
        return path

    return make


@pytest.fixture(scope="session")
def simple_ear():
    """A class instead of the detector of speech: what is louder than 0.3 is speech."""

    class Ear:
        def reset(self):
            pass

        def process_samples(self, samples):
            return float(np.abs(samples).max() > 0.3)

    return Ear


@pytest.fixture
def ear(monkeypatch, simple_ear):
    """Speech is found by `simple_ear`."""
    monkeypatch.setattr("moodal.modalities.speech.segment._detector", simple_ear)
