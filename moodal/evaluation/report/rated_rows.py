"""RatedRows: the shares of raters behind the single true emotion of predicted rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.votes import Choices, HardRule, is_soft, ratings_of

ARRAYS = ("shares", "clear", "train_shares", "rating_rows", "raters", "rating_columns")
"""The arrays of stored predictions that hold them."""


@dataclass(frozen=True, eq=False)
class RatedRows:
    """The shares of raters of N rows, and which rows have a single true emotion.

    Attributes:
        shares: [N, C], each row sums to 1.
        clear: [N] bool, whether the rule makes one emotion of the row; the others count only in
            the metrics against shares.
        rule: makes one emotion of the shares.
        ratings: what each rater chose; None where only the shares are known.
        train_shares: [C] the mean shares of the training rows; None where they are unknown.
    """

    shares: np.ndarray
    clear: np.ndarray
    rule: HardRule
    ratings: Choices | None = None
    train_shares: np.ndarray | None = None

    @classmethod
    def of(
        cls, manifest: Manifest, rows: np.ndarray, columns: Sequence[int], rule: HardRule
    ) -> tuple[RatedRows | None, np.ndarray]:
        """Return the shares of a corpus's rows, and their true emotions [n, C] by a rule.

        None, and the labels as they are, where the corpus has one emotion a row, or several.

        Raises:
            DataError: the rule makes one emotion of no row.
        """
        labels = manifest.labels[rows][:, columns]
        if manifest.space.task != "single" or not is_soft(manifest.labels):
            return None, labels
        utterances = [manifest.utterances[row] for row in rows]
        targets, clear = rule.decide(labels, [u.id for u in utterances])
        if not clear.any():
            raise DataError(
                f"{manifest.corpus}: no row to be tested has a single true emotion ({rule}); "
                'choose another votes.truth, or votes.ties = "first".'
            )
        words = [manifest.space.labels[column] for column in columns]
        return cls(labels, clear, rule, ratings_of(utterances, words)), targets

    def rows(self, which: np.ndarray) -> RatedRows:
        """Select rows, in this order."""
        ratings = None if self.ratings is None else self.ratings.select(which)
        return dataclasses.replace(
            self, shares=self.shares[which], clear=self.clear[which], ratings=ratings
        )

    def select(self, columns: Sequence[int]) -> RatedRows:
        """Select columns, in this order; shares are not renormalised."""
        train, ratings = self.train_shares, self.ratings
        return dataclasses.replace(
            self,
            shares=self.shares[:, columns],
            ratings=None if ratings is None else ratings.select_columns(columns),
            train_shares=None if train is None else train[list(columns)],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that are stored with predictions."""
        arrays = {"shares": self.shares, "clear": self.clear}
        if self.train_shares is not None:
            arrays["train_shares"] = self.train_shares
        if self.ratings is not None:
            arrays["rating_rows"] = self.ratings.rows
            arrays["raters"] = self.ratings.raters
            arrays["rating_columns"] = self.ratings.columns
        return arrays

    def head(self) -> dict[str, Any]:
        """Return the texts that are stored with predictions."""
        names = self.ratings.names if self.ratings else ()
        return {"rule": self.rule.rule, "ties": self.rule.ties, "raters": list(names)}

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray], head: Mapping[str, Any]) -> RatedRows:
        """Build them from stored arrays and texts.

        Raises:
            ValueError, KeyError: these are damaged.
        """
        ratings = None
        if "rating_rows" in arrays:
            ratings = Choices(
                arrays["rating_rows"],
                arrays["raters"],
                arrays["rating_columns"],
                tuple(head["raters"]),
            )
        shares, clear, rule = (
            arrays["shares"],
            arrays["clear"],
            HardRule(head["rule"], head["ties"]),
        )
        return cls(shares, clear, rule, ratings, arrays.get("train_shares"))

    def require(self, shape: tuple[int, int], subset: str) -> None:
        """Check that there is a row of shares for each prediction.

        Raises:
            DataError: the sizes differ.
        """
        if self.shares.shape != shape or self.clear.shape != shape[:1]:
            raise DataError(
                f"{subset}: {shape[0]} utterances and {shape[1]} emotions need shares "
                f"{list(shape)}; got {list(self.shares.shape)}."
            )


def join_rated(parts: Sequence[RatedRows | None]) -> RatedRows | None:
    """Concatenate the rows of several predictions; None if any has no shares."""
    rated = [part for part in parts if part is not None]
    if not rated or len(rated) < len(parts):
        return None
    ratings, count = rated[0].ratings, len(rated[0].shares)
    for part in rated[1:]:
        both = ratings is not None and part.ratings is not None
        ratings = ratings.join(part.ratings, count) if both else None  # type: ignore[union-attr, arg-type]
        count += len(part.shares)
    known = [part.train_shares for part in rated if part.train_shares is not None]
    return RatedRows(
        np.concatenate([part.shares for part in rated]),
        np.concatenate([part.clear for part in rated]),
        rated[0].rule,
        ratings,
        np.mean(known, 0) if len(known) == len(rated) else None,
    )
