"""Only some utterances: a corpus cut down to those with given values in given columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.manifest import Manifest

_SHOWN = 8


def only(manifest: Manifest, where: Mapping[str, str], key: str = "data.where") -> Manifest:
    """The utterances whose columns have these values, e.g. ``{"style": "improvised"}``.

    A column is a field of `moodal.core.records.Utterance` or a key of its ``extra``.

    Args:
        key: what asks for it, for messages.

    Raises:
        UsageError: no utterance has such a column or such a value, or none has all of them.
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
                f"{key}: no utterance of {manifest.corpus} has {column} {value!r}; there is "
                f"{shown}."
            )
        kept &= has
    if not kept.any():
        asked = " and ".join(f"{column} {value!r}" for column, value in where.items())
        raise UsageError(f"{key}: no utterance of {manifest.corpus} has {asked} together.")
    return manifest if kept.all() else manifest.select(np.flatnonzero(kept))


def require_columns(manifest: Manifest, columns: Sequence[str], key: str) -> None:
    """Refuse a column that no utterance has a value in.

    Raises:
        UsageError: names ``key``, which asks for it, and the columns that there are.
    """
    for column in columns:
        if any(manifest.column(column)):
            continue
        extra = sorted({name for u in manifest.utterances for name in u.extra})
        fields = [x for x in ("speaker", "session", "dialogue") if any(manifest.column(x))]
        known = ", ".join([*fields, *extra]) or "none but its ids and labels"
        raise UsageError(f"{key}: {manifest.corpus} has no column {column!r}; it has {known}.")
