"""The label columns of a table: one emotion a row, a column per emotion, or a column per value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moodal.core.emotions import RANGES, EmotionSpace, Targets, Value, Values
from moodal.core.errors import DataError, SpaceError
from moodal.core.table_rows import Row, number
from moodal.corpora.find import shortened
from moodal.corpora.table_votes import SHARE, VoteColumns, are_fractions, as_shares, vote_columns

PREFIX = "emotion:"
"""Begins the name of a column that holds an emotion."""

VALUE_PREFIX = "value:"
"""Begins the name of a column that holds a value, such as value:trust[0,4]."""

SHORT = {"v": "valence", "a": "arousal", "d": "dominance"}
"""Names by which the field also calls values; they are taken in declared columns alone."""


@dataclass(frozen=True)
class Labels:
    """The columns of a table that are its labels, and the kind of labels in them.

    Attributes:
        columns: their names.
        read: rows -> the targets and the labels [N, C].
        note: what was taken for what, "" where the table says it.
        extra: a row -> what is kept of the votes in it; None where there are none.
        values: the columns of values next to those of emotions, if any.
    """

    columns: tuple[str, ...]
    read: Callable[[Path, Sequence[Row]], tuple[Targets, np.ndarray]]
    note: str = ""
    extra: Callable[[Row], dict[str, str]] | None = None
    values: Labels | None = None


def label_columns(
    path: Path, columns: Sequence[str], free: Sequence[str], rows: Sequence[Row]
) -> Labels:
    """Find the labels of a table.

    These are the column ``label``; else those of raters' votes, see
    `moodal.corpora.table_votes`; else those named ``emotion:...``; each of them with those named
    ``value:...``; else those named ``value:...`` and columns of numbers that are called as a known
    value; else all other columns of numbers, which are then taken as emotions.

    Args:
        columns: all of the table's.
        free: those without another meaning.

    Raises:
        DataError: there are none, or they are of several kinds.
    """
    named = [c for c in columns if c.startswith(PREFIX)]
    declared = [c for c in columns if c.startswith(VALUE_PREFIX)]
    voted = vote_columns(columns)
    kinds = [*["label"] * ("label" in columns), *(one.columns[0] for one in voted), *named[:1]]
    if len(kinds) > 1:
        raise DataError(
            f"{path} has both a column {kinds[0]} and {kinds[1]}; keep the one or the others."
        )
    if fault := next(filter(None, (votes.fault() for votes in voted)), None):
        raise DataError(f"{path} {fault}.")
    words = None
    if "label" in columns:
        words = Labels(("label",), _one_emotion)
    elif voted:
        words = _votes(voted[0])
    elif named:
        words = _emotions(rows, named)
    if words is not None:
        ranges = [_declared(path, column) for column in declared]
        return replace(words, values=_values(declared, ranges) if declared else None)
    numbers = [c for c in free if c not in declared and _mostly_numbers(rows, c)]
    if values := _value_columns(path, columns, declared, numbers):
        others = [c for c in numbers if c not in values and not declared]
        built_in = [c for c in values if c not in declared]
        note = _note_on_values(built_in, others) if built_in else ""
        return _values(list(values), list(values.values()), note)
    if set(SHORT) <= set(numbers):
        raise DataError(
            f"{path} has the columns V, A and D; if these are valence, arousal and dominance, "
            f"name them with their range, such as {VALUE_PREFIX}valence[1,5]."
        )
    if not numbers:
        raise DataError(
            f"{path} has no column label and no column per emotion or value (it has "
            f"{', '.join(columns) or 'no columns'}); add label, columns such as {PREFIX}happy "
            f"with 0 or 1, or columns such as valence or {VALUE_PREFIX}trust[0,4]."
        )
    note = (
        f"Taken as emotions, being columns of numbers: {', '.join(numbers)}. "
        f"Name them {PREFIX}{numbers[0]} and so on to choose."
    )
    return _emotions(rows, numbers, note)


def _value_columns(
    path: Path, columns: Sequence[str], declared: Sequence[str], numbers: Sequence[str]
) -> dict[str, Value]:
    """Return the columns that hold values, in the table's order; a declared range comes first."""
    values = {column: _declared(path, column) for column in declared}
    names = {value.name for value in values.values()}
    values |= {c: Value.of(c) for c in numbers if c in RANGES and c not in names}
    return {column: values[column] for column in columns if column in values}


def _note_on_values(names: Sequence[str], others: Sequence[str]) -> str:
    ranges = ", ".join(str(Value.of(name)) for name in names)
    left = f" Not taken as emotions: {', '.join(others)}." if others else ""
    return (
        f"Taken as values, being columns of numbers of these names: {ranges}.{left} "
        f"Name them {VALUE_PREFIX}{names[0]} and so on to choose, with another range if it is "
        f"another, such as {VALUE_PREFIX}{names[0]}[1,5]."
    )


