"""Reading of the rows of a CSV, TSV, JSONL or Parquet file as texts; empty cells are None.

Tables are read as spreadsheets, pandas and R write them: with commas, semicolons, tabs or bars
between the cells, decimal commas, words for missing values, and columns and rows of padding.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from moodal.core.errors import DataError, MissingDependencyError, installation

Row = dict[str, str | None]

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""Characters that separate the cells of a table, and their names in messages."""

MISSING = frozenset(
    ("nan", "NaN", "-nan", "-NaN", "NaT", "NA", "<NA>", "N/A", "n/a", "#NA", "#N/A", "NULL", "null")
)
"""Words that pandas, R, Excel and databases write for a missing value.

"None" is not one of them, since it may be an emotion: `moodal.corpora.checks.spellings` names it.
"""

_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.I)
"""The line by which Excel is told the separator."""

_NO_SEPARATORS = re.compile(r'"[^"]*"|\[[^\[\]]*\]')
"""Parts of a header in which a separator is text, such as the range in value:trust[0,4]."""

_JUNK = re.compile(r"unnamed: \d+(_level_\d+)?")
"""The names, in lower case, that pandas gives to columns without one."""

_DECIMAL_COMMA = re.compile(r"[-+]?\d{0,15},\d{1,20}(e[-+]?\d{1,3})?", re.I)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class Table:
    """The rows of a table, and what was changed in reading them.

    Attributes:
        rows: column name in lower case -> the stripped cell, None where it is empty.
        notes: sentences on cells that were not read as they stand.
    """

    rows: list[Row]
    notes: tuple[str, ...] = ()


def read_table(path: Path, decode: Callable[[bytes], str] | None = None) -> Table:
    """Read a table with one of `ENDINGS`; cells are stripped, column names in lower case.

    The separator of a CSV or TSV file is the one of `DELIMITERS` that separates most columns, or
    that of a first line such as ``sep=;``. Columns without a name and blank rows are left out. A
    cell with a word of `MISSING` is empty. In a column of numbers, decimal commas become points.

    Args:
        path: the file.
        decode: converts the bytes of a CSV file to text; without it they must be UTF-8.

    Raises:
        DataError: the file is of another kind, is damaged, or has no rows.
        MissingDependencyError: it is a Parquet file, and pyarrow is not installed.
    """
    missing: Counter[str] = Counter()
    rows: list[Row] = []
    for raw in iterate(path, decode):
        for column, value in raw.items():
            if value in MISSING and column != "id":
                missing[str(value)] += 1
                raw[column] = None
        if any(value is not None for value in raw.values()):
            rows.append(raw)
    if not rows:
        raise DataError(f"{path} has no rows; a table needs at least one.")
    notes = []
    if missing:
        listed = ", ".join(f"{word!r} ({count})" for word, count in missing.items())
        notes.append(f"Cells with a word for a missing value were read as empty: {listed}.")
    commas = _decimal_points(rows, _separator(path, decode))
    if commas:
        notes.append(f"Decimal commas were read as such in: {', '.join(commas)}.")
    return Table(rows, tuple(notes))


def read_rows(path: Path, decode: Callable[[bytes], str] | None = None) -> list[Row]:
    """Read the rows of a table, see `read_table`."""
    return read_table(path, decode).rows


def iterate(path: Path, decode: Callable[[bytes], str] | None = None) -> Iterator[Row]:
    """Yield the rows of a table one by one, with their words for missing values and commas.

    Raises:
        DataError: as `read_table`, but a table without rows yields none.
    """
    kind = ENDINGS.get(path.suffix.lower())
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is a folder, a pipe or a device, not a table; name a file.")
    if kind is None:
        raise DataError(f"{path} is no table that is read here; use one of {', '.join(ENDINGS)}.")
    rows = kind(path) if decode is None or kind not in (_csv, _tsv) else _csv(path, decode=decode)
    try:
        for row in rows:
            named = {str(k).strip().lower(): _cell(v) for k, v in row.items() if k is not None}
            yield {name: cell for name, cell in named.items() if not _is_junk(name)}
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None


def number(value: str | None) -> float | None:
    """Read a cell as a number; None where it is none, or not finite."""
    try:
        parsed = float(value or "")
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) else None


