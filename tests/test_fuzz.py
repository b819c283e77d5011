"""Damaged files of every format are answered, or refused in a sentence (benchmarks/fuzz.py)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import fuzz

pytest.importorskip("onnx")
INPUTS = 60


@pytest.mark.parametrize("kind", fuzz.FORMATS)
def test_no_damage_ends_in_anything_but_an_answer_or_a_sentence(kind, capsys):
    args = argparse.Namespace(inputs=INPUTS, keep=None)
    counts = fuzz.fuzzed(kind, args, np.random.default_rng(7), 1)
    assert counts.total() == INPUTS
    assert set(counts) <= {"answered", "refused"}, capsys.readouterr().err


@pytest.mark.parametrize("kind", fuzz.FORMATS)
def test_the_files_are_read_before_they_are_damaged(kind, tmp_path):
    make, read = fuzz.FORMATS[kind]
    for path in make(tmp_path):
        read(path if kind != "artefacts" else path.rename(tmp_path / f"0-{path.name}"))
