"""Words: what is asked for, and how each modality knows it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from moodal.core.errors import SpaceError
from moodal.core.files import load_toml
from moodal.model import vocabulary
from moodal.model.vocabulary import ask, sources

BASICS = ("anger", "happiness")
KNOWN = {w: np.eye(384, dtype=np.float32)[i] for i, w in enumerate((*BASICS, "love"))}
SYNONYMS = {"joy": "happiness", "angry": "anger", "love": "anger"}


def test_nothing_asked_means_the_basic_emotions():
    for nothing in (None, [], ()):
        asked = ask(nothing, BASICS, KNOWN, SYNONYMS)
        assert asked.words == BASICS
        assert dict(asked.shown) == {w: w for w in BASICS}
        assert asked.notes == ()


def test_basic_emotions_stand_first_whatever_the_order():
    asked = ask(["love", "happiness"], BASICS, KNOWN, SYNONYMS)
    assert asked.words == ("anger", "happiness", "love")
    assert list(asked.shown) == ["love", "happiness"]
    assert asked.vectors == pytest.approx(np.eye(384)[:3])


def test_declared_synonyms_are_taken_and_told():
    asked = ask(["Joy"], BASICS, KNOWN, SYNONYMS)
    assert dict(asked.shown) == {"joy": "happiness"}
    assert asked.words == BASICS
    assert asked.notes == ("joy is taken for happiness, as the artefact declares.",)


def test_a_word_that_is_known_is_no_synonym():
    asked = ask(["love"], BASICS, KNOWN, SYNONYMS)
    assert dict(asked.shown) == {"love": "love"}
    assert asked.notes == ()


def test_a_word_and_its_synonym_may_both_be_asked():
    asked = ask(["joy", "happiness"], BASICS, KNOWN, SYNONYMS)
    assert dict(asked.shown) == {"joy": "happiness", "happiness": "happiness"}
    assert asked.words == BASICS


def test_new_words_get_vectors_of_their_own():
    asked = ask(["  quietly   Relieved "], BASICS, KNOWN, SYNONYMS)
    assert asked.words == (*BASICS, "quietly relieved")
    assert np.linalg.norm(asked.vectors[2]) == pytest.approx(1, abs=1e-5)
    again = ask(["bored", "quietly relieved"], BASICS, KNOWN, SYNONYMS)
    assert again.vectors[3] == pytest.approx(asked.vectors[2], abs=1e-6)


@pytest.mark.parametrize("emotions", [["joy", "Joy "], ["bored", "bored"]])
def test_doubled_words_are_refused(emotions):
    with pytest.raises(SpaceError, match="twice"):
        ask(emotions, BASICS, KNOWN, SYNONYMS)


@pytest.mark.parametrize("word", ["", "  ", "42", "?!", "x" * 61])
def test_what_is_no_word_is_refused(word):
    with pytest.raises(SpaceError):
        ask([word], BASICS, KNOWN, SYNONYMS)


def branches(**learned):
    none = SimpleNamespace(learned={}, adapted={})
    made = {s: SimpleNamespace(learned=dict.fromkeys(w), adapted={}) for s, w in learned.items()}
    return {"text": none, "speech": none} | made


def test_learned_adapted_and_guessed_are_told_apart():
    there = branches(text=["anger"], speech=["anger"])
    there["speech"].adapted["bored"] = ()
    weights = {"text": 0.5, "speech": 0.0}
    assert sources("anger", there, weights) == {"text": "learned", "speech": "learned"}
    assert sources("bored", there, weights) == {"text": "guess", "speech": "adapted"}


def test_worthless_guesses_are_left_out_where_another_knows_better():
    weights = {"text": 0.5, "speech": 0.0}
    assert sources("bored", branches(), weights) == {"text": "guess", "speech": "absent"}
    weights = {"text": 0.0, "speech": 0.0}
    there = branches(text=["bored"])
    assert sources("bored", there, weights) == {"text": "learned", "speech": "absent"}
    alone = {"speech": there["speech"]}
    assert sources("bored", alone, weights) == {"speech": "guess"}


@pytest.mark.parametrize(
    ("name", "emotion"),
    [("Freude", "happiness"), ("colère", "anger"), ("恐惧", "fear"), ("огида", "disgust")],
)
def test_translations_of_basic_emotions_stand_for_them(name, emotion):
    basics = ["anger", "disgust", "fear", "happiness"]
    known = dict(zip(basics, np.eye(4, dtype=np.float32), strict=True))
    asked = ask([name], basics, known, {})
    assert asked.shown == {name.lower(): emotion}
    assert asked.notes == (f"{name.lower()} is taken for {emotion}, its English word.",)
    # a word that the artefact carries stays itself
    own = {**known, name.lower(): np.ones(4, np.float32)}
    assert ask([name], basics, own, {}).shown == {name.lower(): name.lower()}


def test_translations_are_clean_words_of_one_emotion():
    table = load_toml(Path(vocabulary.__file__).with_name("translations.toml"))
    words = [word for own in table.values() for word in own]
    assert len(words) == len(set(words)) > 300
    assert [vocabulary.clean(word) for word in words] == words
    assert set(table) == set(vocabulary.translations().values())
