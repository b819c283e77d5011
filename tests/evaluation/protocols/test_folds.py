"""Official splits beside corpora that have none, and rows that do not say everything."""

import numpy as np
import pytest

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.evaluation.protocols.folds import PARTS, official
from moodal.evaluation.protocols.subset import labelled


def corpus(lines, labels=None):
    splits = ("train", "valid", "test")
    own = [Utterance(f"own{i}", split=splits[i % 3]) for i in range(9)]
    rest = [Utterance(f"rest{i}", extra={"line": line}) for i, line in enumerate(lines)]
    utterances = (*own, *rest)
    table = np.ones((len(utterances), 2), np.float32) if labels is None else np.array(labels)
    return Manifest("mixed", EmotionSpace(["anger", "fear"], "multi"), utterances, table)


def test_rows_without_a_split_are_divided_in_whole_lines():
    lines = [f"line{i // 2}" for i in range(800)]
    experiment = official(corpus(lines), "line")
    parts = [set(rows.tolist()) for rows in experiment.parts.values()]
    assert set().union(*parts) == set(range(809))
    assert sum(map(len, parts)) == 809
    for rows in parts:
        of = {lines[row - 9] for row in rows if row >= 9}
        assert all({9 + 2 * int(line[4:]), 10 + 2 * int(line[4:])} <= rows for line in of)
    assert len(experiment.test) == pytest.approx(800 / PARTS, rel=0.4)
    assert {0, 3, 6} <= parts[0]  # the official rows stay where they are


def test_the_division_does_not_depend_on_the_order():
    lines = [f"line{i}" for i in range(100)]
    first = official(corpus(lines), "line")
    second = official(corpus(lines[::-1]), "line")
    held = [{lines[row - 9] for row in first.test if row >= 9}]
    held.append({lines[::-1][row - 9] for row in second.test if row >= 9})
    assert held[0] == held[1]


def test_a_column_that_rows_lack_is_named():
    with pytest.raises(
        DataError, match="2 of 2 utterances without an official split have no 'line'"
    ):
        official(corpus([None, None]), "line")


def test_rows_that_do_not_say_everything_are_left_out():
    labels = np.ones((10, 2), np.float32)
    labels[3, 1] = np.nan
    rows, stamp = labelled(corpus(["a"], labels), np.arange(2, 6))
    assert rows.tolist() == [2, 4, 5]
    assert stamp == "1 rows that say nothing of fear left out"
    assert labelled(corpus(["a"]), np.arange(10))[1] == ""
    with pytest.raises(DataError, match="leave some of fear out"):
        labelled(corpus(["a"], labels), np.array([3]))
