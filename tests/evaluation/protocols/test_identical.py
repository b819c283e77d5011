"""Bitwise equal rows are found without hashing all rows."""

from __future__ import annotations

import gc
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.records import Frames
from moodal.evaluation.protocols import identical


def _plain(frames):
    """Every row hashed whole: what the short way must agree with."""
    keys = [
        None if not x.size or (x == x.flat[0]).all() else hashlib.sha256(x.tobytes()).digest()
        for x in frames
    ]
    return {
        (i, j)
        for i, a in enumerate(keys)
        for j, b in enumerate(keys)
        if i < j and a is not None and (len(frames[i]), a) == (len(frames[j]), b)
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=12), st.integers(0, 99), st.booleans())
def test_it_finds_what_hashing_every_row_finds(lengths, seed, half):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2, (40, 3)).astype(np.float16 if half else np.float32)
    rows = [base[:n].copy() for n in lengths]  # of one length: the same
    for row in rows[::3]:
        if len(row):
            row[rng.integers(len(row)), 0] += 1  # one value differs somewhere
    frames = Frames.from_list(rows)
    found = identical.digests(frames)
    pairs = {
        (i, j)
        for i, a in enumerate(found)
        for j, b in enumerate(found)
        if i < j and a is not None and a == b
    }
    assert pairs == _plain(frames)


def test_rows_are_looked_at_once_for_all_folds(monkeypatch):
    calls = []
    real = identical._digests
    monkeypatch.setattr(identical, "_digests", lambda frames: calls.append(1) or real(frames))
    frames = Frames.from_list([np.ones((3, 2)), np.arange(6).reshape(3, 2)] * 2)
    first = identical.digests(frames)
    assert identical.digests(frames) is first
    assert (len(calls), first[0], first[1] == first[3] is not None) == (1, None, True)
    known = len(identical._known)
    del frames, first
    gc.collect()
    assert len(identical._known) == known - 1  # and forgotten with the corpus


@pytest.mark.parametrize("rows", [2000])
def test_long_rows_cost_a_look(rows, monkeypatch):
    values = np.random.default_rng(0).normal(size=(rows * 50, 8)).astype(np.float32)
    monkeypatch.setattr(identical.hashlib, "blake2b", None)  # nothing is hashed where none agree
    assert set(identical.digests(Frames(values, np.full(rows, 50)))) == {None}
