"""XLM-R's pieces: the likeliest ones, and the place of each in the text as written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.modalities.text.xlmr import XlmrTokenizer, word_pieces

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁so", "▁good", "▁", "s", "o", "0", "▁Tag"]
SCORES = [0.0, 0.0, 0.0, 0.0, -2.0, -3.0, -4.0, -5.0, -5.0, -6.0, -7.0]
SPECIAL = {"bos": 0, "eos": 2, "pad": 1, "unk": 3}
NORMALISED = {"０": "0", "\x01": "", "…": "..", "\t": " "}


@pytest.fixture
def tokenizer():
    return XlmrTokenizer(PIECES, SCORES, SPECIAL, NORMALISED, longest=6)


def test_places_are_those_of_the_text_as_written(tokenizer):
    encoded = tokenizer.encode("so\t\t good")
    assert [PIECES[i] for i in encoded.ids] == ["<s>", "▁so", "▁good", "</s>"]
    assert encoded.places == [-1, 0, 2, -1]
    assert (encoded.unknown, encoded.cut) == (0, False)


def test_what_stands_for_a_character_is_at_its_place(tokenizer):
    encoded = tokenizer.encode("s\x01o０")
    assert [PIECES[i] for i in encoded.ids] == ["<s>", "▁so", "0", "</s>"]
    assert encoded.places == [-1, 0, 3, -1]


def test_a_long_text_is_cut(tokenizer):
    encoded = tokenizer.encode("so so so so so so")
    assert len(encoded.ids) == len(encoded.places) == 6
    assert encoded.cut
    assert encoded.ids[-1] == SPECIAL["eos"]


def test_unknown_signs_are_counted(tokenizer):
    assert tokenizer.encode("so x").unknown == 1


@given(st.text(alphabet="so g０\x01\t…", max_size=30))
def test_places_ascend_within_the_text(text):
    own = XlmrTokenizer(PIECES, SCORES, SPECIAL, NORMALISED)
    places = own.encode(text).places[1:-1]
    assert places == sorted(places)
    assert all(0 <= place < len(text) for place in places)


def test_whole_words_are_the_long_pieces_that_begin_a_word():
    assert word_pieces(PIECES, 2) == ["so", "good"]
    assert word_pieces(PIECES, 9) == ["so", "good", "Tag"]
