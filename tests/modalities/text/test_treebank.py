import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.core.errors import DataError
from moodal.modalities.text.treebank import normalise, read_text, tokenise


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Can't you see?", ["ca", "n't", "you", "see", "?"]),
        ("I won’t; they’re HIS", ["i", "wo", "n't", ";", "they", "'re", "his"]),
        ("Shouldn't've.", ["should", "n't", "'ve", "."]),
        ("It's the U.S. team", ["it", "'s", "the", "u.s.", "team"]),
        ("well-known e-mail", ["well-known", "e-mail"]),
        ("at 10:30, 1,000 of 3.5%", ["at", "10:30", ",", "1,000", "of", "3.5", "%"]),
        ("the 20th, the 1990s", ["the", "20th", ",", "the", "1990s"]),
        ("wait....what — no", ["wait", "...", "what", "--", "no"]),
        ("great!! :) :-( ;)", ["great", "!", "!", ":)", ":-(", ";)"]),
        ("note:do (a)", ["note", ":", "do", "(", "a", ")"]),
        ("[NAME] said “hi”", ["[", "name", "]", "said", '"', "hi", '"']),
        ("get 'em at 5 o'clock", ["get", "'em", "at", "5", "o'clock"]),
        ("naïve CAFÉ", ["naïve", "café"]),
        ("see https://example.org/a?b=c now", ["see", "https://example.org/a?b=c", "now"]),
        ("I 😂 it", ["i", "😂", "it"]),
        ("   \n\t ", []),
    ],
)
def test_words_are_cut_as_gloves_were(text, tokens):
    assert tokenise(text) == tokens


def test_spellings_of_the_same_characters_agree():
    assert normalise("cafe\u0301 \u00a0“x”\u200b") == normalise('café "x"')


@given(st.text())
def test_no_text_breaks_it_and_nothing_is_lost_but_space(text):
    tokens = tokenise(text)
    assert all(token and not token.isspace() for token in tokens)
    letters = [c for c in normalise(text).lower() if c.isalnum()]
    assert [c for token in tokens for c in token if c.isalnum()] == letters


def test_files_are_read_as_utf8_with_or_without_a_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffcafé".encode())
    assert read_text(path) == "café"


def test_other_encodings_and_missing_files_are_named(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("café".encode("latin1"))
    with pytest.raises(DataError, match=r"latin.txt is not UTF-8 text \(byte 3\)"):
        read_text(path)
    with pytest.raises(DataError, match="Cannot read text"):
        read_text(tmp_path / "none.txt")
