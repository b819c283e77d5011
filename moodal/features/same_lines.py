"""Same lines: rows of a corpus whose texts say the same, perhaps in different languages.

A corpus of translations repeats a line in many languages. If one of them trains and another
tests, the test has been seen. So such rows get one name in the column ``line``, by whose values a
split keeps them together.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest
from moodal.features.encode import Jobs, encode_items
from moodal.features.store import FeatureStore, item_of
from moodal.modalities.text.e5 import E5

LINE = "line"
"""The column that names the line of a row."""
BLOCK = 2048
"""Rows that are compared at a time."""


def with_same_lines(
    manifest: Manifest, least: float, store: FeatureStore, jobs: Jobs = 1
) -> Manifest:
    """Name the line of each row in the column ``line``: the id of the first row that says it.

    In the order of the corpus, a row belongs to the line that is nearest to it among those with
    the same labels, if their embeddings by multilingual-e5-small have at least the given cosine;
    otherwise it begins a new line.

    Args:
        manifest: a corpus with texts.
        least: the least cosine, between 0 and 1; translations have about 0.9 and more.
        store: keeps the embeddings.
        jobs: the number of processes that encode.

    Raises:
        UsageError: ``least`` is no cosine between 0 and 1.
        DataError: the corpus has no texts.
    """
    if not 0 < least < 1:
        raise UsageError(f"--same-lines is a cosine between 0 and 1, such as 0.9; got {least:g}.")
    items = [item_of(u, "text", manifest.root) for u in manifest.utterances]
    if not any(items):
        raise DataError(f"{manifest.corpus} has no texts, so no lines of it can be compared.")
    what = f"{manifest.corpus} text (comparing lines)"
    frames, _ = encode_items(E5(pool=True), items, store, jobs, what, skip_unreadable=True)
    vectors = np.stack([own[0] if len(own) else np.zeros(E5.width, np.float32) for own in frames])
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, labels in enumerate(manifest.labels):
        groups[labels.tobytes()].append(row)
    first = np.arange(len(manifest))
    for rows in groups.values():
        own = np.array(rows)
        first[own] = own[leaders(vectors[own], least)]
    names = [manifest.utterances[row].id for row in first]
    return dataclasses.replace(
        manifest,
        utterances=tuple(
            dataclasses.replace(u, extra={**u.extra, LINE: name})
            for u, name in zip(manifest.utterances, names, strict=True)
        ),
    )


def leaders(vectors: np.ndarray, least: float) -> np.ndarray:
    """Return for each vector [n, d] of length 1 the first one that it belongs to [n].

    A vector belongs to the nearest of those that begin a group, if their cosine is at least
    ``least``; otherwise it begins a group.

    >>> leaders(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), 0.75).tolist()
    [0, 1, 1]
    """
    belongs = np.arange(len(vectors))
    begun: list[int] = []
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        nearest, cosines = _nearest(block, vectors, begun)
        inside = block @ block.T
        new: list[int] = []
        for i in range(len(block)):
            if new:
                own = inside[i, new]
                if own.max() > cosines[i]:
                    nearest[i], cosines[i] = start + new[int(own.argmax())], own.max()
            if cosines[i] >= least:
                belongs[start + i] = nearest[i]
            else:
                new.append(i)
        begun += [start + i for i in new]
    return belongs


def _nearest(
    block: np.ndarray, vectors: np.ndarray, begun: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest of the vectors that begin a group, and its cosine, for each of a block."""
    nearest = np.full(len(block), -1)
    cosines = np.full(len(block), -1.0)
    for start in range(0, len(begun), BLOCK):
        rows = np.array(begun[start : start + BLOCK])
        own = block @ vectors[rows].T
        best = own.argmax(1)
        closer = own.max(1) > cosines
        nearest[closer] = rows[best[closer]]
        cosines = np.maximum(cosines, own.max(1))
    return nearest, cosines
