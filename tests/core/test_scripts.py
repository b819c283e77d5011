"""Scripts: words without blanks between them, and letters from right to left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.scripts import is_right_to_left, joined, parts_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("Well, I won.", ["Well,", "I", "won."]),
        ("今天好。我走了", ["今", "天", "好。", "我", "走", "了"]),
        ("我爱Python 3", ["我", "爱", "Python", "3"]),
        ("สวัสดีครับ คุณ", ["สวัสดีครับ", "คุณ"]),
        ("정말 좋다", ["정말", "좋다"]),
    ],
)
def test_words_are_divided(text, parts):
    assert parts_of(text) == parts


@given(st.text(max_size=60))
def test_nothing_but_blanks_is_lost(text):
    assert "".join(parts_of(text)) == "".join(text.split())


def test_words_of_a_script_without_blanks_touch():
    assert joined(["今天", "好。", "OK", "吗"]) == "今天好。 OK 吗"
    assert joined([]) == ""


@pytest.mark.parametrize(
    ("text", "answer"), [("123 שלום", True), ("مرحبا", True), ("Hi שלום", False), ("12", False)]
)
def test_the_first_letter_says_the_direction(text, answer):
    assert is_right_to_left(text) == answer
