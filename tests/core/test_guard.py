"""What goes out can do nothing to a terminal or a spreadsheet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.guard import cell, line, plain


@given(st.text() | st.text("\x1b\x07\x00[31m=+-@\n\t "))
def test_nothing_that_goes_out_controls_a_terminal(text):
    for out in (plain(text), cell(text), line(text)):
        assert not any(ord(c) < 32 and c not in "\n\t" for c in out)
        assert "\x9b" not in out
        out.encode()
    assert not cell(text).startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", " =1", "＝1"])
def test_a_formula_is_a_text(text):
    assert cell(text).startswith("'")


def test_words_stay_as_they_are():
    assert cell("So good, isn't it? 😀") == "So good, isn't it? 😀"
    assert line("a.wav: no\nsound") == "a.wav: no\nsound"
