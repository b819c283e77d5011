"""Databases of audformat: header, schemes, and tables of files or of segments of them.

audEERING, "audformat", audeering.github.io/audformat. The package reads pickled tables and builds
any Python object that a YAML header names; here headers are read as plain data, and pickles not at
all.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from moodal.core.emotions import RANGES
from moodal.core.errors import DataError, UnsafeFileError
from moodal.core.files import load_text
from moodal.core.manifest import Manifest
from moodal.core.table_rows import Row, Table
from moodal.corpora.exchange.rows import FILES, LABEL, imported, words_or_all
from moodal.corpora.find import VIDEO, shortened
from moodal.corpora.table import SPLITS, manifest_of

HEADER = "db.yaml"
FORMATS = (".csv", ".parquet")
"""The kinds of table that are read."""

EMOTION = ("emotion", LABEL)
"""Names of the column with the one emotion of a row, or of its scheme."""

TEXTS = ("text", "transcription", "transcript", "sentence")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

KEY = "moodal"
"""Marks in a scheme's ``meta`` what moodal wrote: "emotion" or "value"."""

_TABLES = ("tables", "misc_tables")
_ID = re.compile(r"[\w][\w .\-]*")


def read(root: Path | str) -> Manifest:
    """Read a database of audformat, whose tables name files or segments of them.

    ``root`` is the folder with ``db.yaml``, or one table in it, such as ``db.emotion.csv``. The
    label is the column ``emotion`` (or of that scheme), with values next to it that moodal wrote
    or that have a known name, a range and no gap; else the columns whose schemes moodal wrote;
    else values called valence, arousal, dominance or sentiment. Tables of splits are joined;
    columns of other tables, such as the speaker, are added by file. Rows without a label are left
    out and counted.

    Raises:
        DataError: there is no header, no table with files or labels, or several that contradict.
        UnsafeFileError: a table is there as a pickle only, or the header names Python objects.
        MissingDependencyError: audformat is not installed.
    """
    root = Path(root)
    folder = root.parent if root.is_file() else root
    database = _load(folder)
    asked = root.name.removeprefix("db.").removesuffix(root.suffix) if root.is_file() else ""
    tables = {name: table for name, table in database.tables.items() if name == asked or not asked}
    if not any(len(table) for table in tables.values()):
        what = f"table {asked!r}" if asked else "table"
        raise DataError(
            f"{folder} has no {what} with files (its tables are {_listed(database)}); give every "
            "row a file: audformat.filewise_index or audformat.segmented_index."
        )
    columns = _label_columns(database, tables)
    if not columns:
        raise DataError(
            f"{folder}: no table has a column emotion, or values such as valence (its tables are "
            f"{_listed(database)}); add one with the scheme emotion."
        )
    rows = _rows(folder, database, tables, columns)
    _add_other_columns(database, tables, columns, rows)
    needed = words_or_all(columns.values())
    kept = [r for r in rows.values() if any(r.get(c) is not None for c in needed)]
    if not kept:
        raise DataError(f"{folder}: no row has a label in {', '.join(needed)}.")
    lost = len(rows) - len(kept)
    notes = [f"{lost} rows without a label were left out."] if lost else []
    _name(kept)
    manifest = manifest_of(folder / HEADER, Table(kept, tuple(notes)), "audformat")
    return manifest


def package() -> Any:
    """Return the package audformat.

    Raises:
        MissingDependencyError: it is not installed.
    """
    return imported("audformat", "Databases of audformat")


def _load(folder: Path) -> Any:
    """Load header and tables through a copy that holds neither pickles nor Python objects."""
    audformat = package()
    import yaml  # which audformat needs itself

    if not (folder / HEADER).is_file():
        raise DataError(f"{folder} has no {HEADER}; give the folder of an audformat database.")
    try:
        header = yaml.safe_load(load_text(folder / HEADER))
    except yaml.constructor.ConstructorError as error:
        raise UnsafeFileError(
            f"{folder / HEADER} names a Python object ({error.problem}), which is never built; "
            "write the header with audformat again."
        ) from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise DataError(f"{folder / HEADER} is no header of audformat ({error}).") from None
    kinds = (dict, type(None))
    if not isinstance(header, dict) or not all(isinstance(header.get(k), kinds) for k in _TABLES):
        raise DataError(f"{folder / HEADER} is no header of audformat; it has no table of keys.")
    with tempfile.TemporaryDirectory() as part:
        for name in _tables(folder, header):
            _copy_table(folder, str(name), Path(part))
        text = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
        (Path(part) / HEADER).write_text(text, encoding="utf-8")
        with _damages(folder):
            return audformat.Database.load(part, load_data=True)


