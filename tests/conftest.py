"""Fixtures that the tests of several rooms share."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, settings

# a busy machine makes inputs slowly, and no property is about time
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

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
    monkeypatch.setattr("moodal.modalities.speech.segment._IDLE", [])


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium that Playwright drives, with a fake microphone and camera.

    It is Debian's, or Playwright's own; where neither is there, the test is skipped. It ends with
    its module, for Playwright has an event loop in this thread, beside which no other can run.
    """
    api = pytest.importorskip("playwright.sync_api", reason="tests of pages need playwright")
    system = next(
        (p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(p).exists()), None
    )
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        except api.Error as error:
            first = str(error).strip().split("\n")[0]
            pytest.skip(f"there is no Chromium, which `make browser` installs ({first})")
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium):
    """Return a function that opens a page: new_page(width=1280, scheme="light") -> Page.

    A test fails if a script of a page fails, or if a page asks for anything but files, data and
    addresses of this machine.
    """
    contexts, faults = [], []

    def make(width=1280, scheme="light", **more):
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, **more
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"script: {error}"))
        page.on(
            "dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        page.on(
            "request",
            lambda request: faults.append(request.url) if not _is_near(request.url) else None,
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert not faults


def _is_near(url):
    return url.startswith(("file:", "data:", "blob:", "about:", "http://127.0.0.1:"))


@pytest.fixture(scope="session")
def serious_faults():
    """Return a function: the serious and critical faults of a page by axe-core."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def find(page):
        violations = axe.run(page).response["violations"]
        return [
            f"{v['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for v in violations
            if v["impact"] in ("serious", "critical")
            for node in v["nodes"]
        ]

    return find
