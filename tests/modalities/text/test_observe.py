"""What is observed of the words of an utterance, and where a text is split into sentences."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.timeline import Word
from moodal.modalities.modality import Absent, Part, Window
from moodal.modalities.text.minilm import BEGINNING, tokenizer
from moodal.modalities.text.observe import CUT, FOREIGN, LONGEST, Text, sentences
from moodal.modalities.text.spelling import spell_out, text_of
from moodal.modalities.text.tokens import Pieces


def observe(text, words=()):
    (observed,) = Text().observe(Window(text=text, words=words))
    return observed


def test_every_piece_but_the_special_ones_belongs_to_a_word():
    text = "Well, I didn't expect THAT naïve café answer!"
    pieces = tokenizer().encode(text)
    division = observe(text).divide(len(pieces.ids))
    assert [part.text for part in division.parts] == text.split()
    assert all(part.start is None for part in division.parts)
    assert division.places[[0, -1]].tolist() == [-1, -1]
    inside = division.places[1:-1]
    assert (np.diff(inside) >= 0).all()
    assert set(inside) == set(range(len(division.parts)))
    for place, (first, last) in zip(inside, pieces.offsets[1:-1], strict=True):
        assert text[first:last] in division.parts[place].text


def test_a_word_has_its_own_pieces():
    ids = tokenizer().encode("joyful", add_special_tokens=False).ids
    division = observe("joyful day").divide(len(ids) + 3)
    assert division.places.tolist() == [-1, *[0] * len(ids), 1, -1]
    assert [part.text for part in division.parts] == ["joyful", "day"]


def test_an_emojis_pieces_belong_to_the_word_as_written():
    text = "I won😍😍 today :) !"
    spelt = spell_out(text)
    pieces = tokenizer().encode(spelt)
    division = observe(text).divide(len(pieces.ids))
    assert [part.text for part in division.parts] == ["I", "won😍😍", "today", ":)", "!"]
    by_word = {}
    for place, (first, last) in zip(division.places[1:-1], pieces.offsets[1:-1], strict=True):
        by_word.setdefault(int(place), []).append(spelt[first:last])
    assert by_word[1] == ["won", "smiling", "face", "with", "heart", "eyes"]
    assert by_word[3] == ["smiling", "face"]
    assert by_word[4] == ["!"]


def test_an_emoji_alone_is_a_text():
    assert observe("😂").item == "😂"
    assert Text().observe(Window(text="\ufe0f")) == Absent("no words")


def test_timed_words_keep_their_times():
    timed = (Word("I", 1.0, 1.2), Word("won.", 1.3, 1.9))
    steps = len(tokenizer().encode("I won.").ids)
    division = observe("I won.", timed).divide(steps)
    assert division.parts == (Part(1.0, 1.2, "I"), Part(1.3, 1.9, "won."))
    plain = observe("I won.").divide(steps)
    np.testing.assert_array_equal(division.places, plain.places)


def test_steps_that_are_no_word_pieces_are_not_divided():
    assert observe("I won.").divide(99) is None


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_a_text_without_words_says_nothing(text):
    assert Text().observe(Window(text=text)) == Absent("no words")


def test_where_no_text_is_known_it_says_why():
    assert Text().observe(Window()) == Absent("no transcript")
    assert Text().observe(Window(spoken=False)) == Absent("no speech")


def test_long_texts_are_flagged():
    assert observe("very " * 300).flags == (CUT,)
    assert "256" in CUT
    assert observe("very " * 200).flags == ()
    assert observe("so 😍 " * 60).flags == (CUT,)


def test_other_languages_have_a_reservation():
    assert observe("Das habe ich wirklich nicht von dir erwartet.").reservation == FOREIGN
    assert observe("I did not expect that of you.").reservation == ""


def test_any_characters_are_read():
    rng = np.random.default_rng(0)
    for n in rng.integers(1, 7, 300):
        low, high = rng.integers(0, 0x3100, n), rng.integers(0xE000, 0x10FFFF, n)
        text = "".join(map(chr, np.where(rng.random(n) < 0.7, low, high)))
        answer = Text().observe(Window(text=text))
        frames = Pieces().encode(text)
        if isinstance(answer, Absent):
            assert len(frames) <= 2 or answer.reason == "no known words"
            continue
        division = answer[0].divide(len(frames))
        assert division is None or len(division.places) == len(frames)


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
        ("A line\nAnother\r\nThird\n\n\nlast", ["A line", "Another", "Third", "last"]),
        (
            "it goes on and on until here\nand then to the very end\r\nof it.\n\nEnd",
            ["it goes on and on until here and then to the very end", "of it.", "End"],
        ),
        ("i'm so happy\ni hate this\nwhatever", ["i'm so happy", "i hate this", "whatever"]),
        (
            "A line so long that an editor wrapped it before the\nName. Yes",
            ["A line so long that an editor wrapped it before the Name.", "Yes"],
        ),
        ("Buy:\nmilk\nBread", ["Buy:", "milk", "Bread"]),
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


def test_a_text_of_unknown_pieces_alone_has_no_known_words():
    answer = Text().observe(Window(text="a" * 300))
    assert answer == Absent("no known words")
    half = Text().observe(Window(text="yes " + " ".join(["a" * 300] * 2)))
    assert half[0].flags == ("2 of the 3 word pieces of the text are unknown.",)
    assert Text().observe(Window(text="I am so glad about it"))[0].flags == ()


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
    started = time.process_time()
    assert all(len(s) <= LONGEST for s in sentences(text * 100_000))
    assert time.process_time() - started < 2


def test_of_a_text_of_megabytes_the_beginning_is_read():
    long = "I am so glad that you came. " * 200_000
    assert len(text_of(long, BEGINNING)) <= BEGINNING
    short = long[: BEGINNING // 2]
    np.testing.assert_array_equal(Pieces().encode(long), Pieces().encode(short))
    [observed] = Text().observe(Window(text=long))
    assert CUT in observed.flags
    assert observed.divide(len(Pieces().encode(long))) is not None
