"""95% intervals: the percentile bootstrap over clusters.

Utterances of one speaker are similar, so resampling single utterances would give intervals that
are too narrow. Therefore speakers are drawn with replacement, each with all of its rows (Field and
Welsh, "Bootstrapping clustered data", JRSS B 2007). A sample is a row of integer weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

FEW = 10
"""With fewer clusters an interval is only a rough guide."""

_BLOCK = 100  # samples held in memory at once


def resamples(clusters: Sequence[str], draws: int = 1000, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield blocks of bootstrap samples as weights [R, N]: how often each row was drawn.

    A single cluster has no samples, since its figures could not vary.
    """
    names, member = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    if len(names) < 2:  # every sample would be the rows themselves
        return
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
    """Compute the interval of a statistic.

    Args:
        statistic: row weights [R, N] -> [R] or [R, C].
        clusters: N names; whole clusters are resampled.
        draws: number of samples.
        seed: of the samples.
        level: of the interval, 0 to 1.

    Returns:
        Low and high, each one value or [C]; NaN for a single cluster.

    >>> values = np.array([0.0, 1.0, 0.0, 1.0])
    >>> low, high = interval(lambda w: w @ values / w.sum(1), ["a", "a", "b", "b"])
    >>> low.item(), high.item()
    (0.5, 0.5)
    """
    drawn = [statistic(w) for w in resamples(clusters, draws, seed)]
    if not drawn:
        undefined = np.full_like(statistic(np.ones((1, len(clusters))))[0], np.nan, np.float64)
        return undefined, undefined
    return percentiles(np.concatenate(drawn), level)


def intervals(
    statistics: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    clusters: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Compute several statistics on the same samples: name -> values [draws] or [draws, C]."""
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in statistics}
    for weights in resamples(clusters, draws, seed):
        for name, statistic in statistics.items():
            drawn[name].append(statistic(weights))
    return {name: np.concatenate(values) for name, values in drawn.items() if values}


def percentiles(drawn: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Compute the interval of sampled values [R, ...]; NaN are left out, and NaN if all are NaN."""
    tails = 100 * (1 - level) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is NaN throughout
        low, high = np.nanpercentile(drawn, [tails, 100 - tails], axis=0)
    return low, high


def describe(clusters: Sequence[str], kind: str) -> dict[str, object]:
    """Count the clusters, with a warning where they are few or unknown, as JSON values."""
    count = len(set(clusters))
    warning = None
    if count == 1:
        warning = f"Only 1 {kind}: there are no intervals, as they need several {kind}s."
    elif count < FEW:
        warning = (
            f"Only {count} {kind}s: with fewer than {FEW} clusters the "
            "intervals are rough and usually too narrow."
        )
    elif kind == "utterance":
        warning = (
            "Speakers and dialogues are unknown: single utterances are resampled, and the "
            "intervals are too narrow if several utterances come from one speaker."
        )
    return {"kind": kind, "count": count, "rows": len(clusters), "warning": warning}
