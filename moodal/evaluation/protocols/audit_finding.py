"""Findings of the audit, which its checks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing to know.

    Attributes:
        level: error where the figures cannot be trusted, warning where they answer a narrower
            question, note where it is as well to know.
        what: what is shared, e.g. "speakers"; or "notes" of the corpus.
        between: the two sides, e.g. "train and test".
        count: how many different ones both sides have.
        share: of the rows of the second side, 0 to 1, those concerned.
        examples: up to three, as they stand in the data.
        detail: the sentence for people.
    """

    level: Level
    what: str
    between: str
    count: int
    share: float
    examples: tuple[str, ...]
    detail: str


def listed(names: Sequence[str]) -> str:
    """Join the first names, and count the others.

    >>> listed(["fear", "joy"])
    'fear and joy'
    """
    shown, others = list(names[:5]), len(names) - 5
    last = f"{others} more" if others > 0 else shown.pop()
    return " and ".join(filter(None, (", ".join(shown), last)))
