"""Fixtures that the tests of several rooms share."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

DATA = Path(os.environ.get("MOODAL_DATA") or Path(__file__).parents[2] / "shared/data").resolve()
"""The folder of real corpora: MOODAL_DATA if it is set, else shared/data beside the checkout."""


@pytest.fixture
def speech(tmp_path):
    """Return a function that writes a WAV file of hum and noise: speech(name, seconds) -> path."""

    def make(name="clip.wav", seconds=1.5, rate=16000, seed=0):
        time = np.arange(round(seconds * rate)) / rate
        noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
        hum = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
        path = tmp_path / name
        soundfile.write(path, (0.1 * hum + noise).astype(np.float32), rate)
        return path

    return make


@pytest.fixture(scope="session")
def data_folder():
    """The folder of real corpora, which may be absent."""
    return DATA


@pytest.fixture(scope="session")
def real(data_folder):
    """Return a function that finds a path in `data_folder`, or skips the test without it."""

    def find(name):
        path = data_folder / name
        if not path.exists():
            pytest.skip(f"{path} is not there; MOODAL_DATA names the folder of real corpora")
        return path

    return find


@pytest.fixture(scope="session")
def made():
    """The module made_timelines: made.timeline(), made.text_timeline(), made.prediction()."""
    path = Path(__file__).with_name("made_timelines.py")
    spec = importlib.util.spec_from_file_location("made_timelines", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny():
    """The module tiny: tiny.write_tiny(folder) writes a small fused artefact."""
    pytest.importorskip("onnx")
    path = Path(__file__).with_name("tiny.py")
    spec = importlib.util.spec_from_file_location("tiny", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_artefact(tiny, tmp_path_factory):
    """The folder of a small fused artefact; not to be changed."""
    return tiny.write_tiny(tmp_path_factory.mktemp("tiny") / "artefact")


@pytest.fixture(scope="session")
def model(tiny_artefact):
    """The model of the small fused artefact."""
    import moodal

    return moodal.load(tiny_artefact, threads=1)


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