@contextlib.contextmanager
def _damages(folder: Path) -> Iterator[None]:
    """Turn what audformat and pandas raise on a damaged database into one sentence."""
    try:
        yield
    except Exception as error:  # readers of tables raise many kinds on damaged text
        raise DataError(
            f"{folder} is no database that audformat reads ({str(error) or type(error).__name__})."
        ) from None


def _tables(folder: Path, header: Mapping[str, Any]) -> list[str]:
    """Return the names of the tables in a header, all of them plain."""
    names = [name for key in _TABLES for name in header.get(key) or ()]
    for name in names:
        if not _ID.fullmatch(str(name)):
            raise UnsafeFileError(
                f"{folder / HEADER} has a table called {str(name)!r}, which may lie elsewhere; "
                "names of tables have letters, digits, dots and dashes."
            )
    return [str(name) for name in names]


def _copy_table(folder: Path, name: str, part: Path) -> None:
    """Copy the csv or Parquet file of a table."""
    files = [folder / f"db.{name}{ending}" for ending in FORMATS]
    present = [file for file in files if file.is_file()]
    if not present and (folder / f"db.{name}.pkl").exists():
        raise UnsafeFileError(
            f"{folder}: the table {name} is there as a pickle only, which could run code; save it "
            'with db.save(root, storage_format="csv").'
        )
    if not present:
        raise DataError(f"{folder}: {files[0].name} is missing; copy the whole database.")
    for file in present:
        shutil.copyfile(file, part / file.name)


def _listed(database: Any) -> str:
    names = [f"{name} with {len(t)} rows" for name, t in database.tables.items()]
    names += [f"{name} without files" for name in database.misc_tables]
    return shortened(names, 6) or "none"


