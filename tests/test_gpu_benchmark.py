"""The CPU half of benchmarks/gpu.py: it trains every system, and says when trainings differ."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

PATH = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.fixture
def gpu(monkeypatch):
    spec = importlib.util.spec_from_file_location("gpu_benchmark", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["gpu.py", *words])
        module.main()

    module.run = run
    return module


def test_every_system_learns_the_same_twice(gpu, capsys):
    from moodal.train.systems import SYSTEMS

    assert set(gpu.SYSTEMS) == set(SYSTEMS)
    gpu.run("--device", "cpu")
    rows = re.findall(r"^(\w+) +loss ([\d.]+) to ([\d.]+)", capsys.readouterr().out, re.M)
    assert [name for name, _, _ in rows] == list(gpu.SYSTEMS)
    assert all(float(last) < float(first) for _, first, last in rows)


def test_a_difference_is_named(gpu, monkeypatch, capsys):
    train = gpu.trained

    def other(work, name, device, turn):
        losses, scores, seconds = train(work, name, device, turn)
        return [loss * (1 + 0.05 * turn) for loss in losses], scores, seconds

    monkeypatch.setattr(gpu, "trained", other)
    with pytest.raises(SystemExit, match="Different on cpu: rnn"):
        gpu.run("--device", "cpu", "--systems", "rnn")
    assert "DIFFERENT" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--systems", "rnn,lstm", "--device", "cpu"], "no system lstm"), ([], "no CUDA device")],
)
def test_what_cannot_be_is_one_sentence(gpu, words, message):
    import torch

    if "CUDA" in message and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(SystemExit, match=message):
        gpu.run(*words)
