"""ValueInfo and HeadInfo: what an artefact.json says of values and of the heads that read them.

Here, too, is `Info`, the base of all parts of an artefact's description.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from moodal.core.emotions import Targets, Values
from moodal.core.targets import JointTargets

Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1000)]
Bias = Annotated[float, Field(ge=-1000, le=1000)]


class Info(BaseModel):
    """A part of an artefact's description: no unknown keys, no conversions, all numbers finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True
    )


class ValueInfo(Info):
    """The name and the range of a value, see `moodal.core.emotions.Value`."""

    name: Name
    low: float
    high: float

    @classmethod
    def of(cls, space: Targets) -> tuple[ValueInfo, ...]:
        """Return the ranges of a space of values, or of those next to emotions."""
        if isinstance(space, JointTargets):
            space = space.values
        ranges = space.ranges() if isinstance(space, Values) else []
        return tuple(cls(**value) for value in ranges)


class HeadInfo(Info):
    """A head that reads values from the features of a branch, see `moodal.model.heads`.

    Attributes:
        file: the file of its weights.
        terms: the file that names its licence.
        values: what it reads, with the ends of their ranges.
        corpus, licence: the corpus of its training, and its licence.
        rows: "train", "valid" and "test" -> number of rows.
        valid, test: value -> Pearson's r with the corpus's numbers on rows of that part; the
            validation rows chose its settings.
    """

    file: Name
    terms: Name
    values: tuple[ValueInfo, ...] = Field(min_length=1)
    corpus: Name
    licence: Name
    rows: dict[str, Count] = {}
    valid: dict[str, float] = {}
    test: dict[str, float] = {}

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """The lowest and highest number of each value."""
        return [(value.low, value.high) for value in self.values]
