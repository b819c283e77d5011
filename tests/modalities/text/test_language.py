"""The language of a text, which is not judged from a few letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.modalities.text.language import (
    BEGINNING,
    LETTERS,
    UNKNOWN,
    Judgement,
    base,
    language_of,
    name_of,
)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I'm on my way to the meeting, don't wait for me.", "en"),
        ("DON'T YOU DARE SPEAK TO ME LIKE THAT", "en"),
        ("Das habe ich wirklich nicht von dir erwartet.", "de"),
        ("Je ne suis pas très content de toi", "fr"),
        ("No me lo puedo creer, es que no está bien", "es"),
        ("Nie wiem, co to jest, ale się boję", "pl"),
        ("Я очень рад тебя видеть", "ru"),
        ("今天真的好开心", "zh"),
        ("أنا سعيد جدا برؤيتك اليوم", "ar"),
        ("मुझे तुम पर बहुत गुस्सा आ रहा है", "hi"),
        ("በጣም ደስ ብሎኛል ዛሬ", "am"),
    ],
)
def test_a_sentence_has_a_language(text, language):
    assert language_of(text).language == language


@pytest.mark.parametrize(
    "text", ["", "...", "42 :)", "Wow!", "Nein.", "I am so", "qzx vrrk tplm wgh"]
)
def test_a_few_letters_or_none_have_no_language(text):
    assert language_of(text).language == UNKNOWN


def test_signs_count_more_than_letters():
    assert language_of("我很害怕").language == "zh"
    assert language_of("a" * (LETTERS - 1)) == Judgement(UNKNOWN, 0.0)


def test_only_the_beginning_is_read():
    english = "I did not think that this would ever happen to us. " * 60
    assert language_of(english + "Das habe ich nicht gedacht. " * 4000).language == "en"
    assert len(english) > BEGINNING


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text):
    judgement = language_of(text)
    assert judgement.language
    assert 0 <= judgement.probability <= 1.0001


def test_regions_and_twins_are_judged_as_one():
    assert base("pt-BR") == base("pt-MZ") == "pt"
    assert base("sr") == base("bs") == base("hr")
    assert name_of("pt-BR") == "Brazilian Portuguese"
    assert name_of("pt-AO") == "Portuguese"
    assert name_of("tlh") == "tlh"
