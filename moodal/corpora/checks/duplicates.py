"""The check for duplicates: utterances that occur in several splits, or with several labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np

from moodal.core.manifest import Manifest
from moodal.corpora.checks.finding import Finding, split_of


def duplicates(
    manifest: Manifest, digests: Mapping[str, Sequence[bytes | None]]
) -> Iterator[Finding]:
    """Find utterances that share their id, their text, or all values of a stream.

    Args:
        manifest: the corpus.
        digests: stream -> a digest for every utterance, None where there is nothing to compare.
    """
    ids: list[Hashable | None] = [u.id for u in manifest.utterances]
    texts: list[Hashable | None] = [u.text or None for u in manifest.utterances]
    findings = list(repeated(manifest, ids, "id"))
    findings += repeated(manifest, texts, "text", may_differ=True)
    for stream, values in digests.items():
        findings += repeated(manifest, values, f"{stream} features", may_differ=stream == "text")
    if findings:
        yield from findings
    else:
        yield Finding("ok", "duplicates", "No utterance occurs twice.")


def repeated(
    manifest: Manifest, keys: Sequence[Hashable | None], what: str, *, may_differ: bool = False
) -> Iterator[Finding]:
    """Find utterances with the same key in several splits, or with different labels.

    Args:
        manifest: the corpus.
        keys: one for each utterance, None where there is nothing to compare.
        what: name of the key in the finding.
        may_differ: whether different labels are plausible (the same words, spoken differently).
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
            f"The same {what} has different labels within a split "
            f"{'once' if len(pairs) == 1 else f'{len(pairs)} times'}, "
            f"e.g. {names[a]} and {names[b]}.",
        )


def _contradiction(
    labels: np.ndarray, split: Sequence[str], rows: Sequence[int]
) -> tuple[int, int] | None:
    """Return two of ``rows`` in one split whose labels differ."""
    first: dict[str, int] = {}
    for row in rows:
        earlier = first.setdefault(split[row], row)
        if not np.array_equal(labels[row], labels[earlier]):
            return earlier, row
    return None
