"""Reading of the rows of a CSV, TSV, JSONL or Parquet file as texts; empty cells are None."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError, MissingDependencyError, installation

Row = dict[str, str | None]


def read_rows(path: Path, decode: Callable[[bytes], str] | None = None) -> list[Row]:
    """Read a table with one of `ENDINGS`; cells are stripped, column names in lower case.

    Args:
        path: the file.
        decode: converts the bytes of a CSV file to text; without it they must be UTF-8.

    Raises:
        DataError: the file is of another kind, is damaged, or has no rows.
        MissingDependencyError: it is a Parquet file, and pyarrow is not installed.
    """
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path} is no table that is read here; use one of {', '.join(ENDINGS)}.")
    if kind is _csv and decode:
        kind = partial(_csv, decode=decode)
    try:
        rows = [{str(k).strip().lower(): _cell(v) for k, v in row.items()} for row in kind(path)]
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); save it as UTF-8.") from None
    if not rows:
        raise DataError(f"{path} has no rows; a corpus needs at least one.")
    return rows


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


def _csv(
    path: Path, delimiter: str = ",", decode: Callable[[bytes], str] | None = None
) -> Iterator[dict[str, Any]]:
    text = path.read_bytes().decode("utf-8-sig") if decode is None else decode(path.read_bytes())
    with io.StringIO(text, newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter, strict=True)
        number = 0
        try:
            names = [str(name).strip().lower() for name in reader.fieldnames or ()]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise DataError(f"{path} has two columns {twice[0]!r}; rename one.")
            for number, row in enumerate(reader, 1):
                if None in row:
                    raise DataError(
                        f"{path}, row {number}: more cells than columns; put quotes around "
                        "text that holds commas."
                    )
                yield row
        except csv.Error as error:
            raise DataError(
                f"{path}, row {number + 1}: {error}; look for a quote that is not closed."
            ) from None


def _tsv(path: Path) -> Iterator[dict[str, Any]]:
    return _csv(path, "\t")


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number} is not JSON ({error}).") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number} is not an object like {{'id': ...}}.")
            yield row


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError(
            f"Reading {path} needs the package pyarrow; {installation('features')}."
        ) from None
    try:
        yield from pyarrow.parquet.read_table(path).to_pylist()
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
