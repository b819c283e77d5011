"""What is observed of the words of an utterance, and where a text is split into sentences."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.timeline import Word
from moodal.modalities.modality import Absent, Part, Settings, Window
from moodal.modalities.text.e5 import BEGINNING, E5, tokenizer
from moodal.modalities.text.language import UNKNOWN, UNRECOGNISED
from moodal.modalities.text.minilm import MiniLM
from moodal.modalities.text.observe import CUT, LONGEST, Text, sentences
from moodal.modalities.text.spelling import spell_out, text_of
from moodal.modalities.text.tokens import Pieces

ENCODER = E5(layers=6)


def observe(text, words=()):
    (observed,) = Text().observe(Window(text=text, words=words))
    return observed


def divided(text, words=(), encoder=ENCODER):
    places = encoder.places(text)
    return observe(text, words).divide(len(places), places)


@pytest.mark.parametrize("encoder", [E5(layers=6), Pieces(), MiniLM()], ids=lambda e: e.name)
def test_every_piece_but_the_special_ones_belongs_to_a_word(encoder):
    text = "Well, I didn't expect THAT naïve café answer!"
    frames = encoder.encode(text)
    division = divided(text, encoder=encoder)
    assert len(division.places) == len(frames)
    assert [part.text for part in division.parts] == text.split()
    assert all(part.start is None for part in division.parts)
    inside = division.places[division.places >= 0]
    assert len(inside) >= len(frames) - 2
    assert (np.diff(inside) >= 0).all()
    assert set(inside) == set(range(len(division.parts)))


def test_a_word_has_its_own_pieces():
    pieces = len(tokenizer().encode("joyfulness").ids) - 2
    division = divided("joyfulness day")
    assert division.places.tolist() == [-1, *[0] * pieces, 1, -1]
    assert [part.text for part in division.parts] == ["joyfulness", "day"]


def test_an_emojis_pieces_belong_to_the_word_as_written():
    text = "I won😍😍 today :) !"
    spelt = spell_out(text)
    encoded = tokenizer().encode(spelt)
    division = divided(text)
    assert [part.text for part in division.parts] == ["I", "won😍😍", "today", ":)", "!"]
    said = {}
    for place, begin, end in zip(
        division.places[1:-1], encoded.places[1:-1], [*encoded.places[2:-1], None], strict=True
    ):
        said[int(place)] = said.get(int(place), "") + spelt[begin:end]
    assert said[1].split() == ["won", "smiling", "face", "with", "heart", "eyes"]
    assert said[3].split() == ["smiling", "face"]


def test_words_of_a_script_without_blanks_are_signs():
    division = divided("今天很开心。")
    assert [part.text for part in division.parts] == ["今", "天", "很", "开", "心。"]
    assert set(division.places[1:-1]) <= set(range(5))


def test_an_emoji_alone_is_a_text():
    assert observe("😂").item == "😂"
    assert Text().observe(Window(text="\ufe0f")) == Absent("no words")


def test_timed_words_keep_their_times():
    timed = (Word("I", 1.0, 1.2), Word("won.", 1.3, 1.9))
    division = divided("I won.", timed)
    assert division.parts == (Part(1.0, 1.2, "I"), Part(1.3, 1.9, "won."))
    np.testing.assert_array_equal(division.places, divided("I won.").places)


def test_steps_of_no_known_place_are_not_divided():
    assert observe("I won.").divide(99, ENCODER.places("I won.")) is None
    assert observe("I won.").divide(4) is None


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


def test_a_text_has_a_language():
    assert observe("Das habe ich wirklich nicht von dir erwartet.").language == "de"
    assert observe("I did not expect that of you.").language == "en"
    assert observe("Oh.").language == UNKNOWN


def test_a_short_utterance_has_the_language_of_what_was_said_before():
    text = Text()
    said = [
        "Das habe ich wirklich nicht von dir erwartet.",
        "Nein.",
        "Yo no lo esperaba de ti.",
        "No.",
    ]
    languages = [text.observe(Window(text=one))[0].language for one in said]
    assert languages == ["de", "de", "es", "es"]


def test_a_stated_language_and_that_of_the_transcriber_come_first():
    window = Window(text="Das habe ich wirklich nicht von dir erwartet.", language="nl")
    assert Text().observe(window)[0].language == "nl"
    assert Text(Settings(language="sw")).observe(window)[0].language == "sw"


def test_any_characters_are_read():
    rng = np.random.default_rng(0)
    for n in rng.integers(1, 7, 300):
        low, high = rng.integers(0, 0x3100, n), rng.integers(0xE000, 0x10FFFF, n)
        text = "".join(map(chr, np.where(rng.random(n) < 0.7, low, high)))
        answer = Text().observe(Window(text=text))
        if isinstance(answer, Absent):
            assert answer.reason in ("no words", "no known words")
            continue
        steps = len(ENCODER.encode(text))
        division = answer[0].divide(steps, ENCODER.places(text))
        assert division is None or len(division.places) == steps


@pytest.mark.parametrize("text", ["\u0378\u0379\u0378", "\U0001e2c0\U0001e2c1"])
def test_signs_that_nobody_knows_are_no_known_words(text):
    assert Text().observe(Window(text=text)) == Absent("no known words")


def test_a_long_text_in_no_known_language_is_unrecognised():
    text = "qrx vlmp tzzk wghn brrt " * 4
    assert observe(text).language == UNRECOGNISED
    assert observe("qrx vlmp tzzk").language == UNKNOWN


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
        ("你好。再见", ["你好。", "再见"]),
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
    answer = Text().observe(Window(text="\u0378" * 300))
    assert answer == Absent("no known words")
    half = Text().observe(Window(text="yes " + " ".join(["\u0378" * 300] * 2)))
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
    np.testing.assert_array_equal(ENCODER.encode(long), ENCODER.encode(short))
    [observed] = Text().observe(Window(text=long))
    assert CUT in observed.flags
    assert divided(long) is not None


def test_letters_of_another_script_have_not_the_language_of_what_was_said_before():
    text = Text()
    said = [
        "Je suis vraiment très triste aujourd'hui.",
        "我非常害怕。",
        "Да.",
        "Oui.",
        "\U0001f62d",
    ]
    languages = [text.observe(Window(text=one))[0].language for one in said]
    assert languages == ["fr", "zh", UNKNOWN, UNKNOWN, UNKNOWN]


def test_long_texts_without_blanks_are_cut_by_their_signs():
    parts = sentences("我今天非常高兴" * 100)
    assert "".join(parts) == "我今天非常高兴" * 100
    assert max(map(len, parts)) == 200
    assert not any(CUT in Text().observe(Window(text=part))[0].flags for part in parts)
