"""Conversion of label arrays in published files to checked label rows [N, C]."""

from __future__ import annotations

from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.corpora.published.features import array


def _finite(values: Any, place: str) -> np.ndarray:
    values = array(values, place)
    bad = ~np.isfinite(values.astype(np.float64))
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise DataError(f"{place} row {row} is not a finite number; correct or remove that row.")
    return values


def intensities(values: Any, place: str, columns: int) -> np.ndarray:
    """Convert intensities [N, C] from 0 to 3 to [N, C] float32, 1 where above 0.

    Raises:
        DataError: wrong shape, or an intensity outside of 0 to 3.
    """
    values = _finite(values, place)
    if values.ndim != 2 or values.shape[1] != columns:
        raise DataError(f"{place} has shape {values.shape}; labels are [utterances, {columns}].")
    _within(values, place, 0, 3, "an intensity")
    return (values > 0).astype(np.float32)


def one_of(values: Any, place: str, classes: int, *, none: bool = False) -> np.ndarray:
    """Convert one class per row to one-hot rows [N, C] float32.

    The files store [N, C, 2] (the argmax over the last axis is no or yes), 0/1 columns [N, C], or
    an index [N].

    Args:
        values: the labels of the file.
        place: file and key, for messages.
        classes: C.
        none: whether a row may have no class.

    Raises:
        DataError: wrong shape, an index out of range, or a row without exactly one class.
    """
    values = _finite(values, place)
    if values.ndim == 3 and values.shape[1:] == (classes, 2):
        values = values.argmax(axis=-1)
    if values.ndim == 1:
        _within(values, place, 0, classes - 1, "a class number")
        return np.eye(classes, dtype=np.float32)[values.astype(np.int64)]
    if values.ndim != 2 or values.shape[1] != classes:
        raise DataError(
            f"{place} has shape {values.shape}; labels are [utterances, {classes}, 2] "
            f"or [utterances, {classes}]."
        )
    rows = (values != 0).astype(np.float32)
    wrong = (rows.sum(1) > 1) if none else (rows.sum(1) != 1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{place} row {row} has {int(rows[row].sum())} classes, where each row has one; "
            "correct or remove it."
        )
    return rows


def sentiment(values: Any, place: str, bound: float | None = 3) -> np.ndarray:
    """Convert one real value per row, in any shape, to [N, 1] float32.

    Raises:
        DataError: a row has several values, or a value lies outside [-bound, bound].
    """
    values = _finite(values, place)
    if values.ndim == 0 or values.size != len(values):
        raise DataError(f"{place} has shape {values.shape}; sentiment is one value per utterance.")
    if bound is not None:
        _within(values, place, -bound, bound, "a sentiment")
    return values.reshape(-1, 1).astype(np.float32)


def _within(values: np.ndarray, place: str, low: float, high: float, what: str) -> None:
    bad = (values < low) | (values > high)
    if bad.any():
        where = tuple(np.argwhere(bad)[0])
        raise DataError(
            f"{place} row {int(where[0])} is {values[where]}, but {what} lies within {low:g} and "
            f"{high:g}; correct or remove that row."
        )
