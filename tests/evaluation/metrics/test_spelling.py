"""Edit distances are a distance, and the rate is all errors over all characters."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.evaluation.metrics import character_error_rate, edit_distances

words = st.text(alphabet="ABC '", max_size=12)
many = st.lists(st.tuples(words, words), min_size=1, max_size=8)


def _plain(a, b):
    """Levenshtein's table, cell by cell."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


@settings(max_examples=150, deadline=None)
@given(many)
def test_it_is_levenshtein_s(pairs):
    a, b = zip(*pairs, strict=True)
    assert edit_distances(a, b).tolist() == [_plain(x, y) for x, y in pairs]


@settings(max_examples=100, deadline=None)
@given(words, words, words)
def test_it_is_a_distance(a, b, c):
    ab, ba, bc, ac = edit_distances([a, b, b, a], [b, a, c, c]).tolist()
    assert ab == ba
    assert (ab == 0) == (a == b)
    assert ac <= ab + bc
    assert abs(len(a) - len(b)) <= ab <= max(len(a), len(b))


def test_any_alphabet():
    assert edit_distances(["naïve ☺", "日本"], ["naive ☺", "本日"]).tolist() == [1, 2]
    assert edit_distances([], []).tolist() == []
    with pytest.raises(DataError, match="got 1 references and 2 hypotheses"):
        edit_distances(["A"], ["A", "B"])


def test_the_rate_is_over_all_utterances_and_takes_weights():
    predicted, written = ["ABCD", "", "AB"], ["ABXD", "E", "AB"]
    errors, characters, rate = character_error_rate(predicted, written)
    assert (errors.tolist(), characters.tolist(), rate.item()) == ([1, 1, 0], [4, 0, 2], 2 / 6)
    weights = np.array([[1, 0, 0], [0, 0, 3], [0, 1, 0]])
    rates = character_error_rate(predicted, written, weights)[2]
    np.testing.assert_array_equal(rates, [0.25, 0, np.nan])


def test_a_corpus_takes_a_second():
    draw = random.Random(0)
    predicted = ["".join(draw.choices("ABCDEFGH ", k=draw.randint(1, 120))) for _ in range(5531)]
    written = ["".join(c for c in text if draw.random() < 0.9) for text in predicted]
    before = time.process_time()
    _, _, rate = character_error_rate(predicted, written)
    assert time.process_time() - before < 4  # about 0.4 s
    assert 0.05 < rate < 0.12
