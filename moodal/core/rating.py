"""Ratings: what a person or a model says of parts of recordings, to be compared with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST = 7 * 86_400
"""Seconds of the longest recording that is rated; a later end is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Rating:
    """The judgement of one rater on one part of a recording.

    Attributes:
        recording: the name of the recording, without folder and ending.
        start, end: seconds; None where the whole unit is rated.
        label: the emotion; None where no emotion was chosen.
        values: value -> number, such as valence.
        unit: the id of what is rated, where there are no times.
    """

    recording: str
    start: float | None = None
    end: float | None = None
    label: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""


@dataclass(frozen=True)
class Rater:
    """A rater and all of its ratings.

    Attributes:
        name: distinct among the raters that are compared.
        ratings: in any order.
    """

    name: str
    ratings: tuple[Rating, ...]
