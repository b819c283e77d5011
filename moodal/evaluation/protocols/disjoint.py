"""Disjoint values: a second column, e.g. the script, whose tested values training never contains.

Actors of IEMOCAP read the same scripts in every session, so a fold that holds out a session tests
sentences that are in training. Here the test rows of each fold are divided by their value in a
column (the script), and each part is tested by a training without any row of that value.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from moodal.core.errors import DataError
from moodal.evaluation.protocols.experiment import Experiment


def disjoint_by(experiment: Experiment, column: str) -> list[Experiment]:
    """Divide a fold into one experiment per value of a column among its test rows.

    Train and validation lose every row of the tested value. Test rows without a value (improvised
    turns have no script) form one more experiment, whose training loses nothing. Every test row
    is tested once.

    Returns:
        Named "fold 0 script01_1", ..., and last "fold 0 without script".

    Raises:
        DataError: no utterance of the corpus has the column, or no row is left to train or
            validate on.
    """
    manifest = experiment.manifest
    values = np.array([str(x or "") for x in manifest.column(column)])
    if not values.any():
        raise DataError(
            f"{manifest.corpus}: no utterance has a {column!r}; choose another column for "
            "split.apart."
        )
    tested = sorted(set(values[experiment.test].tolist()), key=lambda x: (not x, x))
    names = _names(experiment.name, tested, column)
    return [
        _part(experiment, values, value, column, name)
        for value, name in zip(tested, names, strict=True)
    ]


def _part(
    experiment: Experiment, values: np.ndarray, value: str, column: str, name: str
) -> Experiment:
    """Return the experiment that tests one value; ``values`` [N] are those of all rows."""
    sides = {"train": experiment.train, "valid": experiment.valid}
    if value:
        sides = {side: rows[values[rows] != value] for side, rows in sides.items()}
    for side, rows in sides.items():
        if not len(rows):
            raise DataError(
                f"{experiment.name}: without {column} {value!r} no {side} row is left; choose "
                "another split.valid_by, or another column for split.apart."
            )
    test = experiment.test[values[experiment.test] == value]
    split = {**experiment.split, "apart": {column: value}}
    return dataclasses.replace(
        experiment, name=name, test=test, split=split, train=sides["train"], valid=sides["valid"]
    )


def _names(fold: str, values: list[str], column: str) -> list[str]:
    """Name the parts so that each can name a folder; equal names are numbered."""
    words = [
        re.sub(r"[^\w-]+", "-", x)[:40].strip("-") if x else f"without {column}" for x in values
    ]
    return [f"{fold} {word}" for word in _counted(words)]


def _counted(names: Sequence[str]) -> list[str]:
    """Add a number to names that occur again, regardless of case.

    >>> _counted(["a", "B", "b"])
    ['a', 'B', 'b 2']
    """
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name.casefold()] += 1
        times = seen[name.casefold()]
        out.append(f"{name} {times}" if times > 1 else name)
    return out
