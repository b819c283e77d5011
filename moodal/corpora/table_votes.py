"""The columns of a table that hold raters' votes: shares, counts, or what each rater chose.

`share:NAME` is the share of the raters who chose an emotion, and a row sums to 1; `votes:NAME` is
their number; `rater:NAME` is the emotion that one rater chose, empty where that rater did not rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.table_rows import Row, number
from moodal.core.votes import RATERS, VOTES, shares_of, tally, written

SHARE, COUNT, RATER = "share:", "votes:", "rater:"
"""What the names of such columns begin with."""

ROUNDED = 0.03
"""How far a row of rounded shares may be from 1."""

SEVERAL = ";"
"""Stands between the emotions of a rater who chose several."""


@dataclass(frozen=True)
class VoteColumns:
    """Columns of votes of one kind.

    Attributes:
        prefix: `SHARE`, `COUNT` or `RATER`, or another that is left out of emotions' names.
        columns: their names, with the prefix.
    """

    prefix: str
    columns: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names behind the prefix: of emotions, or of raters."""
        return [column.removeprefix(self.prefix).strip() for column in self.columns]

    def fault(self) -> str | None:
        """Describe what is wrong with the names of the columns; None if nothing is."""
        what = "rater" if self.prefix == RATER else "emotion"
        names = [name.lower() for name in self.names]
        for column, name in zip(self.columns, names, strict=True):
            if not name:
                return f"has a column {column!r} without the name of its {what}; add it"
            if names.count(name) > 1:
                return f"has two columns {self.prefix}{name}; keep one for each {what}"
        return None

    def problem(self, row: Row) -> str | None:
        """Describe what is wrong with a row; None if nothing is."""
        if self.prefix == RATER:
            if any(self._words(row).values()):
                return None
            return f"has no rating in {', '.join(self.columns)}; leave it out, or add one"
        numbers = {column: number(row.get(column) or "0") for column in self.columns}
        whole = self.prefix == COUNT
        for column, value in numbers.items():
            if value is None or value < 0 or (whole and value != round(value)):
                what = "a number of raters" if whole else "a share from 0 to 1"
                return f"has {column} {row.get(column)!r}, which is not {what}"
        total = sum(value for value in numbers.values() if value is not None)
        if whole:
            return None if total else "has no vote at all; leave it out, or add one"
        if abs(total - 1) > ROUNDED:
            return (
                f"has shares that sum to {total:g}, not 1; correct them, or name the columns "
                f"{COUNT}{self.names[0]} and so on if they count raters"
            )
        return None

    def read(self, rows: Sequence[Row]) -> tuple[EmotionSpace, np.ndarray]:
        """Return the emotions and the shares [N, C] of rows without a problem.

        Emotions that raters name are in alphabetical order, others in the table's.
        """
        chosen = [self._chosen(row) for row in rows]
        names = [name.lower() for name in self.names]
        if self.prefix == RATER:
            names = sorted({word for votes in chosen for word in votes})
        space = EmotionSpace(names, "single")
        return space, shares_of(chosen, names)

    def extra(self, row: Row) -> dict[str, str]:
        """Return what raters chose as it is kept in an utterance's ``extra``."""
        if self.prefix == RATER:
            return {RATERS: written({who: x for who, x in self._words(row).items() if x})}
        if self.prefix == COUNT:
            counts = {word: int(count) for word, count in self._chosen(row).items() if count}
            return {VOTES: written(counts)}
        return {}

    def _words(self, row: Row) -> dict[str, list[str]]:
        """Return what each rater chose."""
        cells = ((row.get(column) or "").lower() for column in self.columns)
        return {
            name: list(dict.fromkeys(w.strip() for w in cell.split(SEVERAL) if w.strip()))
            for name, cell in zip(self.names, cells, strict=True)
        }

    def _chosen(self, row: Row) -> dict[str, float]:
        """Return the weight of each emotion's votes."""
        if self.prefix == RATER:
            return tally({who: words for who, words in self._words(row).items() if words})
        values = (number(row.get(column)) or 0.0 for column in self.columns)
        return dict(zip((name.lower() for name in self.names), values, strict=True))


def vote_columns(columns: Sequence[str]) -> list[VoteColumns]:
    """Find the columns of votes of a table, of each kind that it has."""
    kinds = ((p, tuple(c for c in columns if c.startswith(p))) for p in (SHARE, COUNT, RATER))
    return [VoteColumns(prefix, own) for prefix, own in kinds if own]


def as_shares(rows: Sequence[Row], prefix: str, columns: Sequence[str]) -> VoteColumns | None:
    """Take columns of emotions as shares of raters, if that is what their numbers are.

    They are if all lie between 0 and 1, some of them are neither, and every row sums to 1.
    """
    values = np.array([[number(row.get(c)) or 0.0 for c in columns] for row in rows])
    fractions = (values > 0) & (values < 1)
    if not fractions.any() or (values < 0).any() or (values > 1).any():
        return None
    whole = np.abs(values.sum(1) - 1) <= ROUNDED
    return VoteColumns(prefix, tuple(columns)) if whole.all() else None


def are_fractions(values: np.ndarray) -> bool:
    """Return whether numbers [N, C] are at most 1, and some of them neither 0 nor 1."""
    return bool(((values > 0) & (values < 1)).any() and (values <= 1).all())
