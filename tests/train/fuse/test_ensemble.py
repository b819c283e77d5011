"""The evidence of an ensemble is the mean of its members'."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.train.fuse.ensemble import Ensemble
from moodal.train.fuse.train_branch import logits_of

WORDS = np.random.default_rng(7).normal(size=(4, 5))


@dataclass
class Member:
    """A branch of H states whose rows are drawn by its seed."""

    seed: int
    h: int
    fingerprint: str = "same"
    labels: tuple = ("anger", "fear", "joy", "neutral")
    length: float = 0.0
    train: np.ndarray = field(default_factory=lambda: np.arange(3))

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        self.maps = {
            "map": rng.normal(size=(self.h, 5)),
            "offset": rng.normal(size=5),
            "bias": rng.normal(size=self.h),
        }
        self.states = rng.normal(size=(10, self.h))
        self.digest = bytes([self.seed])
        self.stream = "speech"
        self.folder = "work"
        self.space = SimpleNamespace(vectors=WORDS, labels=self.labels)
        self.recipe = SimpleNamespace(space=SimpleNamespace(length=self.length))
        self.experiment = SimpleNamespace(
            manifest=SimpleNamespace(fingerprint=self.fingerprint), parts={"train": self.train}
        )

    def row_states(self, rows):
        return self.states[rows]

    def logits(self, states):
        return logits_of(states, self.maps, WORDS)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(0, 100))
def test_logits_are_the_mean_of_the_members(widths, seed):
    members = [Member(seed + i, h) for i, h in enumerate(widths)]
    rows = np.array([0, 3, 7])
    both = Ensemble(tuple(members))
    expected = np.mean([m.logits(m.row_states(rows)) for m in members], axis=0)
    states = both.row_states(rows)
    assert states.shape == (3, sum(widths))
    np.testing.assert_allclose(both.logits(states), expected, atol=1e-9)


def test_the_mean_of_logits_is_that_of_log_probabilities_but_for_a_constant():
    members = [Member(1, 3), Member(2, 6)]
    rows = np.arange(10)

    def log_probabilities(logits):
        return logits - np.logaddexp.reduce(logits, axis=1)[:, None]

    mean = np.mean([log_probabilities(m.logits(m.row_states(rows))) for m in members], axis=0)
    both = Ensemble(tuple(members))
    np.testing.assert_allclose(
        log_probabilities(both.logits(both.row_states(rows))), log_probabilities(mean), atol=1e-9
    )


def test_another_member_is_another_digest():
    first = Ensemble((Member(1, 3), Member(2, 3)))
    assert first.digest != Ensemble((Member(1, 3), Member(3, 3))).digest
