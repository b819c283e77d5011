"""Agreement of raters, of people with people and of people with a model, aligned in time.

Every figure is computed from sums over recordings, so that its interval comes from drawing whole
recordings: neighbouring moments of one recording say nearly the same.

Sources: Cohen, "A coefficient of agreement for nominal scales" (1960); Krippendorff, "Computing
Krippendorff's alpha-reliability" (2011); Shrout and Fleiss, "Intraclass correlations" (1979).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.rating import LONGEST, Rater, Rating
from moodal.evaluation.report.intervals import describe, interval

STEP = 0.1
"""Seconds between the moments at which ratings with times are compared."""

MOST_UNITS = 20_000_000
"""Units of all recordings together: at the usual step more than 500 hours."""

Sums = Sequence[np.ndarray]
"""Sums [recordings, ...] from which a figure is computed, each weighted alike."""


@dataclass(frozen=True)
class Aligned:
    """The ratings of all raters in the same units: moments of recordings, or whole items.

    Attributes:
        raters: their names.
        emotions: the labels that occur, in alphabetical order.
        recordings: the name of each recording.
        of: [units] the number of each unit's recording.
        labels: [raters, units] the number of the emotion; -1 where none was chosen.
        values: value -> [raters, units]; NaN where there is none.
        step: seconds of a unit; None of whole items.
    """

    raters: tuple[str, ...]
    emotions: tuple[str, ...]
    recordings: tuple[str, ...]
    of: np.ndarray
    labels: np.ndarray
    values: Mapping[str, np.ndarray]
    step: float | None

    def summed(self, units: np.ndarray) -> np.ndarray:
        """Sum an array of units [units, ...] within each recording: [recordings, ...]."""
        sums = np.zeros((len(self.recordings), *units.shape[1:]))
        np.add.at(sums, self.of, units)
        return sums


def align(raters: Sequence[Rater], step: float = STEP) -> Aligned:
    """Bring ratings to common units.

    A recording in which any rating has times is compared every ``step`` seconds; a rating without
    times holds for all of it. Other recordings are compared by the ids of what is rated. Where
    ratings of one rater overlap, the one that begins last counts.

    Args:
        raters: at least two.
        step: seconds, above 0.

    Raises:
        UsageError: the step is not above 0, or so short that there are more than `MOST_UNITS`.
        DataError: there are fewer than two raters, no recording that two of them rated, or a
            rating that ends after `LONGEST`.
    """
    if not 0 < step < math.inf:
        raise UsageError(f"--step is above 0 seconds; got {step:g}.")
    if len(raters) < 2:
        one = ", ".join(r.name for r in raters) or "nobody"
        raise DataError(f"Agreement needs at least two raters; there is {one}.")
    by_recording: dict[str, list[list[Rating]]] = defaultdict(lambda: [[] for _ in raters])
    for i, rater in enumerate(raters):
        for rating in rater.ratings:
            by_recording[rating.recording or rating.unit][i].append(rating)
    shared = {name: own for name, own in by_recording.items() if sum(map(bool, own)) > 1}
    if not shared:
        raise DataError(_nothing_shared(raters))
    _require_few_units(raters, shared, step)
    emotions = sorted({r.label for own in shared.values() for rs in own for r in rs if r.label})
    names = sorted({v for own in shared.values() for rs in own for r in rs for v in r.values})
    timed = any(r.start is not None for own in shared.values() for rs in own for r in rs)
    parts = [_units(own, emotions, names, step) for own in shared.values()]
    return Aligned(
        tuple(rater.name for rater in raters),
        tuple(emotions),
        tuple(shared),
        np.repeat(np.arange(len(parts)), [labels.shape[1] for labels, _ in parts]),
        np.concatenate([labels for labels, _ in parts], axis=1),
        {v: np.concatenate([values[v] for _, values in parts], axis=1) for v in names},
        step if timed else None,
    )


def _require_few_units(
    raters: Sequence[Rater], shared: Mapping[str, Sequence[Sequence[Rating]]], step: float
) -> None:
    """Check that the units of all recordings fit in memory, before there are any.

    Raises:
        UsageError: the step is too short.
        DataError: a rating ends too late.
    """
    for name, own in shared.items():
        for rater, ratings in zip(raters, own, strict=True):
            late = next((r.end for r in ratings if r.end is not None and r.end > LONGEST), None)
            if late is not None:
                raise DataError(
                    f"{rater.name} rates {name} until {late:g} seconds, more than "
                    f"{LONGEST // 86_400} days; mend the time, which is in seconds."
                )
    count = sum(_end(own) / step for own in shared.values())
    if count > MOST_UNITS:
        raise UsageError(
            f"--step {step:g} gives {count:,.0f} moments, and {MOST_UNITS:,} at most are compared; "
            "choose a longer step."
        )


def _count(ratings: Sequence[Sequence[Rating]], step: float) -> int:
    """Return the number of units of a recording: moments if any rating has times, else ids."""
    if end := _end(ratings):
        return max(1, math.ceil(round(end / step, 6)))
    return len({r.unit for own in ratings for r in own})


def _end(ratings: Sequence[Sequence[Rating]]) -> float:
    """Return the last second that is rated in a recording; 0 where no rating has times."""
    return max((r.end for own in ratings for r in own if r.end is not None), default=0.0)


def _nothing_shared(raters: Sequence[Rater]) -> str:
    """Return the sentence on raters who have no recording in common, with a name of each."""
    first, other = (next(iter(r.ratings), Rating("nothing")) for r in raters[:2])
    return (
        f"No recording was rated by two raters: {raters[0].name} rated for instance "
        f"'{first.recording or first.unit}', and {raters[1].name} "
        f"'{other.recording or other.unit}'; give recordings the same name in both, which is "
        "compared without folder and ending."
    )


def _units(
    ratings: Sequence[Sequence[Rating]],
    emotions: Sequence[str],
    names: Sequence[str],
    step: float,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return labels [raters, units] and values [raters, units] of one recording."""
    timed = _end(ratings) > 0
    ids = sorted({r.unit for own in ratings for r in own})
    count = _count(ratings, step)
    labels = np.full((len(ratings), count), -1)
    values = {name: np.full((len(ratings), count), np.nan) for name in names}
    moments = (np.arange(count) + 0.5) * step
    for i, own in enumerate(ratings):
        for r in sorted(own, key=lambda r: -1.0 if r.start is None else r.start):
            if not timed:
                at = np.array([ids.index(r.unit)])
            elif r.start is None or r.end is None:
                at = np.arange(count)
            else:
                at = np.flatnonzero((moments >= r.start) & (moments < r.end))
            if r.label is not None:
                labels[i, at] = emotions.index(r.label)
            for name, value in r.values.items():
                values[name][i, at] = value
    return labels, values


