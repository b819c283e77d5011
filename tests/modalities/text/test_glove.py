import sys

import numpy as np
import pytest

from moodal.core.errors import MissingDependencyError
from moodal.modalities.text.glove import Glove, known_words, table


def test_each_word_has_its_vector_in_order():
    index, vectors = table()
    out = Glove().encode("Happy, but AFRAID")
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, vectors[[index[w] for w in ("happy", ",", "but", "afraid")]])


def test_words_of_a_kind_lie_near_each_other():
    def similarity(a, b):
        a, b = Glove().encode(a)[0], Glove().encode(b)[0]
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert similarity("happy", "glad") > similarity("happy", "carburettor") + 0.3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("qwrtzx is here", ["is", "here"]),
        ("don't", ["do", "n't"]),
        ("rock-solid-ishness", ["rock", "solid"]),
        ("“quoted”", ['"', "quoted", '"']),
    ],
)
def test_words_without_a_vector_are_tried_in_parts_then_left_out(text, words):
    assert known_words(text) == words


@pytest.mark.parametrize("text", ["", "  ", "qwrtzx zzxqk", "\u0903"])
def test_a_text_of_unknown_words_is_absent(text):
    out = Glove().encode(text)
    assert out.shape == (0, 50)
    assert out.dtype == np.float32


def test_without_pyarrow_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    table.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"pyarrow .* `pip install '\.\[features\]'`"):
        Glove().encode("hello")
    table.cache_clear()


def test_an_emoji_has_the_vectors_of_its_name():
    np.testing.assert_array_equal(
        Glove().encode("Oh 😍!"), Glove().encode("Oh smiling face with heart eyes!")
    )


def test_the_table_covers_common_words():
    index, vectors = table()
    assert vectors.shape == (len(index), 50) == (400_000, 50)
    assert list(index)[:3] == ["the", ",", "."]
    assert {"n't", "'s", "'re", "'ve", "'ll", "'d", "'m", "wo", "ca", "...", "--", ":)"} <= set(
        index
    )
