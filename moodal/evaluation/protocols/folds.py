"""Splits: the corpus's official one, or folds that keep groups whole.

Validation is always taken from the training side; nothing is chosen on the test.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest
from moodal.evaluation.protocols.experiment import Experiment


def official(manifest: Manifest) -> Experiment:
    """The corpus's own train, valid and test.

    Raises:
        DataError: the corpus has no such split.
    """
    rows = {split: manifest.rows(split) for split in ("train", "valid", "test")}
    empty = [split for split, found in rows.items() if not len(found)]
    if empty:
        raise DataError(
            f"{manifest.corpus} has no official {' or '.join(empty)} rows; "
            "set split.by to speaker, session or another column instead."
        )
    return Experiment(
        "official", manifest, rows["train"], rows["valid"], rows["test"], manifest.space.labels
    )


def grouped(
    manifest: Manifest,
    by: str,
    folds: int = 0,
    valid_share: float = 0.15,
    seed: int = 0,
    valid_by: str = "",
) -> Iterator[Experiment]:
    """Folds in which the groups of column ``by`` are whole, each tested once.

    A fold of one group is named by it ("fold Ses01") where all names are plain words; others
    are numbered from 0.

    Args:
        by: "speaker", "session", "dialogue", or a column of the corpus's own.
        folds: how many (0: one per group). Groups are dealt out so that folds
            are of even size.
        valid_share: share of the rows of the training side, in whole groups,
            that validates.
        seed: shuffles the groups.
        valid_by: the column whose groups validation keeps whole ("": ``by``): with ``by`` =
            "session", "session" validates on a speaker pair, "dialogue" on some dialogues.

    Raises:
        DataError: a column is not there, or has too few groups.
    """
    groups = _groups(manifest, by)
    valid = np.array(_groups(manifest, valid_by, "split.valid_by") if valid_by else groups)
    names = sorted(set(groups))
    folds = folds or len(names)
    if len(names) < max(folds, 3):
        raise DataError(
            f"{manifest.corpus} has {len(names)} values of {by!r}; {max(folds, 3)} are needed "
            f"for {folds} folds with train, valid and test apart."
        )
    column = np.array(groups)
    rng = np.random.default_rng(seed)
    by_name = folds == len(names) and _plain(names)
    for number, held in enumerate(_deal(column, names, folds, rng)):
        test = np.flatnonzero(np.isin(column, held))
        fold = _with_validation(
            manifest, valid, test, f"fold {held[0] if by_name else number}", valid_share, seed
        )
        yield _told(fold, valid, valid_by or by, {"by": by, "test": sorted(held)})


def from_file(
    manifest: Manifest,
    path: Path | str,
    by: str,
    valid_share: float = 0.15,
    seed: int = 0,
    valid_by: str = "",
) -> Iterator[Experiment]:
    """Published folds: a JSON object {fold: [ids of its test utterances]}.

    Args:
        by, valid_by: the column whose groups validation keeps whole; the latter where both
            are given.

    Raises:
        DataError: the file is not such an object, a fold has no plain name or no ids, an id
            is not in the corpus or stands twice. Nothing is yielded before all is checked.
    """
    row_of = {u.id: i for i, u in enumerate(manifest.utterances)}
    folds = _read(Path(path))
    seen: dict[str, str] = {}
    for name, ids in folds.items():
        where = f"{path}, fold {name!r}"
        if not re.fullmatch(r"\w[\w ]*", name):
            raise DataError(f"{where}: a name has letters, digits, _ and spaces only.")
        if not ids:
            raise DataError(f"{where}: there is no id in it.")
        unknown = [x for x in ids if x not in row_of]
        if unknown:
            raise DataError(
                f"{where}: {len(unknown)} ids are not in {manifest.corpus}, "
                f"the first {unknown[0]!r}."
            )
        for x in ids:
            if x in seen:
                raise DataError(f"{where}: {x!r} is already in fold {seen[x]!r}; test it once.")
            seen[x] = name
    key = "split.valid_by" if valid_by else "split.by"
    column = np.array(_groups(manifest, valid_by or by, key))
    for name, ids in folds.items():
        test = np.array(sorted(row_of[x] for x in ids), np.int64)
        fold = _with_validation(manifest, column, test, f"fold {name}", valid_share, seed)
        yield _told(fold, column, valid_by or by, {"by": "file", "test": [name]})


def _read(path: Path) -> dict[str, list[str]]:
    """Fold -> the ids of its test utterances."""
    try:
        folds = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a file of folds: {error}.") from None
    if not isinstance(folds, dict) or not all(isinstance(ids, list) for ids in folds.values()):
        raise DataError(f"{path} is not a file of folds: it must hold {{fold: [ids of test]}}.")
    return {name: [str(x) for x in ids] for name, ids in folds.items()}


def _groups(manifest: Manifest, by: str, key: str = "split.by") -> list[str]:
    groups = manifest.column(by)
    lacking = sum(g is None for g in groups)
    if lacking:
        raise DataError(
            f"{manifest.corpus}: {lacking} of {len(groups)} utterances have no {by!r}; "
            f"choose another column for {key}."
        )
    return [str(g) for g in groups]


def _plain(names: list[str]) -> bool:
    """Whether all of them can name folders, on systems that ignore case too."""
    short = all(re.fullmatch(r"[\w-]{1,40}", name) for name in names)
    return short and len({name.casefold() for name in names}) == len(names)


def _told(fold: Experiment, column: np.ndarray, valid_by: str, split: dict[str, Any]) -> Experiment:
    """The fold with its groups named, for its report."""
    valid = sorted({str(x) for x in column[fold.valid]})
    return dataclasses.replace(fold, split={**split, "valid_by": valid_by, "valid": valid})


def _deal(
    column: np.ndarray, names: list[str], folds: int, rng: np.random.Generator
) -> list[list[str]]:
    """Groups to folds, the largest first to the emptiest fold."""
    if folds == len(names):
        return [[name] for name in names]
    sizes = {name: int((column == name).sum()) for name in names}
    shuffled = [names[i] for i in rng.permutation(len(names))]
    dealt: list[list[str]] = [[] for _ in range(folds)]
    filled = [0] * folds
    for name in sorted(shuffled, key=lambda n: -sizes[n]):
        fold = filled.index(min(filled))
        dealt[fold].append(name)
        filled[fold] += sizes[name]
    return dealt


def _with_validation(
    manifest: Manifest,
    column: np.ndarray,
    test: np.ndarray,
    name: str,
    valid_share: float,
    seed: int,
) -> Experiment:
    """The rows that are not tested, parted into train and valid by whole groups."""
    rest = np.setdiff1d(np.arange(len(manifest)), test)
    groups = np.unique(column[rest])
    if len(groups) < 2:
        raise UsageError(f"{name}: one group is left beside the test; validation needs another.")
    order = np.random.default_rng([seed, len(test)]).permutation(groups)
    counts = np.array([(column[rest] == group).sum() for group in order])
    wanted = valid_share * len(rest)
    taken = max(1, min(len(groups) - 1, int(np.searchsorted(np.cumsum(counts), wanted) + 1)))
    is_valid = np.isin(column[rest], order[:taken])
    return Experiment(name, manifest, rest[~is_valid], rest[is_valid], test, manifest.space.labels)
