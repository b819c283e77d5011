"""A second view of an utterance's words: nearly the same said a little differently, offline.

After Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks", EMNLP-IJCNLP 2019: words left out, swapped with their neighbour and
replaced by equals; and beside it contractions in full, and marks and capitals left out.
Words that carry a feeling or a negation, and what a negation bears on, stay as they are.
English only: of other languages no word is known, so that a negation may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moodal.core.errors import UsageError
from moodal.features.views.audio import random_generator
from moodal.features.views.words import CONTRACTIONS, DEGREES, EQUALS, FEELING, NEGATIONS

SCOPE = 3
"""Words after a negation, in the same clause, that stay as they are."""

_WORD = re.compile(r"\[[^\]]*\]|[^\W_]+(?:['’\-][^\W_]+)*")
_ASKED = frozenset(["i", "you", "he", "she", "it", "we", "they", "this", "that", "there"])

_Change = Callable[[int, np.random.Generator], None]
"""Changes the word at a place."""


@dataclass(frozen=True)
class TextRecipe:
    """How often each change is made.

    Attributes:
        leave_out: share of the words that may be left out, and are.
        swap: share of the neighbouring words that may change places, and do.
        replace: share of the words that have equals, see `EQUALS`, and are replaced.
        contractions: share of the contractions that are written in full.
        marks: probability that commas and full stops go. ! and ? never do.
        capitals: probability that all is in lower case.
    """

    leave_out: float = 0.1
    swap: float = 0.05
    replace: float = 0.5
    contractions: float = 0.3
    marks: float = 0.2
    capitals: float = 0.2

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in vars(self).values()):
            raise UsageError(f"The shares of a text recipe lie within 0 and 1; got {self}.")


def text_view(text: str, seed: int, number: int, recipe: TextRecipe | None = None) -> str:
    """View ``number`` of ``text``: the same for the same seed, number and text.

    At least half of its words stay, and one is changed if any can be; else a mark or a
    capital may be; else the text stays as it is.

    >>> text_view("Maybe I'm not happy, you know.", seed=0, number=0)
    'Maybe I am not happy you know'
    """
    return change_text(text, recipe or TextRecipe(), random_generator(seed, number, text.encode()))


def change_text(text: str, recipe: TextRecipe, random: np.random.Generator) -> str:
    """``text`` changed as ``recipe`` says, at least once if that is possible."""
    changed = _Words(text).changed(recipe, random)
    simpler = (
        (recipe.marks, without_marks(changed)),
        (recipe.capitals, changed.lower()),
    )
    if random.random() < recipe.marks:
        changed = without_marks(changed)
    if random.random() < recipe.capitals:
        changed = changed.lower()
    if changed == text:
        others = [other for p, other in simpler if p and other != text]
        changed = str(random.choice(others)) if others else text
    return changed


def without_marks(text: str) -> str:
    """``text`` without its commas, semicolons and full stops, unless nothing else is there.

    >>> without_marks("Well... I see, Mr. Bond. 3.5, really?")
    'Well... I see Mr Bond 3.5 really?'
    """
    bare = re.sub(r"[,;](?=\s|$)|(?<!\.)\.(?=\s|$)", "", text)
    return bare if bare.strip() else text


class _Words:
    """The words of a text, and the marks before, between and after them."""

    def __init__(self, text: str):
        found = list(_WORD.finditer(text))
        self.words = [match.group() for match in found]
        ends = [0, *(match.end() for match in found)]
        starts = [*(match.start() for match in found), len(text)]
        self.marks = [text[end:start] for end, start in zip(ends, starts, strict=True)]
        self.plain = [word.lower().replace("’", "'") for word in self.words]

    def __str__(self) -> str:
        pairs = zip(self.marks, [*self.words, ""], strict=True)
        return "".join(mark + word for mark, word in pairs)

    def changed(self, recipe: TextRecipe, random: np.random.Generator) -> str:
        """The text with what was drawn of all that is possible, and at least one of it."""
        shares: dict[_Change, float] = {
            self._leave_out: recipe.leave_out,
            self._swap: recipe.swap,
            self._replace: recipe.replace,
            self._write_out: recipe.contractions,
        }
        possible = [(change, i) for change, i in self._possible() if shares[change]]
        possible = [possible[k] for k in random.permutation(len(possible))]
        drawn = [(change, i) for change, i in possible if random.random() < shares[change]]
        left = len(self.words) // 2  # how many may still go
        touched: set[int] = set()
        for change, i in drawn or possible[:1]:
            goes = change in (self._leave_out, self._replace)
            if touched.isdisjoint((i - 1, i, i + 1)) and left >= goes:
                change(i, random)
                touched |= {i, i + 1} if change == self._swap else {i}
                left -= goes
        return str(self)

    def _possible(self) -> list[tuple[_Change, int]]:
        """Every change that may be made, each with the word that it is made to."""
        free = self._free()
        possible: list[tuple[_Change, int]] = []
        for i, word in enumerate(self.plain):
            last = i == len(self.plain) - 1
            after = self.marks[i + 1].strip()
            if (
                free[i]
                and len(free) > 3
                and not self.marks[i].strip()
                and (i or after in ("", ","))
            ):
                possible.append((self._leave_out, i))
            if free[i] and not last and free[i + 1] and not after:
                possible.append((self._swap, i))
            if free[i] and word in EQUALS:
                possible.append((self._replace, i))
            # "don't you" has no full form in that order
            asked = word.endswith("n't") and not last and self.plain[i + 1] in _ASKED
            if word in CONTRACTIONS and not asked:
                possible.append((self._write_out, i))
        return possible

    def _free(self) -> list[bool]:
        """Whether each word may be left out, moved or replaced."""
        free, negated = [], 0
        for mark, word in zip(self.marks, self.plain, strict=False):
            if set(mark) & set(",.;:!?…"):
                negated = 0
            negates = word in NEGATIONS or word.endswith("n't")
            kept = negates or negated or word in DEGREES or FEELING.fullmatch(word)
            free.append(not kept and word[0] != "[" and not re.search(r"\d", word))
            negated = SCOPE if negates else max(0, negated - 1)
        return free

    def _leave_out(self, i: int, random: np.random.Generator) -> None:
        before, after = self.marks[i : i + 2]
        joined = before if i == 0 or not (after.strip() or i == len(self.words) - 1) else after
        self.words[i], self.marks[i], self.marks[i + 1] = "", "", joined

    def _swap(self, i: int, random: np.random.Generator) -> None:
        self.words[i : i + 2] = self.words[i + 1], self.words[i]

    def _replace(self, i: int, random: np.random.Generator) -> None:
        equal = str(random.choice(EQUALS[self.plain[i]]))
        self.words[i] = _as_written(equal, self.words[i])

    def _write_out(self, i: int, random: np.random.Generator) -> None:
        self.words[i] = _as_written(CONTRACTIONS[self.plain[i]][0], self.words[i])


def _as_written(word: str, model: str) -> str:
    """``word`` with the capitals of ``model``."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if model[0].isupper() else word