def _cell(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return str(int(value))
    return str(value).strip() or None


def _is_junk(name: str) -> bool:
    """Return whether a column has no name of its own, as an index that pandas or R wrote."""
    return not name or _JUNK.fullmatch(name) is not None


def _separator(path: Path, decode: Callable[[bytes], str] | None) -> str | None:
    """Return the separator of a text table; None of other tables."""
    usual = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower())
    if usual is None:
        return None
    with _opened(path, decode) as file:
        return _header(file, usual)[1]


def _decimal_points(rows: Sequence[Row], separator: str | None) -> list[str]:
    """Replace decimal commas in columns of numbers in place, and return these columns.

    Unless the cells are separated by semicolons, as where commas are decimal, a column in which
    every comma may separate thousands, such as 1,234, is left as it is. Labels are words.
    """
    certain = separator == ";"
    changed = []
    for column in dict.fromkeys(
        key for row in rows for key in row if key not in ("id", "text", "label")
    ):
        cells = [cell for row in rows if (cell := row.get(column)) is not None]
        commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
        numbers = len(commas) + sum(number(cell) is not None for cell in cells)
        ambiguous = not certain and all(map(_THOUSANDS.fullmatch, commas))
        if not commas or ambiguous or numbers <= len(cells) / 2:
            continue
        for row in rows:
            if (cell := row.get(column)) is not None and _DECIMAL_COMMA.fullmatch(cell):
                row[column] = cell.replace(",", ".")
        changed.append(column)
    return changed


def _csv(
    path: Path, usual: str = ",", decode: Callable[[bytes], str] | None = None
) -> Iterator[dict[str, Any]]:
    with _opened(path, decode) as file:
        head, delimiter = _header(file, usual)
        reader = csv.DictReader(itertools.chain([head], file), delimiter=delimiter, strict=True)
        yield from _records(path, reader, DELIMITERS.get(delimiter, f"{delimiter!r}"))


def _tsv(path: Path) -> Iterator[dict[str, Any]]:
    return _csv(path, "\t")


def _opened(path: Path, decode: Callable[[bytes], str] | None) -> TextIO:
    """Open a text table; Excel saves "Unicode text" as UTF-16."""
    if decode is not None:
        return io.StringIO(decode(path.read_bytes()), newline="")
    with open(path, "rb") as file:
        wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return open(path, encoding="utf-16" if wide else "utf-8-sig", newline="")


def _header(file: TextIO, usual: str) -> tuple[str, str]:
    """Read the header of a text table, and the separator that it has or that a line names."""
    head = next((line for line in file if line.strip()), "")
    named = _SEPARATOR_LINE.fullmatch(head)
    if named:
        return next((line for line in file if line.strip()), ""), named[1]
    bare = _NO_SEPARATORS.sub("", head)
    # the ending's own separator where several separate as many columns
    return head, max(DELIMITERS, key=lambda mark: (bare.count(mark), mark == usual))


def _records(path: Path, reader: csv.DictReader[str], separators: str) -> Iterator[dict[str, Any]]:
    """Yield the records of a text table, whose faults are named with its separators."""
    number = 0
    try:
        names = [str(name).strip().lower() for name in reader.fieldnames or ()]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise DataError(f"{path} has two columns {twice[0]!r}; rename one.")
        for number, row in enumerate(reader, 1):
            if any(cell.strip() for cell in row.pop(None, ())):
                raise DataError(
                    f"{path}, row {number}: more cells than columns; put quotes around "
                    f"text that holds {separators}."
                )
            yield row
    except csv.Error as error:
        raise DataError(
            f"{path}, row {number + 1}: {error}; look for a quote that is not closed."
        ) from None


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number} is not JSON ({error}).") from None
            except RecursionError:
                raise DataError(f"{path}, line {number} is nested too deep.") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number} is not an object like {{'id': ...}}.")
            yield row


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    yield from read_parquet(path).to_pylist()


def read_parquet(path: Path) -> Any:
    """Read a Parquet file as pyarrow's Table.

    Raises:
        DataError: it cannot be read.
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError(
            f"Reading {path} needs the package pyarrow; {installation('features')}."
        ) from None
    try:
        return pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet ({error}).") from None


ENDINGS = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
}
"""File ending -> reader of its rows."""
