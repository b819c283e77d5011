"""Votes: what several raters chose for an utterance, the shares of each emotion, and one label.

Labels [N, C] of the task "single" are one-hot, or shares: the part of the raters who chose each
emotion, so that a row sums to 1. What each rater chose, where it is known, is in the utterances'
``extra``, under `RATERS` (who chose what) or `VOTES` (how many chose what).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from moodal.core.errors import DataError
from moodal.core.records import Utterance

RATERS = "raters"
"""Key of ``extra``: JSON, rater -> the emotions that this rater chose, usually one."""

VOTES = "votes"
"""Key of ``extra``: JSON, emotion -> the number of raters who chose it; they have no names."""

NEAR = 1e-5
"""Shares that differ by less are equal; they have 32 bits."""

Rule = Literal["plurality", "majority"]
"""plurality: the emotion with the most votes; majority: the one with more than half of them."""

Ties = Literal["leave_out", "first", "draw"]
"""Of emotions with equally many votes: none, the first in the order of the labels, or one drawn by
a hash of the utterance's id, which is the same in every run."""


@dataclass(frozen=True, slots=True)
class HardRule:
    """The rule by which one emotion is made of votes.

    >>> shares = np.array([[0.6, 0.4, 0.0], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]])
    >>> HardRule("majority").decide(shares, "abc")[1].tolist()
    [True, False, False]
    >>> HardRule("plurality", "first").decide(shares, "abc")[0].argmax(1).tolist()
    [0, 0, 0]
    """

    rule: Rule = "plurality"
    ties: Ties = "leave_out"

    def decide(self, shares: np.ndarray, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Make one emotion of each row of shares [N, C].

        Args:
            shares: each row sums to 1, or is one-hot.
            ids: N names of utterances, for the rule "draw".

        Returns:
            One-hot rows [N, C] float32, and [N] bool: whether the rule decides the row. The rows
            that it does not decide are 0 throughout.
        """
        best = modes(shares)
        one_hot = np.zeros(shares.shape, np.float32)
        decided = best.sum(1) == 1
        if self.rule == "majority":
            decided = shares.max(1, initial=0.0) > 0.5 + NEAR
        elif self.ties != "leave_out":
            decided = best.any(1)
        for row in np.flatnonzero(decided).tolist():
            tied = np.flatnonzero(best[row])
            place = _drawn(ids[row], len(tied)) if self.ties == "draw" else 0
            one_hot[row, tied[place]] = 1.0
        return one_hot, decided

    def __str__(self) -> str:
        if self.rule == "majority":
            return "the emotion with more than half of the votes; rows without one left out"
        ties = {
            "leave_out": "rows with ties left out",
            "first": "of ties the first in the order of the labels",
            "draw": "of ties one drawn by the utterance's id",
        }[self.ties]
        return f"the emotion with the most votes; {ties}"


def modes(shares: np.ndarray) -> np.ndarray:
    """Return the emotions with the most votes of each row: [N, C] bool; none where nobody voted."""
    highest = shares.max(1, keepdims=True, initial=0.0)
    return np.asarray((shares >= highest - NEAR) & (highest > 0))


def _drawn(name: str, count: int) -> int:
    """Draw a number below ``count`` by the hash of a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % count


def is_soft(labels: np.ndarray) -> bool:
    """Return whether label rows [N, C] are shares of which some are neither 0 nor 1."""
    return bool(((labels > NEAR) & (labels < 1 - NEAR)).any())


def shares_of(chosen: Sequence[Mapping[str, float]], labels: Sequence[str]) -> np.ndarray:
    """Return the shares [N, C] float32 of votes: emotion -> weight of each utterance."""
    counts = np.array([[votes.get(x, 0.0) for x in labels] for votes in chosen], np.float64)
    counts = counts.reshape(-1, len(labels))
    return (counts / np.maximum(counts.sum(1, keepdims=True), 1e-12)).astype(np.float32)


def tally(raters: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Count the votes of raters; one who chose several emotions gives each an equal part.

    >>> tally({"E1": ["sad"], "E2": ["sad", "angry"]})
    {'sad': 1.5, 'angry': 0.5}
    """
    counts: dict[str, float] = {}
    for words in raters.values():
        for word in words:
            counts[word] = counts.get(word, 0.0) + 1 / len(words)
    return counts


def merge_votes(utterance: Utterance, merges: Mapping[str, str]) -> Utterance:
    """Return an utterance with merged emotions in its votes, if it has any.

    A rater's choices that become one emotion stay several, so that each has its part of the vote,
    as in the merged labels.

    Raises:
        DataError: its votes are damaged.
    """
    extra = dict(utterance.extra)
    if not extra.keys() & {RATERS, VOTES}:
        return utterance
    if RATERS in extra:
        raters = _raters(utterance)
        extra[RATERS] = written({w: [merges.get(x, x) for x in own] for w, own in raters.items()})
    if VOTES in extra:
        counts: dict[str, int] = {}
        for word, count in _counts(utterance).items():
            counts[merges.get(word, word)] = counts.get(merges.get(word, word), 0) + count
        extra[VOTES] = written(counts)
    return dataclasses.replace(utterance, extra=extra)


def name_raters(utterance: Utterance, named: Callable[[str], str]) -> dict[str, str]:
    """Return an utterance's ``extra`` with other names of the raters in its votes.

    Raises:
        DataError: its votes are damaged.
    """
    if RATERS not in utterance.extra:
        return dict(utterance.extra)
    raters = {named(who): words for who, words in _raters(utterance).items()}
    return {**utterance.extra, RATERS: written(raters)}


def _raters(utterance: Utterance) -> dict[str, list[str]]:
    """Read what each rater chose.

    Raises:
        DataError: it is damaged.
    """
    content = _read(utterance, RATERS)
    for words in content.values():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise _damaged(utterance, "a rater has no list of emotions")
    return content


def _counts(utterance: Utterance) -> dict[str, int]:
    """Read how many raters chose each emotion.

    Raises:
        DataError: it is damaged.
    """
    content = _read(utterance, VOTES)
    if not all(type(count) is int and count >= 0 for count in content.values()):
        raise _damaged(utterance, "an emotion has no number of raters")
    return content


def _read(utterance: Utterance, key: str) -> dict[str, Any]:
    """Read a JSON object in an utterance's ``extra``."""
    try:
        content = json.loads(utterance.extra[key])
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(utterance, error) from None
    if not isinstance(content, dict):
        raise _damaged(utterance, f"{key} holds no object")
    return content


def _damaged(utterance: Utterance, why: object) -> DataError:
    return DataError(f"The votes of {utterance.id} are damaged ({why}); prepare the corpus again.")


def written(votes: Mapping[str, object]) -> str:
    """Write votes as they stand in ``extra``."""
    return json.dumps(votes, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, eq=False)
class Choices:
    """The choices of each rater for N utterances, M in all.

    Attributes:
        rows: [M] int, the utterance of each choice.
        raters: [M] int, its rater: a place in ``names``, or, of a rater without a name, a number
            within the utterance. It is below 0 where ``names`` has others.
        columns: [M] int, the emotion; a rater who chose several has several choices.
        names: of the raters that have one.
    """

    rows: np.ndarray
    raters: np.ndarray
    columns: np.ndarray
    names: tuple[str, ...] = ()

    def select(self, rows: np.ndarray) -> Choices:
        """Return the choices for ``rows``, which are renumbered in that order."""
        order = np.argsort(self.rows, kind="stable")
        first = np.searchsorted(self.rows[order], rows, "left")
        count = np.searchsorted(self.rows[order], rows, "right") - first
        ends = np.cumsum(count)
        total = int(ends[-1]) if len(ends) else 0
        picked = order[np.arange(total) + np.repeat(first - ends + count, count)]
        places = np.repeat(np.arange(len(rows)), count)
        return Choices(places, self.raters[picked], self.columns[picked], self.names)

    def select_columns(self, columns: Sequence[int]) -> Choices:
        """Return the choices of these emotions, which are renumbered in that order."""
        place = np.full(max([*columns, *self.columns.tolist()], default=0) + 1, -1)
        place[list(columns)] = np.arange(len(columns))
        kept = place[self.columns] >= 0
        moved = place[self.columns[kept]]
        return Choices(self.rows[kept], self.raters[kept], moved, self.names)

    def join(self, other: Choices, first: int) -> Choices:
        """Return these choices followed by another's, whose rows are numbered from ``first``."""
        names = tuple(dict.fromkeys([*self.names, *other.names]))
        place = {name: i for i, name in enumerate(names)}
        moved = other._nameless()
        named = moved >= 0
        moved[named] = np.array([place[name] for name in other.names], int)[moved[named]]
        return Choices(
            np.concatenate([self.rows, other.rows + first]),
            np.concatenate([self._nameless(), moved]),
            np.concatenate([self.columns, other.columns]),
            names,
        )

    def _nameless(self) -> np.ndarray:
        """Return the raters, those without a name below 0; older predictions have them from 0."""
        nameless = (self.raters >= 0) & (not self.names)
        return np.where(nameless, -1 - self.raters, self.raters)


def ratings_of(utterances: Sequence[Utterance], labels: Sequence[str]) -> Choices | None:
    """Collect what raters chose from the utterances' ``extra``; None where nothing is known.

    Choices of emotions that are not among ``labels`` are left out.

    Raises:
        DataError: an utterance's votes are damaged.
    """
    column = {label: i for i, label in enumerate(labels)}
    names: dict[str, int] = {}
    choices: list[tuple[int, int, int]] = []
    for row, utterance in enumerate(utterances):
        for rater, word in _choices(utterance):
            if word in column:
                number = rater if isinstance(rater, int) else names.setdefault(rater, len(names))
                choices.append((row, number, column[word]))
    if not choices:
        return None
    rows, raters, columns = np.array(choices, np.int64).T
    return Choices(rows, raters, columns, tuple(names))


def _choices(utterance: Utterance) -> Iterator[tuple[str | int, str]]:
    """Yield rater and emotion of each choice; raters without names have numbers below 0."""
    if RATERS in utterance.extra:
        for who, words in _raters(utterance).items():
            yield from ((who, word) for word in words)
    elif VOTES in utterance.extra:
        number = -1
        for word, count in _counts(utterance).items():
            for _ in range(count):
                yield number, word
                number -= 1
