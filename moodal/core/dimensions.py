"""Dimensions: valence, arousal and dominance of an utterance, and how they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

DIMENSIONS = ("valence", "arousal", "dominance")
"""The names of the dimensions, each from -1 to 1."""

INTENSITY = "intensity"
"""The name of the value that tells how strong the emotion of an expression is, from 0 to 1."""

ANSWER = "answer"
"""The row of the dimensions that are mapped from the fused answer of several modalities."""

Known = Literal["learned", "mapped"]
"""How dimensions are known: learned from people's ratings, or mapped from probabilities by a
published table of coordinates. The two scales differ and are never averaged."""


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Valence, arousal and dominance, each from -1 to 1.

    Attributes:
        valence: from unpleasant to pleasant.
        arousal: from calm to excited.
        dominance: from controlled to in control.
        known: see `Known`.
    """

    valence: float
    arousal: float
    dominance: float
    known: Known

    @property
    def numbers(self) -> tuple[float, float, float]:
        """The three numbers in the order of `DIMENSIONS`."""
        return self.valence, self.arousal, self.dominance


def headline(rows: Mapping[str, Dimensions]) -> str:
    """Choose the row of dimensions that stands for an utterance; "" if there is none.

    It is the row of the fused answer; of a single modality, the row of that modality.

    >>> headline({})
    ''
    """
    return ANSWER if ANSWER in rows else next(iter(rows), "")


def mean(rows: Sequence[Dimensions], weights: Sequence[float]) -> Dimensions:
    """Return the weighted mean of rows that are known in the same way.

    Raises:
        ValueError: the rows are known in several ways, so that their scales differ.
    """
    [known] = {row.known for row in rows}
    if not sum(weights):
        weights = [1.0] * len(rows)
    total = sum(weights)
    valence, arousal, dominance = (
        sum(w * number for w, number in zip(weights, numbers, strict=True)) / total
        for numbers in zip(*(row.numbers for row in rows), strict=True)
    )
    return Dimensions(valence, arousal, dominance, known)
