"""Whether a text is English, told by its commonest words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodal.modalities.text.language import looks_english


@pytest.mark.parametrize(
    "text",
    [
        "Kids are talking by the door",
        "I'm on my way to the meeting",
        "Don't forget a jacket!",
        "The surface is slick",
        "The airplane is almost full",
        "Wow!",
        "",
        "...",
        "42 :)",
        "We’ll stop in a couple of minutes, he said, and then nobody spoke for a while.",
        "Angela Merkel visited Berlin yesterday",
        "lol that was so funny omg",
    ],
)
def test_english(text):
    assert looks_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Das habe ich wirklich nicht erwartet",
        "Je ne suis pas très content de toi",
        "No me lo puedo creer, es que no está bien",
        "Non sono molto felice di questo",
        "Eu não sei o que é isso",
        "Ik heb het niet gedaan",
        "Jag vet inte vad det är",
        "Nie wiem co to jest",
        "Bu çok güzel bir gün ve ben mutluyum",
        "Saya tidak tahu apa yang dia katakan",
        "我今天很高兴",
        "Я очень рад тебя видеть",
        "أنا سعيد",
        "Kuulin eilen että olet muuttanut uuteen asuntoon mutta kukaan ei kertonut minulle mitään",
    ],
)
def test_other_languages(text):
    assert not looks_english(text)


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text):
    assert looks_english(text) in (True, False)
