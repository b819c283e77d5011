"""Which emotions are asked for, and how each modality knows them.

An artefact knows words by their vectors. What is asked may be one of its basic emotions, a word
that some modality learned, a declared synonym of one, a word that `moodal adapt` taught it, or
any other, whose vector is computed anew: then it is a guess, and said to be one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moodal.core.emotions import Value
from moodal.core.errors import SpaceError

LONGEST = 60
"""Characters of a word (or phrase) that may be asked for."""


@dataclass(frozen=True)
class Asked:
    """The words whose scores are wanted, the basic ones first.

    Attributes:
        words: C words as the artefact knows them: the basic emotions, then those asked beside.
        vectors: [C, d] float32; None where the model knows its words without.
        shown: the name as it was asked -> its word, in the order of asking.
        notes: what was taken for what, one sentence each.
        values: of a model of values the words' ranges; none of a model of emotions.
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
) -> Asked:
    """The words of a question.

    Args:
        emotions: as asked; None or none: the basic ones.
        basics: the emotions that every question compares with.
        known: word -> its vector [d], of every word the artefact carries.
        synonyms: other name -> word; declared in the artefact, never guessed.

    Raises:
        SpaceError: an empty, overlong or doubled word.
        MissingDependencyError: a word is new, and what makes its vector is not installed.
    """
    if isinstance(emotions, str):
        emotions = emotions.split(",")
    names = [clean(name) for name in emotions or basics]
    twice = sorted({x for x in names if names.count(x) > 1})
    if twice:
        raise SpaceError(f"An emotion is asked for twice: {', '.join(twice)}.")
    shown, notes = {}, []
    for name in names:
        word = name if name in known else synonyms.get(name, name)
        shown[name] = word
        if word != name:
            notes.append(f"{name} is taken for {word}, as the artefact declares.")
    words = list(dict.fromkeys([*basics, *shown.values()]))
    new = [word for word in words if word not in known]
    vectors = {**known, **dict(zip(new, _new(new), strict=True))}
    return Asked(tuple(words), np.stack([vectors[w] for w in words]), shown, tuple(notes))


def clean(name: str) -> str:
    """Bring an emotion word to lower case and single blanks.

    Raises:
        SpaceError: it is empty, overlong, or has no letter.
    """
    word = " ".join(name.lower().split())
    if not word or not any(c.isalpha() for c in word):
        raise SpaceError(
            f"{name!r} is no emotion word; --emotions takes words with commas between."
        )
    if len(word) > LONGEST:
        raise SpaceError(
            f"{word[:20]!r}... has {len(word)} characters; a word has {LONGEST} at most."
        )
    return word


def _new(words: Sequence[str]) -> np.ndarray:
    """The vectors [n, d] of words that the artefact does not carry."""
    from moodal.modalities.text.minilm import MiniLM

    if not words:
        return np.zeros((0, MiniLM.width), np.float32)
    return np.concatenate(MiniLM(pool=True).encode_many(list(words)))


def sources(
    word: str,
    branches: Mapping[str, Any],
    weights: Mapping[str, float],
    basics: Sequence[str] = (),
) -> dict[str, str]:
    """Modality -> "learned", "adapted", "guess" or "absent", for a word.

    A guess of a modality whose guesses were measured to be worth nothing (weight 0) is left out
    ("absent") where another modality that is there knows or guesses better. A basic emotion is
    never guessed: the sum was learned without guesses of it.

    Args:
        branches: the modalities that are there, with ``learned`` and ``adapted`` words.
        weights: modality -> what its guesses are worth, 0 to 1.
        basics: the artefact's basic emotions.
    """
    told = {
        stream: "adapted" if word in b.adapted else "learned" if word in b.learned else "guess"
        for stream, b in branches.items()
    }
    if word in basics:
        return {stream: "absent" if how == "guess" else how for stream, how in told.items()}
    better = any(how != "guess" or weights[stream] > 0 for stream, how in told.items())
    return {
        stream: "absent" if how == "guess" and better and not weights[stream] else how
        for stream, how in told.items()
    }
