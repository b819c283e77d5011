"""Subsets: the utterances of a corpus with given values in given columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest

_SHOWN = 8


def only(manifest: Manifest, where: Mapping[str, str], key: str = "data.where") -> Manifest:
    """Select the utterances whose columns have these values, e.g. ``{"style": "improvised"}``.

    Args:
        manifest: the corpus.
        where: column -> value; a column is a field of `moodal.core.records.Utterance` or a key of
            its ``extra``.
        key: the recipe key or option that requests it, for messages.

    Raises:
        UsageError: no utterance has the column or the value, or none has all of them.
    """
    if not where:
        return manifest
    require_columns(manifest, list(where), key)
    kept = np.ones(len(manifest), bool)
    for column, value in where.items():
        values = manifest.column(column)
        has = np.array([x == value for x in values], bool)
        if not has.any():
            known = sorted({str(x) for x in values if x})
            shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
            raise UsageError(
                f"{key}: no utterance of {manifest.corpus} has {column} {value!r}; choose "
                f"one of {shown}."
            )
        kept &= has
    if not kept.any():
        asked = " and ".join(f"{column} {value!r}" for column, value in where.items())
        raise UsageError(f"{key}: no utterance of {manifest.corpus} has {asked} together.")
    return manifest if kept.all() else manifest.select(np.flatnonzero(kept))


def labelled(manifest: Manifest, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """Select the rows that say of every emotion whether it is there.

    Returns:
        These rows, and a stamp with the number of the others; "" if there are none.

    Raises:
        DataError: there is no such row.
    """
    unsaid = np.isnan(manifest.labels[rows])
    whole = ~unsaid.any(1)
    if whole.all():
        return rows, ""
    lacking = ", ".join(
        x for x, any_ in zip(manifest.space.labels, unsaid.any(0), strict=True) if any_
    )
    if not whole.any():
        raise DataError(
            f"{manifest.corpus}: no row to be tested says of every emotion whether it is there; "
            f"leave some of {lacking} out (data.labels, or --emotions)."
        )
    count = int((~whole).sum())
    return rows[whole], f"{count} rows that say nothing of {lacking} left out"


def require_columns(manifest: Manifest, columns: Sequence[str], key: str) -> None:
    """Check that at least one utterance has a value in each of the columns.

    Raises:
        UsageError: the message names ``key``, which requests the column, and the known columns.
    """
    for column in columns:
        if any(manifest.column(column)):
            continue
        extra = sorted({name for u in manifest.utterances for name in u.extra})
        fields = [x for x in ("speaker", "session", "dialogue") if any(manifest.column(x))]
        known = ", ".join([*fields, *extra]) or "only ids and labels"
        raise UsageError(f"{key}: {manifest.corpus} has no column {column!r}; it has {known}.")
