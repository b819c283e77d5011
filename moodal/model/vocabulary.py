"""Vocabulary: the emotion words of a question, and how each modality knows them.

An artefact knows words by their vectors. A question may name its basic emotions, words that some
modality learned, their declared synonyms, translations of basic emotions, words that `moodal adapt`
taught, and any other words, whose vectors are computed: the scores of those are marked as guesses.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.dimensions import DIMENSIONS
from moodal.core.emotions import Value
from moodal.core.errors import SpaceError, UsageError
from moodal.core.files import load_toml

UNNAMED = "minilm"
"""The source of the vectors of an artefact that names none."""

LONGEST = 60
"""The most characters of a word or phrase in a question."""


@dataclass(frozen=True)
class Asked:
    """A question: the words to score, the basic ones first.

    Attributes:
        words: C words as the artefact knows them: the basic emotions, then further words asked for.
        vectors: [C, d] float32; None for a model without word vectors.
        shown: the name in the question -> its word, in the order of the question.
        notes: the synonyms that were replaced, one sentence each.
        values: the ranges of a model of values; empty for a model of emotions.
    """

    words: tuple[str, ...]
    vectors: np.ndarray | None
    shown: Mapping[str, str]
    notes: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()


def ask(
    emotions: Sequence[str] | None,
    basics: Sequence[str],
    known: Mapping[str, np.ndarray],
    synonyms: Mapping[str, str],
    source: str | None = "e5",
) -> Asked:
    """Look up the words of a question.

    Args:
        emotions: the names that are asked for; None or empty for the basic emotions.
        basics: the emotions that every question compares with.
        known: word -> its vector [d], for every word that the artefact carries.
        synonyms: other name -> word; declared in the artefact, never guessed. Words of other
            languages for basic emotions (translations.toml) are synonyms besides.
        source: of the vectors of further words, see
            `moodal.modalities.text.emotion_vectors.word_vectors`.

    Raises:
        SpaceError: a word is empty, too long, or asked for twice.
        UsageError: a word is the name of a dimension.
        MissingDependencyError: a word is new, and the encoder of its vector is not installed.
    """
    if isinstance(emotions, str):
        emotions = split_words(emotions, known)
    names = [clean(name) for name in emotions or basics]
    if dimensions := [name for name in names if name in DIMENSIONS and name not in known]:
        raise UsageError(
            f"{dimensions[0]} is a dimension, no emotion: every answer has it without asking "
            "(`dimensions`); leave it out of the emotions."
        )
    twice = sorted({x for x in names if names.count(x) > 1})
    if twice:
        raise SpaceError(f"An emotion is asked for twice: {', '.join(twice)}.")
    shown, notes = {}, []
    for name in names:
        word, why = _meant(name, known, synonyms)
        shown[name] = word
        if why:
            notes.append(f"{name} is taken for {word}, {why}.")
    words = list(dict.fromkeys([*basics, *shown.values()]))
    new = [word for word in words if word not in known]
    vectors = {**known, **dict(zip(new, vectors_of(new, source), strict=True))}
    return Asked(tuple(words), np.stack([vectors[w] for w in words]), shown, tuple(notes))


def _meant(
    name: str, known: Mapping[str, np.ndarray], synonyms: Mapping[str, str]
) -> tuple[str, str]:
    """Return the word that a name stands for, and why; "" where it stands for itself."""
    if name in known:
        return name, ""
    if name in synonyms:
        return synonyms[name], "as the artefact declares"
    word = translations().get(name)
    if word is not None and word in known:
        return word, "its English word"
    return name, ""


@cache
def translations() -> Mapping[str, str]:
    """Read the words of other languages for basic emotions: word -> the English one."""
    table = load_toml(Path(__file__).with_name("translations.toml"))
    return {word: emotion for emotion, words in table.items() for word in words}


def split_words(text: str, known: Collection[str] = ()) -> list[str]:
    """Split a text into words, between commas, semicolons, slashes or line ends.

    Args:
        text: the words.
        known: words of a model, of which one with a slash stays whole.

    >>> split_words("joy, grief; pride/relief")
    ['joy', 'grief', 'pride', 'relief']
    >>> split_words("joy, calm/neutral", {"calm/neutral"})
    ['joy', 'calm/neutral']
    """
    parts = [part.strip() for part in re.split(r"[,;\n]", text)]
    return [
        word.strip() for part in parts for word in ([part] if part in known else part.split("/"))
    ]


def clean(name: str) -> str:
    """Normalise an emotion word to lower case and single spaces.

    Raises:
        SpaceError: it is empty, overlong, or has no letter.
    """
    word = " ".join(name.lower().split())
    if word != word.encode("utf-8", "replace").decode():
        raise SpaceError(f"{name!r} holds half of a character; write the word in UTF-8.")
    if not word or not any(c.isalpha() for c in word):
        raise SpaceError(
            f"{name!r} is no emotion word; write emotions as words with commas between, such as "
            "joy, grief."
        )
    if len(word) > LONGEST:
        raise SpaceError(
            f"{word[:20]!r}... has {len(word)} characters; a word has {LONGEST} at most."
        )
    return word


def vectors_of(words: Sequence[str], source: str | None) -> Sequence[np.ndarray]:
    """Compute the vectors [d] of words that an artefact does not carry.

    Raises:
        SpaceError: the source has no vector for a word.
        MissingDependencyError: the encoder of the vectors is not installed.
    """
    if not words:
        return []
    from moodal.modalities.text.emotion_vectors import word_vectors

    own = word_vectors(source or UNNAMED)
    return [own.vector(word) for word in words]


def sources(
    word: str,
    branches: Mapping[str, Any],
    weights: Mapping[str, float],
    basics: Sequence[str] = (),
) -> dict[str, str]:
    """Return how each modality knows a word: "learned", "adapted", "guess" or "absent".

    A guess of a modality with weight 0 is left out ("absent") if another present modality knows
    the word or guesses with a higher weight. A basic emotion is never guessed, because the fusion
    weights were learned without guesses of it.

    Args:
        branches: the present modalities, with their ``learned`` and ``adapted`` words.
        weights: modality -> the measured weight of its guesses, 0 to 1.
        basics: the artefact's basic emotions.
    """
    known = {
        stream: "adapted" if word in b.adapted else "learned" if word in b.learned else "guess"
        for stream, b in branches.items()
    }
    if word in basics:
        return {stream: "absent" if how == "guess" else how for stream, how in known.items()}
    better = any(how != "guess" or weights[stream] > 0 for stream, how in known.items())
    return {
        stream: "absent" if how == "guess" and better and not weights[stream] else how
        for stream, how in known.items()
    }


def is_known(sources: Mapping[str, str]) -> bool:
    """Return whether any modality learned a word, in training or by adaptation."""
    return any(source in ("learned", "adapted") for source in sources.values())
