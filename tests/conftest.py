"""Fixtures of the wing that is used."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


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
def predictor(tiny_artefact):
    """What is loaded from it."""
    from moodal.model.predictor import load

    return load(tiny_artefact, threads=1)
