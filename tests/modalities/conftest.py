import numpy as np
import pytest


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
