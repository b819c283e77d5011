"""The numbers of values such as valence: missing ones, ones out of range, ones that never vary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from moodal.core.emotions import Value, Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.corpora.checks.finding import Finding, splits
from moodal.corpora.find import shortened


def value_findings(manifest: Manifest) -> Iterator[Finding]:
    """Yield what is wrong with the numbers of each value, a sentence for each kind of fault."""
    if manifest.ratings is not None:
        manifest = manifest.rated
    if not isinstance(manifest.space, Values):
        return
    sound = True
    for column, value in enumerate(manifest.space.values):
        numbers = manifest.labels[:, column]
        for finding in (_missing(manifest, value, numbers), _outside(manifest, value, numbers)):
            if finding is not None:
                sound = False
                yield finding
        yield from _constant(manifest, value, numbers)
    if sound:
        ranges = ", ".join(map(str, manifest.space.values))
        yield Finding("ok", "labels", f"Every utterance has its numbers within range: {ranges}.")


def require_values(manifest: Manifest) -> None:
    """Refuse a corpus whose values are missing or outside their range.

    Raises:
        DataError: they are; the message names the first of such utterances.
    """
    for finding in value_findings(manifest):
        if finding.level == "error":
            raise DataError(f"{manifest.corpus}: {finding.detail}")


def _missing(manifest: Manifest, value: Value, numbers: np.ndarray) -> Finding | None:
    rows = np.flatnonzero(~np.isfinite(numbers))
    if not len(rows):
        return None
    detail = (
        f"{_count(len(rows))} no {value.name}: {_names(manifest, rows)}; fill in a number or leave "
        "the row out."
    )
    return Finding("error", "labels", detail)


def _outside(manifest: Manifest, value: Value, numbers: np.ndarray) -> Finding | None:
    # NumPy compares in the 32 bits of the labels: 0.1 is not above 0.1
    rows = np.flatnonzero((numbers < value.low) | (numbers > value.high))
    if not len(rows):
        return None
    low, high = float(numbers[rows].min()), float(numbers[rows].max())
    reach = f"{low:g}" if low == high else f"from {low:g} to {high:g}"
    detail = (
        f"{_count(len(rows))} a {value.name} outside of {value.low:g} to {value.high:g} ({reach}): "
        f"{_names(manifest, rows)}; correct it, or declare the range that is meant, in a table as "
        f"value:{value.name}[LOW,HIGH]."
    )
    return Finding("error", "labels", detail)


def _constant(manifest: Manifest, value: Value, numbers: np.ndarray) -> Iterator[Finding]:
    for split, rows in splits(manifest).items():
        same = np.ptp(numbers[rows]) == 0  # never so where one is missing
        if len(rows) > 1 and same:
            detail = f"All {len(rows)} utterances of {split} have the same {value.name}."
            yield Finding("warning", "labels", detail)


def _count(rows: int) -> str:
    return f"{rows} utterance has" if rows == 1 else f"{rows} utterances have"


def _names(manifest: Manifest, rows: np.ndarray) -> str:
    return shortened([f"{manifest.utterances[row].id} (row {row + 1})" for row in rows], 4)
