"""Emoji and emoticons become words; what only looks like them stays."""

from __future__ import annotations

import time
import unicodedata

import emoji
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodal.core.errors import UsageError
from moodal.modalities.build import build
from moodal.modalities.text.spelling import EMOTICONS, spell_out, spelling_of, text_of


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("I love it 😍", "I love it smiling face with heart eyes"),
        ("great😀!", "great grinning face!"),
        ("😀yes", "grinning face yes"),
        ("(😀)", "(grinning face)"),
        ("😂😂😂", "face with tears of joy"),
        ("😀😂", "grinning face face with tears of joy"),
        ("👍🏽 👍", "thumbs up thumbs up"),
        ("a🏽b", "ab"),
        ("❤ ❤️ ❤\ufe0e", "love love love"),
        ("☺️", "smiling face"),
        ("👩🏽\u200d❤️\u200d💋\u200d👨🏿", "kiss woman man"),
        ("🤦🏿\u200d♀️", "woman facepalming"),
        ("🇩🇪", "Germany"),
        ("1️⃣ first", "1 first"),
        ("⏰", "alarm clock"),
    ],
)
def test_emoji_become_plain_words(written, read):
    assert spell_out(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Hi :) there", "Hi smiling face there"),
        ("Hi :-))) there", "Hi smiling face there"),
        ("great:)", "great smiling face"),
        ("great :-), ok", "great smiling face, ok"),
        ("Oh no :(.", "Oh no sad face."),
        (":D :'( ;) <3 </3", "grinning face crying face winking face love broken heart"),
        (":):(", "smiling face sad face"),
        ("i <33 you", "i love you"),
        ("love you <3.", "love you love."),
        (">:( :P :O :/ :|", "angry face playful face surprised face confused face neutral face"),
        ("(not now :()", "(not now sad face)"),
        ("yes 😀:)", "yes grinning face smiling face"),
    ],
)
def test_emoticons_become_words(written, read):
    assert spell_out(written) == read


@pytest.mark.parametrize(
    "text",
    [
        "See http://a.org, https://b.org/:) and file:///tmp",
        "At 10:30, or 10:30:15 :30",
        "a ratio of 3:1, 16:9 or 1 : 3",
        "a:D x:P d[:D] x = d[:D] {'a':(1)} {\"a\":(1)} f(x, y=) std::(",
        "lambda:(x) def f(x:int): x:Option",
        "C:/ D:\\ c:/tmp D: drive",
        "note:(see below) (as noted:) (see a.org:)",
        "1) a, 8) b, x) c, 10:)",
        "x<3, 1 <3, a <3.5, takes <3 minutes, under <3kg, <300, i<3;",
        "well-known -- really - so -_-x foo_-_-",
        "mailto:Person re:Open Subject:Party",
        "XDR, BoxD, xDrive T_Test",
        '":)" as text',
        "© 2024 Moodal™ ‼ → ℹ",
        "#1 *2* 3",
        "naïve café, 你好。, Привет",
    ],
)
def test_what_only_looks_like_an_emoticon_stays(text):
    assert spell_out(text) == text


@pytest.mark.parametrize("sign", [s for signs in EMOTICONS.values() for s in signs])
def test_every_emoticon_of_the_table_is_read_alone_and_in_a_sentence(sign):
    words = next(w for w, signs in EMOTICONS.items() if sign in signs)
    assert spell_out(sign) == words
    assert spell_out(f"well {sign} ok") == f"well {words} ok"


def test_every_emoji_has_words():
    for sign, about in emoji.EMOJI_DATA.items():
        words = spell_out(f"x {sign}").removeprefix("x ")
        if about["status"] == emoji.STATUS["component"]:
            continue
        as_written = sign[0].isascii() or (len(sign) == 1 and sign < "\u2600")
        assert as_written or words.replace(" ", "").replace("’", "").isalnum(), (sign, words)
        assert "skin tone" not in words, (sign, words)
        assert "\ufe0f" not in words, (sign, words)


letters = st.text(st.characters(categories=["L", "Nd", "Zs"], max_codepoint=0x2000), max_size=12)


@given(letters, st.sampled_from(["http", "https", "ftp", "c", "D"]), letters)
def test_addresses_stay(host, scheme, path):
    text = f"{scheme}://{host.replace(' ', '')}/{path}"
    assert spell_out(text) == text


@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from([")", "D", "p", "|", "/", "(", ""]))
def test_times_and_ratios_stay(first, second, end):
    for text in (f"{first}:{second:02d}{end}", f"{first}:{end}", f"{first} <{second}"):
        assert spell_out(text) == text


@given(letters, st.sampled_from(["D", "P", "O", "S", "("]), letters)
def test_code_stays(name, mouth, rest):
    text = f"v{''.join(name.split())}:{mouth}{rest}"  # "xD" laughs
    assert spell_out(text) == text


@given(st.text(st.characters(max_codepoint=0x1FFF, exclude_characters=":;=<XxTOo-^")))
def test_texts_without_emoji_are_returned_as_they_are(text):
    assert spell_out(text) == text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Fish &amp; chips, I&#39;m full", "Fish & chips, I'm full"),
        ("I &lt;3 it", "I love it"),
        ("un<b>believ</b>able<br>Yes", "unbelievable Yes"),
        ("<p class=x>So</p> sad", " So  sad"),
        ("\uff29 \uff4c\uff4f\uff56\uff45 \uff49\uff54\uff01", "I love it!"),
        ("\U0001d408 \U0001d4f5\U0001d4f8\U0001d4ff\U0001d4ee it", "I love it"),
        ("a < b > c & d; x<y", "a < b > c & d; x<y"),
    ],
)
def test_a_text_is_read_as_it_is_shown(written, read):
    assert spell_out(written) == read


@settings(max_examples=300)
@given(st.text(st.sampled_from("ab :;)(D'-<3>=.😀❤🏽\ufe0f\u200d👍\"\n")) | st.text())
def test_each_character_has_its_place(text):
    spelling = spelling_of(text)
    places = np.array(spelling.places, int)
    assert len(places) == len(spelling.text)
    assert (np.diff(places) >= 0).all()
    for character, place in zip(spelling.text, places, strict=True):
        # a character stands where it was written, or comes from the sign or space there
        shown = text[place] + unicodedata.normalize("NFKC", text[place])
        of_sign = character.isalnum() or character in " -’" or text[place] in "<&"
        assert character in shown or of_sign


@pytest.mark.parametrize("unit", ["a:)", ":)", "😀", "x 😀", "<3", ":", "(", "a:", ":'-", "\u200d"])
def test_a_hundred_thousand_of_anything_take_no_time(unit):
    started = time.perf_counter()
    spell_out(unit * 30_000)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("name", ["glove-50", "minilm", "pieces"])
def test_text_encoders_read_the_words(name):
    encoder = build(name)
    for written in ("What a day 😍", "What a day :("):
        np.testing.assert_array_equal(encoder.encode(written), encoder.encode(spell_out(written)))
        assert len(encoder.encode(written)) > len(encoder.encode("What a day"))


def test_other_media_are_refused():
    with pytest.raises(UsageError, match="reads texts; got ndarray"):
        text_of(np.zeros(3))
