"""Anyone's own corpus: one table, a row per utterance, beside the recordings.

See docs/corpora-raw.md for the columns and an example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance
from moodal.corpora.find import some
from moodal.corpora.table_rows import ENDINGS, Row, read_rows

CONTENT = ("text", "audio", "video", "image", "face")
PICTURES = ("image", "face")
"""Pictures of a person, or of a face alone: videos of one picture, for every reader."""
SECOND = ("augmented_text", "augmented_audio")
"""Second views: a text, and paths of recordings with a semicolon between them."""

RESERVED = (
    *("id", *CONTENT, *SECOND),
    *("start", "end", "speaker", "session", "dialogue", "split", "label"),
)
"""Column names that are no emotion; ``id`` is required."""

PREFIX = "emotion:"
"""What a column's name may begin with to say that it is an emotion."""

SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
"""Names of splits, in any case, and what they are called here."""


def read(root: Path | str) -> Manifest:
    """Read a CSV, TSV, JSONL or Parquet file, or a folder that holds exactly one.

    Columns: ``id``; any of ``text``, ``audio``, ``video`` (paths from the table's folder);
    ``image`` or ``face``, a picture in place of a video;
    ``augmented_text`` and ``augmented_audio``; ``start`` and ``end`` in seconds; ``speaker``,
    ``session``, ``dialogue``, ``split``; and either ``label``, one emotion a row, or a column
    per emotion with 0 or an intensity: those named ``emotion:...``, or, where none is, every
    other column of numbers. Columns left over go to the utterances' ``extra``.

    Returns:
        Task "single" with a label column (emotions in alphabetical order), else "multi"
        (in the table's order; above 0 counts).

    Raises:
        DataError: columns are missing or at odds, or rows are wrong; the first ones are named.
    """
    path = _table(Path(root))
    rows = read_rows(path)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    emotions = _emotion_columns(path, columns, rows)
    _require(path, columns, emotions)
    _refuse(path, rows, _problems_of_ids(rows))
    _refuse(path, rows, _each(rows, _problem_of_row))
    if "label" in columns:
        space, labels = _single(path, rows)
    else:
        space, labels = _multi(path, rows, emotions)
    kept = {*RESERVED, *emotions}
    notes = []
    if emotions and not emotions[0].startswith(PREFIX):
        notes.append(
            f"Taken as emotions, being columns of numbers: {', '.join(emotions)}. "
            f"Name them {PREFIX}{emotions[0]} and so on to choose."
        )
    return Manifest(
        corpus="table",
        space=space,
        utterances=tuple(_utterance(row, kept) for row in rows),
        labels=labels,
        notes=tuple(notes),
        root=str(path.parent.resolve()),
    )


