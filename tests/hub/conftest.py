"""A hub on the loopback interface, an empty cache, and an artefact to send."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

SPEC = importlib.util.spec_from_file_location("loopback", Path(__file__).with_name("loopback.py"))
loopback = importlib.util.module_from_spec(SPEC)


@pytest.fixture(scope="session", autouse=True)
def _loopback_module():
    import sys

    sys.modules["loopback"] = loopback
    SPEC.loader.exec_module(loopback)
    yield
    del sys.modules["loopback"]


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """An empty cache, and the variables of a user who set nothing."""
    from huggingface_hub import constants

    from moodal.core.offline import BY_MOODAL, OFFLINE

    monkeypatch.setenv(OFFLINE, "1")
    monkeypatch.setenv(BY_MOODAL, "1")
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")
    cache = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return cache


@pytest.fixture
def hub(empty_cache, monkeypatch):
    """A running hub without repositories."""
    with loopback.running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture
def published(hub, tiny_artefact):
    """A hub that has the small artefact as anna/tiny, tagged v1."""
    files = {path.name: path.read_bytes() for path in Path(tiny_artefact).iterdir()}
    hub.first = hub.commit("anna/tiny", files, "v1")
    return hub