def _label_columns(database: Any, tables: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the columns that are labels: (table, column) -> the column of our table."""
    every = [
        (name, column_id, column, database.schemes.get(column.scheme_id or ""))
        for name, table in tables.items()
        for column_id, column in table.columns.items()
    ]
    for name, column_id, column, _ in every:
        if EMOTION[0] in (column_id, column.scheme_id) or column_id == LABEL:
            emotions = {(n, c): LABEL for n, c, x, _ in every if _is_emotion(c, x)}
            if (name, column_id) not in emotions:
                return {}
            labelled = {n: tables[n] for n, _ in emotions}
            return emotions | {
                (n, c): _target(c, scheme, "value")
                for n, c, _, scheme in every
                if n in labelled and _is_value(c, scheme, labelled)
            }
    marked = {}
    for name, column_id, _, scheme in every:
        kind = (scheme.meta if scheme is not None else {}).get(KEY)
        if kind in ("emotion", "value") or column_id.lower() in RANGES:
            marked[name, column_id] = _target(column_id, scheme, kind or "value")
    return marked


def _is_emotion(column_id: str, column: Any) -> bool:
    return EMOTION[0] in (column_id, column.scheme_id) or column_id == LABEL


def _is_value(column_id: str, scheme: Any, tables: Mapping[str, Any]) -> bool:
    """Return whether a column next to emotions holds values.

    It does if moodal wrote it; else if it is called as a known value, has a range, and no row of
    the tables lacks a number.
    """
    if scheme is None or scheme.minimum is None or scheme.maximum is None:
        return False
    if scheme.meta.get(KEY) == "value":
        return True
    return column_id.lower() in RANGES and all(
        column_id in table.columns and table.get()[column_id].notna().all()
        for table in tables.values()
    )


def _target(column_id: str, scheme: Any, kind: str) -> str:
    """Return the column of our table for a column of audformat."""
    name = column_id.removeprefix(f"{kind}.").lower()
    if kind == "emotion":
        return f"emotion:{name}"
    low, high = (scheme.minimum, scheme.maximum) if scheme is not None else (None, None)
    return name if low is None or high is None else f"value:{name}[{low:g},{high:g}]"


Place = tuple[str, float, float | None]
"""File, start and end in seconds."""


def _rows(
    folder: Path,
    database: Any,
    tables: Mapping[str, Any],
    columns: Mapping[tuple[str, str], str],
) -> dict[Place, Row]:
    """Return the rows of the tables with labels; those of one place in two tables are refused."""
    rows: dict[Place, Row] = {}
    owner: dict[Place, str] = {}
    for name in dict.fromkeys(table for table, _ in columns):
        table = tables[name]
        split = database.splits[table.split_id].type if table.split_id else None
        for number, place in enumerate(_places(table), 1):
            if not place[0].strip():
                raise DataError(
                    f"{folder}, table {name}, row {number} has no file; name one, or leave it out."
                )
            if place in rows and owner[place] != name:
                raise DataError(
                    f"{folder}: the tables {owner[place]} and {name} both label {place[0]}; give "
                    f"one of them, such as {folder / f'db.{name}.csv'}."
                )
            rows[place] = {**_media(folder, place), "split": _split(split)}
            owner[place] = name
        _add(rows, table, {c: columns[name, c] for c in table.columns if (name, c) in columns})
    return rows


def _places(table: Any) -> Iterator[Place]:
    """Yield file, start and end of each row; an end that is not set is that of the file."""
    for key in table.index:
        file, start, end = key if isinstance(key, tuple) else (key, None, None)
        begin = 0.0 if start is None else start.total_seconds()
        stop = None if end is None or end != end else end.total_seconds()  # NaT is not itself
        yield (str(file) if isinstance(file, str) else "", begin, stop)


def _media(folder: Path, place: Place) -> Row:
    """Return the columns of a file: text, picture, film or sound."""
    file, start, end = place
    ending = Path(file).suffix.lower()
    if ending == ".txt":
        try:
            return {"text": load_text(folder / file).strip() or None}
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{folder / file} cannot be read as text: {error}.") from None
    times = {} if end is None and not start else {"start": str(round(start, 6))}
    if end is not None:
        times["end"] = str(round(end, 6))
    kind = "video" if ending in VIDEO else "image" if ending in PICTURES else "audio"
    return {kind: file, **times}


def _split(kind: str | None) -> str | None:
    return kind if kind is not None and kind.lower() in SPLITS else None


def _add(rows: Mapping[Place, Row], table: Any, columns: Mapping[str, str]) -> None:
    """Add columns of a table to the rows of the same place."""
    frame = table.get()
    for column, name in columns.items():
        for place, value in zip(_places(table), frame[column], strict=True):
            if place in rows and not _is_missing(value):
                rows[place][name] = _text(value)


def _add_other_columns(
    database: Any,
    tables: Mapping[str, Any],
    labels: Mapping[tuple[str, str], str],
    rows: Mapping[Place, Row],
) -> None:
    """Add what else the tables say of a file or segment, such as its speaker and its words."""
    by_file: dict[str, list[Place]] = {}
    for place in rows:
        by_file.setdefault(place[0], []).append(place)
    for name, table in database.tables.items():
        frame = table.get()
        for column_id, column in table.columns.items():
            if (name, column_id) in labels:
                continue
            key = "text" if {column_id, column.scheme_id} & set(TEXTS) else column_id.lower()
            meanings = _meanings(database, column)
            for place, value in zip(_places(table), frame[column_id], strict=True):
                whole = place[1] == 0 and place[2] is None
                for own in by_file.get(place[0], ()) if whole else [place]:
                    if own in rows and not _is_missing(value):
                        rows[own].setdefault(key, None)
                        rows[own].update(_cells_of(key, value, meanings, rows[own]))


def _meanings(database: Any, column: Any) -> Mapping[Any, Any]:
    """Return what a scheme says of its labels, such as a speaker's age; {} if nothing."""
    scheme = database.schemes.get(column.scheme_id or "")
    labels = scheme.labels if scheme is not None else None
    if isinstance(labels, str):  # a misc table
        return dict(database.misc_tables[labels].get().to_dict("index"))
    return labels if isinstance(labels, dict) else {}


def _cells_of(key: str, value: Any, meanings: Mapping[Any, Any], row: Row) -> Row:
    """Return the columns of one cell: itself, and what its scheme says of it."""
    meaning = meanings.get(value)
    if isinstance(meaning, str):
        return {key: meaning} if key == "text" else {key: _text(value), f"{key}_name": meaning}
    cells: Row = {key: _text(value)}
    if isinstance(meaning, Mapping):
        cells |= {
            str(k).lower(): _text(v)
            for k, v in meaning.items()
            if not _is_missing(v) and str(k).lower() not in row
        }
    return cells


def _is_missing(value: Any) -> bool:
    """Return whether a cell is empty; NaN is not equal to itself."""
    return value is None or str(value) in ("<NA>", "NaT") or bool(value != value)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _name(rows: Iterable[Row]) -> None:
    """Give each row an id: its own, else the name of its file, else its path and start."""
    rows = list(rows)
    stems = [Path(str(next((r[c] for c in FILES if r.get(c)), "text"))).stem for r in rows]
    unique = len(set(stems)) == len(stems)
    for number, (row, stem) in enumerate(zip(rows, stems, strict=True)):
        if not row.get("id"):
            row["id"] = stem if unique else f"{stem}-{row.get('start') or number}"
    rows_by_id = {row["id"] for row in rows}
    if len(rows_by_id) < len(rows):
        for number, row in enumerate(rows):
            row["id"] = f"{number:06d}-{row['id']}"
