"""A kept branch: its words keep their logits under other vectors, and its rows do not test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.emotions import EmotionSpace
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.evaluation.protocols.experiment import Experiment
from moodal.model.artefact import hashes, marks
from moodal.train.fuse.kept_branch import as_trained, carried
from moodal.train.fuse.train_branch import logits_of


@given(st.integers(1, 6), st.integers(0, 99))
def test_learned_words_keep_their_logits(words, seed):
    rng = np.random.default_rng(seed)
    maps = {
        "map": rng.normal(size=(5, 8)),
        "offset": rng.normal(size=8),
        "bias": rng.normal(size=5),
    }
    old, new = rng.normal(size=(words, 8)), rng.normal(size=(words, 11))
    states = rng.normal(size=(7, 5))
    before = logits_of(states, maps, old)
    after = logits_of(states, carried(maps, old, new), new)
    np.testing.assert_allclose(after, before, atol=1e-8)


def test_a_new_word_is_scored_by_its_likeness():
    maps = {"map": np.eye(2), "offset": np.zeros(2), "bias": np.zeros(2)}
    old = np.eye(2)
    new = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    across = carried(maps, old, new)
    alike, other = np.array([[0.9, 0.1, 0.4]]), np.array([[0.0, 0.0, 1.0]])
    states = np.array([[2.0, 0.0]])
    assert logits_of(states, across, alike)[0, 0] == pytest.approx(1.8)
    assert logits_of(states, across, other)[0, 0] == pytest.approx(0.0)


def divided(lines, train, valid, test):
    """Return an experiment of rows of a corpus; a row's line is None where it has none."""
    extra = [{} if line is None else {"line": line} for line in lines]
    rows = tuple(Utterance(str(i), media={"text": "t"}, extra=e) for i, e in enumerate(extra))
    space = EmotionSpace(("anger", "joy"), "multi")
    manifest = Manifest("films", space, rows, np.ones((len(lines), 2), np.float32), {})
    sides = [np.array(side, int) for side in (train, valid, test)]
    return Experiment("official", manifest, *sides, seen=space.labels)


def marks_of(*rows):
    return marks([("films", str(row)) for row in rows])


def test_rows_that_trained_elsewhere_train_here_and_their_lines_test_nowhere():
    experiment = divided(list("aabbccdde"), [0, 1, 2], [3], [4, 5, 6, 7, 8])
    assert as_trained(experiment, marks_of(0, 1, 2, 3)) is experiment
    # on another processor, row 6 was not said by line d, and trained; row 2 was left out
    other = as_trained(experiment, marks_of(0, 1, 3, 6))
    assert other.train.tolist() == [0, 1, 3, 6]
    left = [4, 5, 8]  # of the lines c and e; some of them validate
    assert sorted([*other.valid, *other.test]) == left
    sides = [row in other.valid for row in left]
    assert sides == [h % 2 == 1 for h in hashes(["c", "c", "e"])]


def test_another_corpus_is_told():
    without = divided([None] * 4, [0, 1], [2], [3])
    assert as_trained(without, marks_of(0, 1, 2)) is without
    assert as_trained(without, marks_of(0, 1, 3)) is None
    lines = divided(list("abcd"), [0, 1], [2], [3])
    assert as_trained(lines, marks_of(0, 1, 2, 77)) is None
    many = divided([str(i) for i in range(300)], range(200), [], range(200, 300))
    assert len(as_trained(many, marks_of(*range(200), 301)).train) == 200