def alpha_of_labels(coincidences: np.ndarray) -> np.ndarray:
    """Compute Krippendorff's alpha from coincidences [..., K, K] of labels: [...].

    1 - (n - 1) (n - sum of o_kk) / (n^2 - sum of n_k^2); NaN where one label alone occurs.
    """
    of_label = coincidences.sum(-1)
    n = of_label.sum(-1)
    alike = np.trace(coincidences, axis1=-2, axis2=-1)
    return 1 - (n - 1) * _ratio(n - alike, n**2 - (of_label**2).sum(-1))


def coincidences(aligned: Aligned, rows: Sequence[int]) -> np.ndarray:
    """Count how often labels meet in a unit, as Krippendorff does: [recordings, K, K]."""
    labels = aligned.labels[list(rows)]
    kept = (labels >= 0).sum(0) > 1  # alone: a mistyped end leaves days that one rater rated
    labels = labels[:, kept]
    counts = (labels[..., None] == np.arange(len(aligned.emotions))).sum(0).astype(float)
    weights = 1 / (counts.sum(1) - 1)
    pairs = counts[:, :, None] * counts[:, None] - np.eye(counts.shape[1]) * counts[:, None]
    sums = np.zeros((len(aligned.recordings), *pairs.shape[1:]))
    np.add.at(sums, aligned.of[kept], weights[:, None, None] * pairs)
    return sums