def _declared(path: Path, column: str) -> Value:
    """Read the name and range that a column declares."""
    try:
        name, bracket, rest = column.removeprefix(VALUE_PREFIX).strip().partition("[")
        return Value.parse(SHORT.get(name.strip(), name) + bracket + rest)
    except SpaceError as error:
        raise DataError(f"{path}, column {column!r}: {error}") from None


def _values(columns: Sequence[str], values: Sequence[Value], note: str = "") -> Labels:
    def problem(row: Row) -> str | None:
        for column, value in zip(columns, values, strict=True):
            cell = row.get(column)
            if cell is not None and number(cell) is None:
                return f"has {value.name} {cell!r}, which is no number"
        return None

    def read(path: Path, rows: Sequence[Row]) -> tuple[Targets, np.ndarray]:
        refuse(path, rows, problems(rows, problem))
        try:
            space = Values(values)
        except SpaceError as error:
            raise DataError(f"{path}, columns {', '.join(columns)}: {error}") from None
        cells = [[number(row.get(column)) for column in columns] for row in rows]
        # what is missing is not a number, and a finding of the corpus's check
        return space, np.array(cells, np.float32)

    return Labels(tuple(columns), read, note)


def _votes(votes: VoteColumns, note: str = "") -> Labels:
    """Take columns as raters' votes: shares, counts, or what each rater chose."""

    def read(path: Path, rows: Sequence[Row]) -> tuple[Targets, np.ndarray]:
        refuse(path, rows, problems(rows, votes.problem))
        return votes.read(rows)

    return Labels(votes.columns, read, note, votes.extra)


def _emotions(rows: Sequence[Row], columns: Sequence[str], note: str = "") -> Labels:
    """Take columns as emotions, or as the shares of raters if that is what their numbers are."""
    if votes := as_shares(rows, PREFIX, columns):
        named = f"Taken as shares of raters, as every row sums to 1: {', '.join(columns)}."
        return _votes(votes, " ".join(filter(None, (note, named))))
    values = np.array([[number(row.get(c)) or 0.0 for c in columns] for row in rows])
    fractions = are_fractions(values)
    if fractions:
        half = (
            "Numbers between 0 and 1 were taken as the share of raters who saw an emotion: it is "
            f"present from a half on ({', '.join(columns)}). Name columns {SHARE}NAME if the "
            "shares of a row sum to 1."
        )
        note = " ".join(filter(None, (note, half)))

    def problem(row: Row) -> str | None:
        for column in columns:
            value = number(row.get(column))
            if value is None or value < 0:
                return f"has {column} {row.get(column) or 'empty'!r}, not 0 or a number above it"
        return None

    def read(path: Path, rows: Sequence[Row]) -> tuple[Targets, np.ndarray]:
        refuse(path, rows, problems(rows, problem))
        values = np.array([[float(row[c] or 0) for c in columns] for row in rows])
        names = [c.removeprefix(PREFIX).strip().lower() for c in columns]
        return EmotionSpace(names, "multi"), (
            (values >= 0.5) if fractions else (values > 0)
        ).astype(np.float32)

    return Labels(tuple(columns), read, note)


def _one_emotion(path: Path, rows: Sequence[Row]) -> tuple[Targets, np.ndarray]:
    refuse(path, rows, problems(rows, lambda row: None if row.get("label") else "has no label"))
    names = [str(row["label"]).lower() for row in rows]
    labels = sorted(set(names))
    columns = [labels.index(name) for name in names]
    return EmotionSpace(labels, "single"), np.eye(len(labels), dtype=np.float32)[columns]


def _mostly_numbers(rows: Sequence[Row], column: str) -> bool:
    """Return whether more than half of a column's cells are numbers."""
    values = [value for row in rows if (value := row.get(column)) is not None]
    return sum(number(value) is not None for value in values) > len(values) / 2


def problems(rows: Sequence[Row], problem: Callable[[Row], str | None]) -> dict[int, str]:
    """Collect what is wrong with rows: row number -> the fault."""
    return {i: fault for i, row in enumerate(rows) if (fault := problem(row))}


def refuse(path: Path, rows: Sequence[Row], faults: Mapping[int, str]) -> None:
    """Refuse rows with faults in one sentence, which names the first and counts the others.

    Raises:
        DataError: there are faults.
    """
    if faults:
        listed = [
            f"row {i + 1} ({rows[i].get('id') or 'no id'}) {what}" for i, what in faults.items()
        ]
        raise DataError(f"{path}: {shortened(listed)}. Rows are counted from 1, below the header.")
