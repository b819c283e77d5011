"""A text -> sentences: none too long, no letter lost, in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.modalities.text.sentences import LONGEST, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("...", []),
        ("so good", ["so good"]),
        ("One. Two!  Three?", ["One.", "Two!", "Three?"]),
        ('"Go." "No!" (Yes.) So', ['"Go."', '"No!"', "(Yes.)", "So"]),
        ("It costs 3.5 or 4.", ["It costs 3.5 or 4."]),
        ("a line\nanother\r\nthird\n\n\nlast", ["a line", "another", "third", "last"]),
        ("Well... !!! Fine.", ["Well... !!!", "Fine."]),
        ("你好。再见", ["你好。再见"]),
        ("😀", ["😀"]),
        ("I won! 😀", ["I won! 😀"]),
        ("I won. :) 😀!", ["I won. :) 😀!"]),
        ("ok\n😡\n:(", ["ok", "😡", ":("]),
        (":(", [":("]),
        ("Fine.\n...", ["Fine. ..."]),
    ],
)
def test_where_a_sentence_ends(text, expected):
    assert sentences(text) == expected


def letters(text):
    return [c for c in text if c.isalnum()]


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("ab é。.!?\"')\n\r\t…😀7-"), max_size=3000) | st.text())
def test_no_letter_is_lost_and_none_is_too_long(text):
    found = sentences(text)
    assert letters("".join(found)) == letters(text)
    assert all(0 < len(s) <= LONGEST and s == s.strip() for s in found)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("abc", min_size=1, max_size=30), min_size=200, max_size=400))
def test_a_long_one_is_cut_between_words(words):
    found = sentences(" ".join(words))
    assert " ".join(found).split() == words
    assert all(len(s) > LONGEST // 2 for s in found[:-1])


@pytest.mark.parametrize("text", ["x", ". ", "word ", "Hi. . ", "\n", "! \n", '."', "a.\"' \n"])
def test_a_hundred_thousand_of_anything_take_no_time(text):
    started = time.perf_counter()
    assert all(len(s) <= LONGEST for s in sentences(text * 100_000))
    assert time.perf_counter() - started < 2