def kappa(confusion: np.ndarray) -> np.ndarray:
    """Compute Cohen's kappa of confusions [..., K, K]: [...]; NaN where chance agrees always."""
    n = confusion.sum((-2, -1))
    observed = _ratio(np.trace(confusion, axis1=-2, axis2=-1), n)
    expected = _ratio((confusion.sum(-1) * confusion.sum(-2)).sum(-1), n**2)
    return _ratio(observed - expected, 1 - expected)


def confusion(aligned: Aligned, first: int, second: int) -> np.ndarray:
    """Count the labels of two raters in the units that both rated: [recordings, K, K]."""
    pair = aligned.labels[[first, second]]
    both = (pair >= 0).all(0)
    size = len(aligned.emotions)
    hits = np.zeros((len(aligned.recordings), size, size))
    np.add.at(hits, (aligned.of[both], pair[0, both], pair[1, both]), 1)
    return hits


def alpha_of_values(sums: Sums) -> np.ndarray:
    """Compute Krippendorff's alpha of numbers, by squared differences, from `value_sums`."""
    n, total, squares, differences = sums
    expected = _ratio(2 * n * squares - 2 * total**2, n * (n - 1))
    return 1 - _ratio(_ratio(differences, n), expected)


def value_sums(aligned: Aligned, value: str, rows: Sequence[int]) -> Sums:
    """Sum what `alpha_of_values` needs, over the units that at least two raters rated."""
    x = aligned.values[value][list(rows)]
    rated = np.isfinite(x).sum(0)
    kept = rated > 1
    total, squares = np.nansum(x, 0), np.nansum(x**2, 0)
    differences = (2 * rated * squares - 2 * total**2) / np.maximum(rated - 1, 1)
    return [
        aligned.summed(np.where(kept, part, 0.0)) for part in (rated, total, squares, differences)
    ]


def icc(sums: Sums, *, absolute: bool = True) -> np.ndarray:
    """Compute the intraclass correlation of single ratings from `icc_sums`.

    ICC(2,1) of absolute agreement, or ICC(3,1) of consistency, which forgives a rater's offset.
    """
    n, squares, rows, columns = sums
    k = columns.shape[-1]
    total = columns.sum(-1)
    middle = _ratio(total**2, n * k)
    between = _ratio(rows / k - middle, n - 1)
    raters = _ratio((columns**2).sum(-1), n) - middle
    rest = _ratio(squares - rows / k - raters, (n - 1) * (k - 1))
    raters = raters / (k - 1)
    below = between + (k - 1) * rest
    if absolute:
        below = below + _ratio(k * (raters - rest), n)
    return _ratio(between - rest, below)


def icc_sums(aligned: Aligned, value: str, rows: Sequence[int]) -> Sums:
    """Sum what `icc` needs, over the units that all of the raters rated."""
    x = aligned.values[value][list(rows)]
    kept = np.isfinite(x).all(0)
    x = np.where(kept, x, 0.0)
    return [
        aligned.summed(part) for part in (kept.astype(float), (x**2).sum(0), x.sum(0) ** 2, x.T)
    ]


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; NaN where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(below) > 1e-12, above / below, np.nan)


def agree(
    raters: Sequence[Rater], *, model: str | None = None, step: float = STEP, seed: int = 0
) -> dict[str, Any]:
    """Compare raters, and return figures with 95% intervals by recording, as JSON values.

    Args:
        raters: at least two.
        model: the name of the rater that is a model; its agreement with people is then reported
            beside that of people with each other.
        step: seconds between the moments that are compared.
        seed: of the intervals.

    Raises:
        UsageError: there is no such model, or the step is not above 0.
        DataError: see `align`.
    """
    aligned = align(raters, step)
    if model is not None and model not in aligned.raters:
        raise UsageError(f"There is no rater {model}; there are {', '.join(aligned.raters)}.")
    comparison = _Comparison(aligned, seed)
    people = [i for i, name in enumerate(aligned.raters) if name != model]
    groups = {"people": people} if len(people) > 1 else {}
    if model is not None or not groups:
        groups["people and model"] = list(range(len(aligned.raters)))
    return {
        "raters": list(aligned.raters),
        "model": model,
        "step": aligned.step,
        "emotions": list(aligned.emotions),
        "clusters": describe(aligned.recordings, "recording"),
        "pairs": [comparison.pair(*two) for two in combinations(range(len(aligned.raters)), 2)],
        "groups": {name: comparison.group(rows) for name, rows in groups.items()},
        "with_model": comparison.with_model(people) if model is not None else None,
        "values": {
            value: {name: comparison.value(value, rows) for name, rows in groups.items()}
            for value in aligned.values
        },
    }


