"""The same thing twice: on both sides of a split, or with two labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np

from moodal.core.manifest import Manifest
from moodal.corpora.checks.finding import Finding, split_of


def duplicates(
    manifest: Manifest, digests: Mapping[str, Sequence[bytes | None]]
) -> Iterator[Finding]:
    """Utterances that share their id, their text, or all values of a stream.

    Args:
        digests: stream -> of every utterance, or None where there is nothing to compare.
    """
    ids: list[Hashable | None] = [u.id for u in manifest.utterances]
    texts: list[Hashable | None] = [u.text or None for u in manifest.utterances]
    found = list(repeated(manifest, ids, "id"))
    found += repeated(manifest, texts, "text", may_differ=True)
    for stream, values in digests.items():
        found += repeated(manifest, values, f"{stream} features", may_differ=stream == "text")
    if found:
        yield from found
    else:
        yield Finding("ok", "duplicates", "No utterance stands twice.")


def repeated(
    manifest: Manifest, keys: Sequence[Hashable | None], what: str, *, may_differ: bool = False
) -> Iterator[Finding]:
    """Utterances with the same key, on both sides of a split or with other labels.

    ``may_differ``: whether the same thing may well be labelled otherwise (the same
    words, said in another way).
    """
    split = split_of(manifest)
    names = [u.id for u in manifest.utterances]
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for row, value in enumerate(keys):
        if value is not None:
            groups[value].append(row)
    more = [rows for rows in groups.values() if len(rows) > 1]
    across = [rows for rows in more if len({split[i] for i in rows}) > 1]
    if across:
        first = across[0][0]
        other = next(i for i in across[0] if split[i] != split[first])
        yield Finding(
            "warning",
            "duplicates",
            f"{sum(map(len, across))} utterances share their {what} with one of another split, "
            f"e.g. {names[first]} ({split[first]}) and {names[other]} ({split[other]}).",
        )
    pairs = [pair for rows in more if (pair := _contradiction(manifest.labels, split, rows))]
    if pairs:
        a, b = pairs[0]
        yield Finding(
            "note" if may_differ else "warning",
            "duplicates",
            f"{len(pairs)} times the same {what} has different labels within a split, "
            f"e.g. {names[a]} and {names[b]}.",
        )


def _contradiction(
    labels: np.ndarray, split: Sequence[str], rows: Sequence[int]
) -> tuple[int, int] | None:
    """Two of ``rows``, of one split, whose labels differ."""
    first: dict[str, int] = {}
    for row in rows:
        known = first.setdefault(split[row], row)
        if not np.array_equal(labels[row], labels[known]):
            return known, row
    return None
