"""Writing of a corpus as a database of audformat."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError
from moodal.core.files import replacing_folder
from moodal.core.manifest import Manifest
from moodal.corpora.exchange.audformat_database import HEADER, KEY, package
from moodal.corpora.exchange.rows import (
    FILES,
    LABEL,
    VALUE,
    Cells,
    place_of,
    rows_of,
    value_space,
)


def write(manifest: Manifest, out: Path | str) -> Path:
    """Write a corpus as a database of audformat, with copies of its recordings in ``media/``.

    There is a table for each split, or the table ``emotion``. A row without sound or pictures gets
    a file with its text.

    Raises:
        DataError: a recording is missing, or the rows cannot be a table of audformat.
        OutputError: ``out`` holds something else, or cannot be written.
        MissingDependencyError: audformat is not installed.
    """
    audformat = package()
    rows = rows_of(manifest)
    with replacing_folder(out, HEADER) as folder:
        files = _written(manifest, rows, folder)
        database = audformat.Database(
            name=manifest.corpus,
            source="written by moodal",
            usage=audformat.define.Usage.OTHER,
            license=manifest.licence,
            description=" ".join(manifest.notes) or None,
        )
        columns = _columns(rows)
        schemes = {name: _scheme(manifest, column) for name, column in columns.items()}
        for name, scheme in schemes.items():
            database.schemes[name] = audformat.Scheme(**scheme)
        for split in sorted({row["split"] for row in rows}, key=str):
            chosen = [i for i, row in enumerate(rows) if row["split"] == split]
            kind = {"valid": "dev", None: ""}.get(split, split)
            if kind:
                database.splits[kind] = audformat.Split(kind)
            table = audformat.Table(
                _index(audformat, [rows[i] for i in chosen], [files[i] for i in chosen]),
                split_id=kind or None,
            )
            database[f"emotion.{kind}" if kind else "emotion"] = table
            for name in schemes:
                table[name] = audformat.Column(scheme_id=name)
                table[name].set([rows[i].get(columns[name]) for i in chosen])
        try:
            database.save(str(folder), storage_format=audformat.define.TableStorageFormat.CSV)
        except (ValueError, TypeError) as error:
            raise DataError(f"{manifest.corpus} cannot be written as audformat: {error}.") from None
    return Path(out)


def _written(manifest: Manifest, rows: Sequence[Cells], folder: Path) -> list[str]:
    """Copy the file of each row, or write one with its text, and return their paths."""
    files = []
    for number, row in enumerate(rows):
        first = next((c for c in ("audio", "video", "image") if row.get(c)), None)
        for column in FILES:
            if row.get(column):
                source, path = place_of(manifest, row[column])
                if not (folder / path).exists():
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, folder / path)
                row[column] = path
        if first is None:
            path = f"media/{number:06d}.txt"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(row.pop("text", None) or "", encoding="utf-8")
            files.append(path)
        else:
            files.append(str(row.pop(first)))
    return files


_INDEX = ("start", "end", "split")


def _columns(rows: Sequence[Cells]) -> dict[str, str]:
    """Return the columns with anything in them: their name in audformat -> ours."""
    columns = dict.fromkeys(column for row in rows for column in row if column not in _INDEX)
    return {
        "emotion" if column == LABEL else column.replace(":", ".").partition("[")[0]: column
        for column in columns
        if any(row.get(column) is not None for row in rows)
    }


def _scheme(manifest: Manifest, column: str) -> dict[str, Any]:
    """Return the arguments of a column's scheme."""
    if column == LABEL:
        return {"labels": list(manifest.space.labels)}
    if column.startswith("emotion:"):
        return {"dtype": "float", "minimum": 0.0, "meta": {KEY: "emotion"}}
    space = value_space(manifest)
    if column.startswith(VALUE) and space is not None:
        own = space.values[space.index(column.removeprefix(VALUE).partition("[")[0])]
        bounds = {"minimum": float(own.low), "maximum": float(own.high)}
        return {"dtype": "float", **bounds, "meta": {KEY: "value"}}
    return {"dtype": "str"}


def _index(audformat: Any, rows: Sequence[Cells], files: Sequence[str]) -> Any:
    """Return the index of a table: files, or segments of them where any row has times."""
    if any(row.get("start") is not None or row.get("end") is not None for row in rows):
        import pandas

        def time(seconds: float | None) -> Any:
            return pandas.NaT if seconds is None else pandas.Timedelta(round(seconds * 1e9), "ns")

        starts = [time(row.get("start") or 0.0) for row in rows]
        ends = [time(row.get("end")) for row in rows]
        return audformat.segmented_index(list(files), starts, ends)
    return audformat.filewise_index(list(files))