@dataclass(frozen=True)
class _Comparison:
    """The figures of aligned ratings."""

    aligned: Aligned
    seed: int

    def pair(self, first: int, second: int) -> dict[str, Any]:
        """Compare the labels of two raters."""
        hits = confusion(self.aligned, first, second)
        both = hits.sum()
        either = (self.aligned.labels[[first, second]] >= 0).any(0).sum()
        return {
            "raters": [self.aligned.raters[first], self.aligned.raters[second]],
            "units": int(both),
            "share": float(both / either) if either else None,
            "agreement": _number(_ratio(np.trace(hits.sum(0)), both)),
            "kappa": self._figure(lambda c: kappa(c[0]), [hits]),
            "confusion": hits.sum(0).astype(int).tolist(),
        }

    def group(self, rows: Sequence[int]) -> dict[str, Any]:
        """Compare the labels of several raters: alpha, and the mean kappa of their pairs."""
        pairs = [confusion(self.aligned, *two) for two in combinations(rows, 2)]
        own = coincidences(self.aligned, rows)
        return {
            "raters": [self.aligned.raters[i] for i in rows],
            "alpha": self._figure(lambda c: alpha_of_labels(c[0]), [own]),
            "kappa": self._figure(_mean_kappa, pairs),
        }

    def with_model(self, people: Sequence[int]) -> dict[str, Any]:
        """Compare the model's labels with those of each person, and sum what it confuses."""
        (model,) = set(range(len(self.aligned.raters))) - set(people)
        pairs = [confusion(self.aligned, person, model) for person in people]
        return {
            "kappa": self._figure(_mean_kappa, pairs),
            "confusion": sum(pairs).sum(0).astype(int).tolist(),  # type: ignore[union-attr]
        }

    def value(self, value: str, rows: Sequence[int]) -> dict[str, Any]:
        """Compare the numbers that raters give for a value."""
        rated = [i for i in rows if np.isfinite(self.aligned.values[value][i]).any()]
        if len(rated) < 2:
            return {"raters": [self.aligned.raters[i] for i in rated]}
        sums = icc_sums(self.aligned, value, rated)
        return {
            "raters": [self.aligned.raters[i] for i in rated],
            "units": int(sums[0].sum()),
            "alpha": self._figure(alpha_of_values, value_sums(self.aligned, value, rated)),
            "icc": self._figure(icc, sums),
            "icc_consistency": self._figure(lambda s: icc(s, absolute=False), sums),
        }

    def _figure(self, figure: Callable[[Sums], np.ndarray], sums: Sums) -> dict[str, Any]:
        """Compute a figure and its interval, drawing recordings with replacement."""

        def drawn(weights: np.ndarray) -> np.ndarray:
            return figure([np.tensordot(weights, part, axes=(1, 0)) for part in sums])

        low, high = interval(drawn, self.aligned.recordings, seed=self.seed)
        whole = drawn(np.ones((1, len(self.aligned.recordings))))[0]
        return {"value": _number(whole), "low": _number(low), "high": _number(high)}


def _mean_kappa(confusions: Sums) -> np.ndarray:
    """Return the mean kappa of pairs of raters, of those that have one."""
    kappas = np.stack([kappa(one) for one in confusions])
    known = np.isfinite(kappas)
    return _ratio(np.where(known, kappas, 0).sum(0), known.sum(0))


def _number(value: np.ndarray | float) -> float | None:
    """Return a finite number; None, which is null in JSON, for others."""
    return float(value) if np.isfinite(value) else None
