"""Commands take hf:// where they take a folder, in processes as a user starts them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

ROOT = Path(__file__).parents[2]


def _loopback():
    path = ROOT / "tests" / "hub" / "loopback.py"
    spec = importlib.util.spec_from_file_location("loopback", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["loopback"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hub():
    with _loopback().running() as server:
        yield server


@pytest.fixture
def moodal(hub, tmp_path):
    """Run the command line with an empty cache; return exit code, output and errors."""
    cleared = ("HF_HUB_OFFLINE", "MOODAL_SET_HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN")
    environment = {k: v for k, v in os.environ.items() if k not in cleared} | {
        "HF_HOME": str(tmp_path / "home"),
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "hf_loopback",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }

    def run(*arguments, **changes):
        done = subprocess.run(
            [sys.executable, "-m", "moodal", *map(str, arguments)],
            env={**environment, **changes},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_push_predict_and_predict_without_a_network(moodal, hub, tiny_artefact, tmp_path):
    code, out, err = moodal("push", tiny_artefact, "anna/tiny", "--licence", "mit", "--json")
    assert (code, err) == (0, "")
    address = json.loads(out)["address"]
    asked = ("predict", "--text", "I am so happy", "--format", "json", "--artefact")
    code, first, err = moodal(*asked, address)
    assert (code, err) == (0, "")
    hub.requests.clear()
    code, again, _ = moodal(*asked, address, HF_ENDPOINT="http://127.0.0.1:9")
    assert code == 0
    assert again == first
    assert hub.requests == []


def test_an_address_without_a_revision_says_what_it_is_now(moodal, hub, tiny_artefact):
    files = {path.name: path.read_bytes() for path in Path(tiny_artefact).iterdir()}
    commit = hub.commit("anna/moving", files)
    code, out, err = moodal("inspect", "hf://anna/moving", "--json")
    assert code == 0
    assert json.loads(out)["kind"] == "artefact"
    assert err == (
        f"moodal: hf://anna/moving@main is now hf://anna/moving@{commit}; name that to get the "
        "same again.\n"
    )


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (("predict", "--text", "hi", "--artefact", "hf://anna/nothing"), 3, "has no repository"),
        (("predict", "--text", "hi", "--artefact", "hf://anna"), 2, "is no address of the hub"),
        (("evaluate", "hf://anna/nothing", "x", "--out", "y"), 3, "has no repository"),
        (("inspect", "hf://anna/nothing"), 3, "has no repository"),
        (("adapt", "hope", "x.wav", "--out", "y", "--artefact", "hf://a"), 2, "is no address"),
        (("serve", "--artefact", "hf://anna/nothing"), 3, "has no repository"),
        (("push", "nowhere", "anna/tiny"), 3, "nowhere is not an artefact"),
        (("push", "default", "tiny"), 2, "is no address of the hub"),
    ],
)
def test_faults_are_one_sentence(moodal, tmp_path, command, code, message):
    (tmp_path / "x.wav").write_bytes(b"")
    found, out, err = moodal(*command)
    assert found == code, err
    assert message in err
    assert err.count("\n") == 1
    assert out == ""
    assert not (tmp_path / "y").exists()
