"""95% intervals: the percentile bootstrap, whole clusters drawn at a time.

Utterances of one speaker resemble each other. To draw them one by one would promise more than
the data can hold, so speakers are drawn, with replacement, and their rows come along (Field and
Welsh, "Bootstrapping clustered data", JRSS B 2007). A drawn sample is a row of integer weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

FEW = 10
"""Below this many clusters an interval is a rough guide only."""

_BLOCK = 100  # draws held in memory at a time


def resamples(clusters: Sequence[str], draws: int = 1000, seed: int = 0) -> Iterator[np.ndarray]:
    """Weights [R, N], R at most 100: how often each row came in each of ``draws`` samples."""
    names, member = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=size)
        yield times[:, member].astype(np.float64)


def interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    clusters: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high of a statistic of row weights: [R, N] -> [R] or [R, C].

    >>> values = np.array([0.0, 1.0, 0.0, 1.0])
    >>> low, high = interval(lambda w: w @ values / w.sum(1), ["a", "a", "b", "b"])
    >>> low.item(), high.item()
    (0.5, 0.5)
    """
    drawn = np.concatenate([statistic(w) for w in resamples(clusters, draws, seed)])
    return percentiles(drawn, level)


def intervals(
    statistics: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    clusters: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """All drawn values, [draws] or [draws, C], of several statistics on the same samples."""
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in statistics}
    for weights in resamples(clusters, draws, seed):
        for name, statistic in statistics.items():
            drawn[name].append(statistic(weights))
    return {name: np.concatenate(values) for name, values in drawn.items() if values}


def percentiles(drawn: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Low and high of drawn values [R, ...], those that are NaN left out; NaN if all are."""
    tails = 100 * (1 - level) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is NaN throughout
        low, high = np.nanpercentile(drawn, [tails, 100 - tails], axis=0)
    return low, high


def describe(clusters: Sequence[str], kind: str) -> dict[str, object]:
    """How many clusters there are, and a warning where they are few: a JSON object."""
    count = len(set(clusters))
    warning = None
    if count < FEW:
        warning = (
            f"Only {count} {kind}{'' if count == 1 else 's'}: with fewer than {FEW} clusters the "
            "intervals are rough, and as a rule too narrow."
        )
    elif kind == "utterance":
        warning = (
            "Speakers and dialogues are unknown: utterances are drawn one by one, and the "
            "intervals are too narrow where several come from one speaker."
        )
    return {"kind": kind, "count": count, "rows": len(clusters), "warning": warning}
