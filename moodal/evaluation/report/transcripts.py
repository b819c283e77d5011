"""The character error rate of a CTC head on the test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moodal.evaluation.metrics import character_error_rate
from moodal.evaluation.metrics.rows import ratio
from moodal.evaluation.report.intervals import interval
from moodal.evaluation.report.measures import number


def ctc_entry(
    references: Sequence[str],
    hypotheses: Sequence[str],
    clusters: Sequence[str],
    draws: int = 1000,
    seed: int = 0,
    infinite: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Compute the character error rate of N transcripts with its interval, as JSON values.

    Args:
        references: N texts as spoken, in the characters of CTC.
        hypotheses: N texts as recognised.
        clusters: N names; whole clusters are resampled.
        draws, seed: of the bootstrap.
        infinite: further values about infinite losses in training, e.g. their number.

    Returns:
        ``character_error_rate``, ``low``, ``high`` (None without any character), ``errors``,
        ``characters``, ``rows``, ``silent`` (rows with an empty reference), ``infinite``, and
        ``by_cluster``: name -> [errors, characters], from which folds are combined.
    """
    errors, characters, _ = character_error_rate(references, hypotheses)
    sums: dict[str, list[int]] = {}
    for name, wrong, count in zip(clusters, errors.tolist(), characters.tolist(), strict=True):
        both = sums.setdefault(str(name), [0, 0])
        both[0] += wrong
        both[1] += count
    silent = int((characters == 0).sum())
    return _entry(sums, len(errors), silent, dict(infinite or {}), draws, seed)


def ctc_combined(
    entries: Sequence[Mapping[str, Any]], draws: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Combine the entries of several folds: all errors over all characters."""
    sums: dict[str, list[int]] = {}
    for entry in entries:
        for name, (wrong, count) in entry["by_cluster"].items():
            both = sums.setdefault(name, [0, 0])
            both[0] += wrong
            both[1] += count
    infinite: dict[str, Any] = {}
    for entry in entries:
        for key, value in entry["infinite"].items():
            infinite[key] = infinite[key] + value if key in infinite else value
    rows, silent = (sum(entry[key] for entry in entries) for key in ("rows", "silent"))
    return _entry(sums, rows, silent, infinite, draws, seed)


def _entry(
    sums: Mapping[str, Sequence[int]],
    rows: int,
    silent: int,
    infinite: dict[str, Any],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Compute rate and interval from the errors and characters of each cluster."""
    errors, characters = np.array(list(sums.values()), np.float64).reshape(-1, 2).T
    low = high = None
    if draws and characters.sum():
        low, high = interval(
            lambda w: ratio(w @ errors, w @ characters), list(sums), draws=draws, seed=seed
        )
    rate = ratio(errors.sum(), characters.sum())
    return {
        "character_error_rate": number(rate),
        "low": number(low),
        "high": number(high),
        "errors": int(errors.sum()),
        "characters": int(characters.sum()),
        "rows": rows,
        "silent": silent,
        "infinite": infinite,
        "by_cluster": {name: [int(a), int(b)] for name, (a, b) in sums.items()},
    }
