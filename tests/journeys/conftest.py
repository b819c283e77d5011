"""Look-alikes made, read and prepared once, through the real command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moodal.cli.main import main

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def mosei(tmp_path_factory):
    """A folder with mosei/ (the files, and emotion vectors) and prepared/."""
    folder = tmp_path_factory.mktemp("mosei")
    main(["synthesise", "mosei", str(folder / "mosei"), "--utterances", "240", "--seed", "3"])
    main(["prepare", "mosei", str(folder / "mosei"), str(folder / "prepared")])
    return folder


@pytest.fixture(scope="session")
def iemocap(tmp_path_factory):
    """A folder with iemocap/ (4 and 9 classes), prepared/iemocap and prepared/iemocap9."""
    folder = tmp_path_factory.mktemp("iemocap")
    for corpus in ("iemocap", "iemocap9"):
        main(["synthesise", corpus, str(folder / "iemocap"), "--utterances", "240"])
        out = folder / "prepared" / corpus
        main(["prepare", corpus, str(folder / "iemocap"), str(out)])
    return folder


@pytest.fixture
def small(mosei):
    """Overrides that make any MOSEI recipe small enough for a test."""
    return [
        f"data.prepared={mosei / 'prepared'}",
        "train.epochs=2",
        "report.draws=20",
        "train.accelerator=cpu",
    ]


@pytest.fixture
def small_eea(small, mosei):
    """The same for EEA's recipes."""
    return [
        *small,
        f"space.vectors={mosei / 'mosei' / 'glove.emotions.840B.300d.pt'}",
        "system.hidden={text=300, speech=12, face=8}",
        "system.layers=1",
        "protocol.null_draws=20",
    ]


@pytest.fixture
def answer(capsys):
    """Run a command with --json and give what it printed."""

    def run(*words):
        capsys.readouterr()
        main([*map(str, words), "--json"])
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def fails(capsys):
    """Run a command that must fail: its exit code and its one sentence."""

    def run(*words):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, words)])
        said = capsys.readouterr().err.strip().splitlines()
        assert said, "a failure must say something"
        assert "Traceback" not in "\n".join(said)
        return caught.value.code, said[-1]

    return run


@pytest.fixture
def process():
    """Start a command as a process of its own."""

    def start(*words, cwd=None, module="moodal"):
        return subprocess.Popen(
            [sys.executable, "-m", module, *map(str, words)],
            cwd=cwd,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # a shell's background jobs, and so their tests, are deaf to Ctrl-C otherwise
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    return start
