"""Means of participants, and the condition means and contrasts that follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from moodal.evaluation.design import Design
from moodal.evaluation.report.intervals import interval
from moodal.evaluation.study_observations import StudyMeasure, StudyObservation


@dataclass(frozen=True, slots=True)
class ConditionMean:
    """The mean over the participants of a condition, and its 95% interval.

    ``low`` and ``high`` are None with fewer than two participants.
    """

    condition: str
    measure: str
    participants: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Contrast:
    """The difference of two conditions, second minus first, and its 95% interval.

    Attributes:
        first, second: the conditions.
        measure: the measure.
        participants: that count: those with both conditions; where nobody has both, all.
        difference: the mean of the participants' differences; where nobody has both, the
            difference of the condition means.
        low, high: None with fewer than two participants, in each condition where nobody has both.
        paired: whether the participants have both conditions.
    """

    first: str
    second: str
    measure: str
    participants: int
    difference: float
    low: float | None
    high: float | None
    paired: bool


@dataclass(frozen=True)
class ParticipantMeans:
    """The means of participants, from which condition means and contrasts follow.

    Attributes:
        participants, conditions: the names, in the order of the design.
        measures: the measures.
        values: [P participants, C conditions, M measures], NaN where something is missing.
    """

    participants: tuple[str, ...]
    conditions: tuple[str, ...]
    measures: tuple[StudyMeasure, ...]
    values: np.ndarray

    @classmethod
    def of(
        cls,
        design: Design,
        observations: Sequence[StudyObservation],
        measures: tuple[StudyMeasure, ...],
    ) -> ParticipantMeans:
        """Average the recordings of each participant in each condition, weighted by their time."""
        participants, conditions = design.participants, design.conditions
        shape = (len(participants), len(conditions), len(measures))
        sums, weights = np.zeros(shape), np.zeros(shape)
        timed = all(o.seconds for o in observations)
        for o in observations:
            place = participants.index(o.row.participant), conditions.index(o.row.condition)
            numbers = np.array([o.values.get(m.name, np.nan) for m in measures])
            weight = (o.seconds or 0.0) if timed else 1.0
            sums[place] += weight * np.nan_to_num(numbers)
            weights[place] += weight * np.isfinite(numbers)
        with np.errstate(invalid="ignore"):
            return cls(participants, conditions, measures, sums / weights)

    @property
    def present(self) -> np.ndarray:
        """The cells in which a participant has any measure, [P, C] bool."""
        return np.asarray(np.isfinite(self.values).any(axis=2))


def condition_means(means: ParticipantMeans, draws: int, seed: int) -> Iterator[ConditionMean]:
    """Yield the mean of each condition and measure that anybody has."""
    for c, condition in enumerate(means.conditions):
        values = means.values[:, c]
        counts = np.isfinite(values).sum(0)
        low, high = _bounds([values], counts, draws, seed)
        averages = _weighted(values, np.ones((1, len(values))))[0]
        for m, measure in enumerate(means.measures):
            if counts[m]:
                ends = low[m], high[m]
                yield ConditionMean(
                    condition, measure.name, int(counts[m]), float(averages[m]), *ends
                )


def contrasts_of(means: ParticipantMeans, draws: int, seed: int) -> Iterator[Contrast]:
    """Yield the difference of each pair of conditions, for each measure."""
    for a, b in combinations(range(len(means.conditions)), 2):
        first, second = means.values[:, a], means.values[:, b]
        paired = bool((means.present[:, a] & means.present[:, b]).any())
        finite = np.isfinite(first), np.isfinite(second)
        if paired:  # of the participants who have both, by measure
            parts = [second - first]
            counts = least = (finite[0] & finite[1]).sum(0)
        else:
            parts = [second, first]
            counts = (finite[0] | finite[1]).sum(0)
            least = np.minimum(finite[0].sum(0), finite[1].sum(0))
        low, high = _bounds(parts, least, draws, seed)
        difference = _difference(parts, np.ones((1, len(first))))[0]
        for m, measure in enumerate(means.measures):
            if least[m]:
                names = means.conditions[a], means.conditions[b], measure.name
                figures = float(difference[m]), low[m], high[m]
                yield Contrast(*names, int(counts[m]), *figures, paired)


def _weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average the participants [P, M] that have a value, with weights [R, P]: [R, M]."""
    with np.errstate(invalid="ignore"):
        sums = weights @ np.nan_to_num(values)
        return np.asarray(sums / (weights @ np.isfinite(values)))


def _difference(parts: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return the mean of one part, or that of the first minus that of the second: [R, M]."""
    first, *others = (_weighted(part, weights) for part in parts)
    return first - others[0] if others else first


Ends = list[float | None]


def _bounds(
    parts: Sequence[np.ndarray], counts: np.ndarray, draws: int, seed: int
) -> tuple[Ends, Ends]:
    """Compute the interval of each measure; None with fewer than two participants."""
    # those who have nothing here are not drawn
    inside = np.any([np.isfinite(part).any(1) for part in parts], axis=0)
    parts = [part[inside] for part in parts]
    names = [f"{i:09d}" for i in range(int(inside.sum()))]
    if len(names) < 2 or not draws:
        return [None] * len(counts), [None] * len(counts)
    ends = interval(lambda w: _difference(parts, w), names, draws=draws, seed=seed)
    low, high = (
        [float(x) if n > 1 else None for x, n in zip(end, counts, strict=True)] for end in ends
    )
    return low, high
