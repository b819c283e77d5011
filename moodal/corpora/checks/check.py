"""What is right and what is odd about a corpus, in short sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from moodal.core.emotions import Values
from moodal.core.manifest import Manifest
from moodal.core.records import Frames
from moodal.corpora.checks.duplicates import duplicates
from moodal.corpora.checks.expected_counts import KNOWN
from moodal.corpora.checks.finding import Finding, Level, some, splits
from moodal.corpora.checks.recordings import media
from moodal.corpora.checks.values import value_findings

__all__ = ["Finding", "check"]

_BLOCK = 256
"""Utterances scanned at a time, so that memory-mapped features stay on disk."""


@dataclass(frozen=True)
class _Scan:
    """One stream read once: per row a digest (None: empty or all zeros) and whether it is
    finite; per column the smallest and largest value."""

    digests: list[bytes | None]
    finite: np.ndarray
    low: np.ndarray
    high: np.ndarray


def check(manifest: Manifest) -> list[Finding]:
    """Everything worth saying about a corpus, check by check.

    Counts against published totals, media files that are missing or cannot be read,
    duplicates across splits, duplicates with other labels, empty rows, values that
    are not finite, constant columns, rows and splits without an emotion, speakers on
    both sides of the splits. Reads every feature once.
    """
    if not len(manifest):
        return [Finding("error", "utterances", "Nothing was found: there is no utterance.")]
    scans = {stream: _scan(frames) for stream, frames in manifest.features.items()}
    return [
        *_counts(manifest),
        *media(manifest),
        *duplicates(manifest, {stream: scan.digests for stream, scan in scans.items()}),
        *_empty(manifest, scans),
        *_finite(manifest, scans),
        *_constant(scans),
        *_labels(manifest),
        *_speakers(manifest),
    ]


def _scan(frames: Frames) -> _Scan:
    digests: list[bytes | None] = []
    finite = np.ones(len(frames), bool)
    low = np.full(frames.width, np.inf, np.float32)
    high = -low
    for first in range(0, len(frames), _BLOCK):
        bounds = frames.offsets[first : first + _BLOCK + 1]
        block = np.ascontiguousarray(frames.values[bounds[0] : bounds[-1]])
        if len(block):
            low = np.fmin(low, np.fmin.reduce(block, axis=0))
            high = np.fmax(high, np.fmax.reduce(block, axis=0))
        # one bad value makes its sum bad; sums that overflow are looked at again
        with np.errstate(all="ignore"):
            suspect = not np.isfinite(block.sum())
        for row, (start, stop) in enumerate(pairwise(bounds), first):
            steps = block[start - bounds[0] : stop - bounds[0]]
            if suspect:
                finite[row] = np.isfinite(steps).all()
            digests.append(_digest(steps) if steps.any() else None)
    return _Scan(digests, finite, low, high)


def _digest(steps: np.ndarray) -> bytes:
    return hashlib.blake2b(steps.tobytes(), digest_size=16).digest()


def _counts(manifest: Manifest) -> Iterator[Finding]:
    known = KNOWN.get(manifest.corpus)
    if known is None:
        yield Finding("note", "counts", f"No published totals are known for {manifest.corpus}.")
        return
    rows_of = splits(manifest) | {"all": np.arange(len(manifest))}
    wrong = []
    for split, count in known.utterances.items():
        rows = rows_of.get(split, np.arange(0))
        if len(rows) != count:
            wrong.append(f"{split} has {len(rows)} utterances, not {count}")
        for label, published in known.labels.get(split, {}).items():
            if label in manifest.space.labels:
                here = int((manifest.labels[rows, manifest.space.index(label)] > 0).sum())
                if here != published:
                    wrong.append(f"{split} has {here} {label}, not {published}")
    if wrong:
        detail = f"Not the published {manifest.corpus}: {some(wrong, '; ')}."
        yield Finding("warning", "counts", detail)
    else:
        counted = ", ".join(f"{split} {n}" for split, n in known.utterances.items())
        yield Finding("ok", "counts", f"As published: {counted}.")


def _empty(manifest: Manifest, scans: dict[str, _Scan]) -> Iterator[Finding]:
    names, n = [u.id for u in manifest.utterances], len(manifest)
    for stream, frames in manifest.features.items():
        for split, rows in splits(manifest).items():
            absent = int((frames.lengths[rows] == 0).sum())
            if absent:
                detail = f"{absent} of {len(rows)} utterances of {split} have no {stream}."
                yield Finding("warning", "empty rows", detail)
    bare = [
        names[i]
        for i, u in enumerate(manifest.utterances)
        if all(scan.digests[i] is None for scan in scans.values()) and not any(u.media.values())
    ]
    if bare:
        detail = f"{len(bare)} of {n} utterances are empty or all zeros: {some(bare)}."
        yield Finding("warning", "empty rows", detail)
    else:
        yield Finding("ok", "empty rows", "No utterance is empty.")


def _finite(manifest: Manifest, scans: dict[str, _Scan]) -> Iterator[Finding]:
    finite = {stream: scan.finite for stream, scan in scans.items()}
    if not isinstance(manifest.space, Values):  # values have checks of their own
        finite["labels"] = np.isfinite(manifest.labels).all(1)
    bad = {name: np.flatnonzero(~rows) for name, rows in finite.items() if not rows.all()}
    for name, rows in bad.items():
        said = some([f"{manifest.utterances[i].id} (row {i})" for i in rows])
        detail = f"{len(rows)} utterances have NaN or infinity in {name}: {said}."
        yield Finding("error", "values", detail)
    if not bad:
        yield Finding("ok", "values", "All values are finite.")


def _constant(scans: dict[str, _Scan]) -> Iterator[Finding]:
    for stream, scan in scans.items():
        columns = np.flatnonzero(scan.low == scan.high)
        if len(columns):
            said = some([str(c) for c in columns])
            detail = f"{len(columns)} of {len(scan.low)} columns of {stream} never change: {said}."
            yield Finding("note", "constant columns", detail)


def _labels(manifest: Manifest) -> Iterator[Finding]:
    space = manifest.space
    if isinstance(space, Values):
        yield from value_findings(manifest)
        return
    for split, rows in splits(manifest).items():
        labels = manifest.labels[rows]
        none = int((~(labels > 0).any(1)).sum())
        if none:
            level: Level = "note" if space.task == "multi" else "error"
            detail = f"{none} of {len(rows)} utterances of {split} have no emotion at all."
            yield Finding(level, "labels", detail)
        there = (labels > 0).any(0)
        lacking = [x for x, found in zip(space.labels, there, strict=True) if not found]
        if lacking:
            detail = f"{split} has no utterance of {some(lacking)}."
            yield Finding("warning", "labels", detail)


def _speakers(manifest: Manifest) -> Iterator[Finding]:
    rows_of = splits(manifest)
    for field in ("speaker", "dialogue"):
        values = manifest.column(field)
        sides = {s: {values[i] for i in rows} - {None} for s, rows in rows_of.items()}
        everyone = set().union(*sides.values()) if sides else set()
        if not everyone or len(rows_of) < 2:
            continue
        shared = [v for v in everyone if sum(v in side for side in sides.values()) > 1]
        if shared:
            detail = f"{len(shared)} of {len(everyone)} {field}s are in more than one split."
            yield Finding("warning", "splits", detail)
        else:
            yield Finding("ok", "splits", f"No {field} is in more than one split.")
