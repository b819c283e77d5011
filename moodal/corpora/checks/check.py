"""Checks of a corpus after reading; each gives findings of one sentence."""

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
from moodal.corpora.checks.expected_counts import PUBLISHED
from moodal.corpora.checks.finding import Finding, Level, splits
from moodal.corpora.checks.recordings import media
from moodal.corpora.checks.spellings import spelling_findings
from moodal.corpora.checks.values import value_findings
from moodal.corpora.find import shortened

__all__ = ["Finding", "check"]

_BLOCK = 256
"""Utterances scanned at a time, so that memory-mapped features stay on disk."""


@dataclass(frozen=True)
class _Scan:
    """The figures that one pass over a stream collects.

    Attributes:
        digests: [N] a digest of each row, None where it is empty or all zeros.
        finite: [N] whether all values of a row are finite.
        low, high: [D] the smallest and the largest value of each column.
    """

    digests: list[bytes | None]
    finite: np.ndarray
    low: np.ndarray
    high: np.ndarray


def check(manifest: Manifest) -> list[Finding]:
    """Run all checks of a corpus.

    They compare counts with published totals, and look for missing or unreadable media files,
    duplicates across splits or with different labels, empty rows, values that are not finite,
    constant columns, rows and splits without an emotion, one emotion under several names, and
    speakers in several splits. Every feature is read once.
    """
    if not len(manifest):
        return [Finding("error", "utterances", "The corpus has no utterance.")]
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
        # a value that is not finite makes the sum not finite; so does an overflow
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
    published = PUBLISHED.get(manifest.corpus)
    if published is None:
        yield Finding("note", "counts", f"No published totals are known for {manifest.corpus}.")
        return
    rows_of = splits(manifest) | {"all": np.arange(len(manifest))}
    differences = []
    for split, count in published.utterances.items():
        rows = rows_of.get(split, np.arange(0))
        if len(rows) != count:
            differences.append(f"{split} has {len(rows)} utterances, not {count}")
        for label, expected in published.labels.get(split, {}).items():
            if label in manifest.space.labels:
                actual = int((manifest.labels[rows, manifest.space.index(label)] > 0).sum())
                if actual != expected:
                    differences.append(f"{split} has {actual} {label}, not {expected}")
    if differences:
        listed = shortened(differences, 4, "; ")
        detail = f"Not the published {manifest.corpus}: {listed}."
        yield Finding("warning", "counts", detail)
    else:
        counted = ", ".join(f"{split} {n}" for split, n in published.utterances.items())
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
        detail = f"{len(bare)} of {n} utterances are empty or all zeros: {shortened(bare, 4)}."
        yield Finding("warning", "empty rows", detail)
    else:
        yield Finding("ok", "empty rows", "No utterance is empty.")


def _finite(manifest: Manifest, scans: dict[str, _Scan]) -> Iterator[Finding]:
    finite = {stream: scan.finite for stream, scan in scans.items()}
    if not isinstance(manifest.space, Values):  # values have checks of their own
        # NaN: the corpus says nothing of this emotion in this row
        unsaid = np.isnan(manifest.labels) & (manifest.space.task == "multi")
        finite["labels"] = (np.isfinite(manifest.labels) | unsaid).all(1)
    bad = {name: np.flatnonzero(~rows) for name, rows in finite.items() if not rows.all()}
    for name, rows in bad.items():
        listed = shortened([f"{manifest.utterances[i].id} (row {i})" for i in rows], 4)
        detail = f"{len(rows)} utterances have NaN or infinity in {name}: {listed}."
        yield Finding("error", "values", detail)
    if not bad:
        yield Finding("ok", "values", "All values are finite.")


def _constant(scans: dict[str, _Scan]) -> Iterator[Finding]:
    for stream, scan in scans.items():
        columns = np.flatnonzero(scan.low == scan.high)
        if len(columns):
            listed = shortened([str(c) for c in columns], 4)
            detail = f"{len(columns)} of {len(scan.low)} columns of {stream} never vary: {listed}."
            yield Finding("note", "constant columns", detail)


def _labels(manifest: Manifest) -> Iterator[Finding]:
    space = manifest.space
    yield from value_findings(manifest)
    if isinstance(space, Values):
        return
    yield from spelling_findings(manifest)
    for split, rows in splits(manifest).items():
        labels = manifest.labels[rows]
        none = int((~(labels > 0).any(1)).sum())
        if none:
            level: Level = "note" if space.task == "multi" else "error"
            detail = f"{none} of {len(rows)} utterances of {split} have no emotion at all."
            yield Finding(level, "labels", detail)
        occurs = (labels > 0).any(0)
        missing = [label for label, any_ in zip(space.labels, occurs, strict=True) if not any_]
        if missing:
            detail = f"{split} has no utterance of {shortened(missing, 4)}."
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