def examples(path: Path | str, word: str) -> tuple[list[Utterance], list[Utterance]]:
    """The rows of a table that show ``word``, and the others; without a label column all do.

    Columns as for `read`; ``id`` may lack.

    Raises:
        DataError: as `read`.
    """
    path = Path(path)
    rows = [{"id": str(i), **row} for i, row in enumerate(read_rows(path), 1)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    _require(path, [*columns, "label"], ())
    _refuse(path, rows, _each(rows, _problem_of_row))
    found: tuple[list[Utterance], list[Utterance]] = ([], [])
    for row in rows:
        other = (row.get("label") or word).lower() != word
        found[other].append(_utterance(row, {*RESERVED}))
    return found


def _table(root: Path) -> Path:
    """The one table that ``root`` is or holds."""
    if root.is_file():
        return root
    if not root.is_dir():
        raise DataError(f"{root} does not exist; give a table, or the folder that holds one.")
    tables = [p for p in sorted(root.iterdir()) if p.suffix.lower() in ENDINGS]
    if len(tables) != 1:
        found = some([p.name for p in tables], 5) or "none"
        raise DataError(
            f"{root} should hold exactly one table ({', '.join(ENDINGS)}); found {found}. "
            "Give the table's own path."
        )
    return tables[0]


def _emotion_columns(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """The columns that are emotions, if there is no ``label`` column."""
    named = [c for c in columns if c.startswith(PREFIX)]
    if "label" in columns:
        if named:
            raise DataError(
                f"{path} has both a column label and {named[0]}; keep the one or the others."
            )
        return []
    return named or [c for c in columns if c not in RESERVED and _mostly_numbers(rows, c)]


def _mostly_numbers(rows: Sequence[Row], column: str) -> bool:
    """Whether a column is meant to hold numbers, be there a slip or two."""
    values = [value for row in rows if (value := row.get(column)) is not None]
    numbers = sum(_number(value) is not None for value in values)
    return numbers > len(values) / 2


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _require(path: Path, columns: Sequence[str], emotions: Sequence[str]) -> None:
    """Refuse a table without what every corpus needs."""
    has = f"it has {', '.join(columns) or 'no columns'}"
    if "id" not in columns:
        raise DataError(f"{path} has no column id ({has}); give every row a name of its own.")
    if not any(c in columns for c in CONTENT):
        raise DataError(f"{path} has none of the columns {', '.join(CONTENT)} ({has}); add one.")
    if "label" not in columns and not emotions:
        raise DataError(
            f"{path} has no column label and no column per emotion ({has}); add label, or "
            f"columns such as {PREFIX}happy with 0 or 1."
        )


def _each(rows: Sequence[Row], problem: Callable[[Row], str | None]) -> dict[int, str]:
    """Row number -> what is wrong there."""
    return {i: found for i, row in enumerate(rows) if (found := problem(row))}


def _refuse(path: Path, rows: Sequence[Row], problems: Mapping[int, str]) -> None:
    """Say all that is wrong in one sentence: the first three rows, and how many more."""
    if problems:
        told = [
            f"row {i + 1} ({rows[i].get('id') or 'no id'}) {what}" for i, what in problems.items()
        ]
        raise DataError(f"{path}: {some(told)}. Rows are counted from 1, below the header.")


def _problems_of_ids(rows: Sequence[Row]) -> dict[int, str]:
    first: dict[str, int] = {}
    problems = {}
    for i, row in enumerate(rows):
        name = row.get("id")
        if name is None:
            problems[i] = "has no id"
        elif first.setdefault(name, i) != i:
            problems[i] = f"has the same id as row {first[name] + 1}"
    return problems


def _problem_of_row(row: Row) -> str | None:
    for key in ("start", "end"):
        value = row.get(key)
        if value is not None and ((number := _number(value)) is None or number < 0):
            return f"has {key} {value!r}, which is no time in seconds"
    start, end = _number(row.get("start")), _number(row.get("end"))
    if end is not None and (start or 0.0) >= end:
        return f"starts at {start or 0.0:g} s and ends at {end:g} s"
    split = row.get("split")
    if split is not None and split.lower() not in SPLITS:
        return f"has split {split!r}, not train, valid or test"
    seen = [c for c in ("video", *PICTURES) if row.get(c) is not None]
    if len(seen) > 1:
        return f"has {' and '.join(seen)}, of which one is read"
    if all(row.get(c) is None for c in CONTENT):
        return f"has none of {', '.join(CONTENT)}"
    return None


def _single(path: Path, rows: Sequence[Row]) -> tuple[EmotionSpace, np.ndarray]:
    _refuse(path, rows, _each(rows, lambda row: None if row.get("label") else "has no label"))
    names = [str(row["label"]).lower() for row in rows]
    labels = sorted(set(names))
    columns = [labels.index(name) for name in names]
    return EmotionSpace(labels, "single"), np.eye(len(labels), dtype=np.float32)[columns]


def _multi(
    path: Path, rows: Sequence[Row], emotions: Sequence[str]
) -> tuple[EmotionSpace, np.ndarray]:
    def problem(row: Row) -> str | None:
        for column in emotions:
            number = _number(row.get(column))
            if number is None or number < 0:
                return f"has {column} {row.get(column) or 'empty'!r}, not 0 or a number above it"
        return None

    _refuse(path, rows, _each(rows, problem))
    values = np.array([[float(row[c] or 0) for c in emotions] for row in rows])
    names = [c.removeprefix(PREFIX).strip().lower() for c in emotions]
    return EmotionSpace(names, "multi"), (values > 0).astype(np.float32)


def _utterance(row: Row, kept: set[str]) -> Utterance:
    fields: dict[str, Any] = {k: row.get(k) for k in ("text", "speaker", "session", "dialogue")}
    times = _number(row.get("start")), _number(row.get("end"))
    for media in ("audio", "video"):
        clip = row.get(media)
        fields[media] = None if clip is None else Clip(clip, *times)
    picture = row.get("image") or row.get("face")
    if picture is not None:
        fields["video"] = Clip(picture)
    again = row.get("augmented_text")
    paths = (path.strip() for path in (row.get("augmented_audio") or "").split(";"))
    split = row.get("split")
    return Utterance(
        str(row["id"]),
        augmented_text=() if again is None else (again,),
        augmented_audio=tuple(Clip(path) for path in paths if path),
        split=None if split is None else SPLITS[split.lower()],
        extra={k: v for k, v in row.items() if k not in kept and v is not None},
        **fields,
    )
