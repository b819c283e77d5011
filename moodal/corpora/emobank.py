"""EmoBank: English sentences with valence, arousal and dominance.

Buechel and Hahn, "EmoBank: Studying the Impact of Annotation Perspective and Representation Format
on Dimensional Emotion Analysis", EACL 2017. The numbers are weighted means of the writer's and the
reader's perspective, from 1 to 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moodal.core.dimensions import DIMENSIONS
from moodal.core.emotions import Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.core.table_rows import Row, iterate, number

FILE = "emobank.csv"
COLUMNS = ("id", "split", "v", "a", "d", "text")
SPLITS = {"train": "train", "dev": "valid", "test": "test"}
LOW, HIGH = 1.0, 5.0
"""The ends of the scale of the ratings; its middle, 3, is 0 here."""
LICENCE = "CC BY-SA 4.0"


def read(root: Path | str) -> Manifest:
    """Read ``emobank.csv``: id, split, V, A, D (1 to 5) and text.

    Returns:
        Text only; labels [N, 3] valence, arousal and dominance, mapped from 1..5 to -1..1 by
        (x - 3) / 2; splits train, valid (dev) and test. Sentences without a letter or a number
        are kept.

    Raises:
        DataError: the file is missing or lacks a column, or a row has no known split or a number
            outside of 1 to 5.
    """
    path = Path(root) / FILE
    utterances, labels = [], []
    for count, row in _rows(path):
        place = f"{path}, row {count}"
        if row["split"] not in SPLITS:
            raise DataError(
                f"{place}: the split is {row['split']!r}; it must be {', '.join(SPLITS)}."
            )
        labels.append([_number(row[column], column.upper(), place) for column in "vad"])
        split, media = SPLITS[row["split"]], {"text": row["text"] or ""}
        utterances.append(Utterance(row["id"] or str(count), split=split, media=media))
    return Manifest(
        corpus="emobank",
        space=Values(DIMENSIONS),
        utterances=tuple(utterances),
        labels=np.array(labels, np.float32).reshape(-1, len(DIMENSIONS)),
        licence=LICENCE,
        root=str(Path(root).resolve()),
    )


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield the rows with their numbers from 1, below the header."""
    if not path.exists():
        raise DataError(f"{path} is missing; EmoBank is this one file.")
    count = 0
    for count, row in enumerate(iterate(path), 1):
        if missing := [name for name in COLUMNS if name not in row]:
            needed = ",".join(COLUMNS)
            raise DataError(f"{path} has no column {', '.join(missing)}; it needs {needed}.")
        yield count, row
    if not count:
        raise DataError(f"{path} has no rows; fetch it again.")


def _number(text: str | None, column: str, place: str) -> float:
    """Return a rating from -1 to 1."""
    rating = number(text)
    if rating is None:
        raise DataError(f"{place}: {column} is {text!r}, which is no number.")
    if not LOW <= rating <= HIGH:
        raise DataError(f"{place}: {column} is {rating:g}, outside of {LOW:g} to {HIGH:g}.")
    return 2 * (rating - LOW) / (HIGH - LOW) - 1
