"""Splits of a corpus: the official one, folds that keep groups whole, or published folds.

Validation rows are always taken from the training side; nothing is selected on the test.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.concatenation import origins
from moodal.core.errors import DataError, UsageError
from moodal.core.files import load_json
from moodal.core.manifest import Manifest
from moodal.evaluation.protocols import emobox
from moodal.evaluation.protocols.experiment import Experiment

PARTS = 16
"""Of so many groups without an official split, one validates and one tests."""


def official(manifest: Manifest, rest: str = "") -> Experiment:
    """Return the official train, validation and test split of the corpus.

    Args:
        rest: the column by whose groups the rows without an official split are divided; "": they
            are in no part.

    Raises:
        DataError: the corpus has no official split, or rows without one lack the column.
    """
    rows = {split: manifest.rows(split) for split in ("train", "valid", "test")}
    if rest:
        divided = _divided(manifest, rest)
        rows = {split: np.union1d(own, divided[split]) for split, own in rows.items()}
    empty = [split for split, numbers in rows.items() if not len(numbers)]
    corpora = dict.fromkeys(corpus for corpus, _ in origins(manifest))
    if without := corpora.keys() - {c for own in rows.values() for c, _ in origins(manifest, own)}:
        raise DataError(
            f"{' and '.join(c for c in corpora if c in without)} has no official split, and would "
            "be left out; set split.by to speaker, session or another column instead."
        )
    if empty:
        raise DataError(
            f"{manifest.corpus} has no official {' or '.join(empty)} rows; "
            "set split.by to speaker, session or another column instead."
        )
    return Experiment(
        "official", manifest, rows["train"], rows["valid"], rows["test"], manifest.space.labels
    )


def _divided(manifest: Manifest, by: str) -> dict[str, np.ndarray]:
    """Divide the rows without an official split, in whole groups of a column, by a hash."""
    rows = np.array([i for i, u in enumerate(manifest.utterances) if u.split is None], np.int64)
    groups = manifest.column(by)
    lacking = sum(groups[i] is None for i in rows)
    if lacking:
        raise DataError(
            f"{manifest.corpus}: {lacking} of {len(rows)} utterances without an official split "
            f"have no {by!r}; choose another column for split.rest."
        )
    parts = {0: "test", 1: "valid"}
    places = [hashlib.sha256(str(groups[i]).encode()).digest()[0] % PARTS for i in rows]
    names = np.array([parts.get(place, "train") for place in places], dtype="U5")
    return {split: rows[names == split] for split in ("train", "valid", "test")}


def grouped(
    manifest: Manifest,
    by: str,
    folds: int = 0,
    valid_share: float = 0.15,
    seed: int = 0,
    valid_by: str = "",
) -> Iterator[Experiment]:
    """Yield folds that keep the groups of a column whole; each group is tested once.

    A fold of one group has its name ("fold Ses01") if all names are plain words. Other folds are
    numbered from 0.

    Args:
        manifest: the corpus.
        by: "speaker", "session", "dialogue", or another column of the corpus.
        folds: number of folds (0: one per group). Groups are distributed so that the folds have
            similar sizes.
        valid_share: share of the remaining rows that validates, in whole groups.
        seed: shuffles the groups.
        valid_by: the column whose groups validation keeps whole ("": ``by``). With ``by`` =
            "session", "session" validates on a speaker pair, "dialogue" on some dialogues.

    Raises:
        DataError: rows lack a column, or it has too few groups.
    """
    groups = _groups(manifest, by)
    valid = np.array(_groups(manifest, valid_by, "split.valid_by") if valid_by else groups)
    names = sorted(set(groups))
    folds = folds or len(names)
    if len(names) < max(folds, 3):
        raise DataError(
            f"{manifest.corpus} has {len(names)} values of {by!r}; {max(folds, 3)} are needed "
            f"for {folds} folds with separate train, valid and test rows."
        )
    column = np.array(groups)
    rng = np.random.default_rng(seed)
    by_name = folds == len(names) and _plain(names)
    for number, held in enumerate(_distribute(column, names, folds, rng)):
        test = np.flatnonzero(np.isin(column, held))
        fold = _with_validation(
            manifest, valid, test, f"fold {held[0] if by_name else number}", valid_share, seed
        )
        yield _with_groups(fold, valid, valid_by or by, {"by": by, "test": sorted(held)})


def from_file(
    manifest: Manifest,
    path: Path | str,
    by: str,
    valid_share: float = 0.15,
    seed: int = 0,
    valid_by: str = "",
) -> Iterator[Experiment]:
    """Yield published folds from a JSON file {fold: [ids of its test utterances]}.

    The whole file is checked before the first fold is yielded.

    Args:
        manifest: the corpus.
        path: the JSON file, or EmoBox's lists (`moodal.evaluation.protocols.emobox`).
        by: the column whose groups validation keeps whole.
        valid_share, seed: see `grouped`.
        valid_by: the same as ``by``; it has priority if both are given.

    Raises:
        DataError: the file has another structure, a fold has no plain name or no ids, or an id is
            not in the corpus or occurs twice.
    """
    row_of = {u.id: i for i, u in enumerate(manifest.utterances)}
    if emobox.is_lists(Path(path)):
        folds, note = emobox.read(Path(path), manifest)
        manifest = dataclasses.replace(manifest, notes=(*manifest.notes, *filter(None, [note])))
    else:
        folds = _read(Path(path))
    seen: dict[str, str] = {}
    for name, ids in folds.items():
        where = f"{path}, fold {name!r}"
        if not re.fullmatch(r"\w[\w ]*", name):
            raise DataError(f"{where}: a name may have letters, digits, _ and spaces only.")
        if not ids:
            raise DataError(f"{where}: the fold has no ids; list its test utterances.")
        unknown = [x for x in ids if x not in row_of]
        if unknown:
            raise DataError(
                f"{where}: {len(unknown)} ids are not in {manifest.corpus}, "
                f"the first {unknown[0]!r}."
            )
        for x in ids:
            if x in seen:
                raise DataError(
                    f"{where}: {x!r} is already in fold {seen[x]!r}; remove one of them."
                )
            seen[x] = name
    key = "split.valid_by" if valid_by else "split.by"
    column = np.array(_groups(manifest, valid_by or by, key))
    for name, ids in folds.items():
        test = np.array(sorted(row_of[x] for x in ids), np.int64)
        fold = _with_validation(manifest, column, test, f"fold {name}", valid_share, seed)
        yield _with_groups(fold, column, valid_by or by, {"by": "file", "test": [name]})


def _read(path: Path) -> dict[str, list[str]]:
    """Read the ids of the test utterances of each fold."""
    try:
        folds = load_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a file of folds: {error}.") from None
    if not isinstance(folds, dict) or not all(isinstance(ids, list) for ids in folds.values()):
        raise DataError(f"{path} is not a file of folds: it must contain {{fold: [ids of test]}}.")
    return {name: [str(x) for x in ids] for name, ids in folds.items()}


def _groups(manifest: Manifest, by: str, key: str = "split.by") -> list[str]:
    """Return the value of a column for every row; ``key`` of the recipe is named in messages."""
    groups = manifest.column(by)
    lacking = sum(g is None for g in groups)
    if lacking:
        raise DataError(
            f"{manifest.corpus}: {lacking} of {len(groups)} utterances have no {by!r}; "
            f"choose another column for {key}."
        )
    return [str(g) for g in groups]


def _plain(names: list[str]) -> bool:
    """Check that all names can name folders, also on systems that ignore case."""
    short = all(re.fullmatch(r"[\w-]{1,40}", name) for name in names)
    return short and len({name.casefold() for name in names}) == len(names)


def _with_groups(
    fold: Experiment, column: np.ndarray, valid_by: str, split: dict[str, Any]
) -> Experiment:
    """Return the fold with the names of its groups, for its report."""
    valid = sorted({str(x) for x in column[fold.valid]})
    return dataclasses.replace(fold, split={**split, "valid_by": valid_by, "valid": valid})


def _distribute(
    column: np.ndarray, names: list[str], folds: int, rng: np.random.Generator
) -> list[list[str]]:
    """Distribute groups over folds: the largest group first, each to the smallest fold."""
    if folds == len(names):
        return [[name] for name in names]
    sizes = {name: int((column == name).sum()) for name in names}
    shuffled = [names[i] for i in rng.permutation(len(names))]
    assigned: list[list[str]] = [[] for _ in range(folds)]
    filled = [0] * folds
    for name in sorted(shuffled, key=lambda n: -sizes[n]):
        fold = filled.index(min(filled))
        assigned[fold].append(name)
        filled[fold] += sizes[name]
    return assigned


def _with_validation(
    manifest: Manifest,
    column: np.ndarray,
    test: np.ndarray,
    name: str,
    valid_share: float,
    seed: int,
) -> Experiment:
    """Divide the rows that are not tested into train and validation, in whole groups."""
    rest = np.setdiff1d(np.arange(len(manifest)), test)
    groups = np.unique(column[rest])
    if len(groups) < 2:
        raise UsageError(
            f"{name}: only one group remains for training; validation needs another one."
        )
    order = np.random.default_rng([seed, len(test)]).permutation(groups)
    counts = np.array([(column[rest] == group).sum() for group in order])
    wanted = valid_share * len(rest)
    taken = max(1, min(len(groups) - 1, int(np.searchsorted(np.cumsum(counts), wanted) + 1)))
    is_valid = np.isin(column[rest], order[:taken])
    return Experiment(name, manifest, rest[~is_valid], rest[is_valid], test, manifest.space.labels)
