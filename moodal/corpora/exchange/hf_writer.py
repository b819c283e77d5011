"""Writing of a corpus as a dataset of Hugging Face's library, for ``load_from_disk``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.files import replacing_folder
from moodal.core.manifest import Manifest
from moodal.core.records import Frames
from moodal.corpora.exchange.hf_datasets import HEADER, STATE, package
from moodal.corpora.exchange.rows import FILES, LABEL, Cells, place_of, rows_of
from moodal.corpora.own.spec import SUFFIX

NAMES = {"valid": "validation"}
"""Our name of a split -> the name that is usual there."""


def write(manifest: Manifest, out: Path | str) -> Path:
    """Write a corpus as a dataset with its recordings and features in it.

    One emotion is a column of classes. Recordings are columns ``audio``, ``video`` and ``image`` of
    the library's types, with their bytes; ``start`` and ``end`` say which part is meant. Features
    are the columns ``STREAM_features``, lists of vectors. A corpus with splits becomes a
    DatasetDict. All of a split is held in memory.

    Raises:
        DataError: a recording is missing.
        OutputError: ``out`` holds something else, or cannot be written.
        MissingDependencyError: datasets is not installed.
    """
    datasets = package()
    import pyarrow  # which datasets needs itself

    rows = rows_of(manifest)
    columns = [
        column
        for column in dict.fromkeys(c for row in rows for c in row)
        if column != "split" and any(row.get(column) is not None for row in rows)
    ]
    types = {column: _type(datasets, manifest, column) for column in columns}
    streams = {f"{stream}{SUFFIX}": frames for stream, frames in manifest.features.items()}
    vectors = datasets.List(datasets.List(datasets.Value("float32")))
    features = datasets.Features({**types, **dict.fromkeys(streams, vectors)})
    splits = list(dict.fromkeys(row["split"] for row in rows))
    parts = {}
    for split in splits:
        chosen = [i for i, row in enumerate(rows) if row["split"] == split]
        cells = {c: _cells(manifest, rows, chosen, c) for c in columns}
        cells |= {name: _vectors(frames.select(chosen)) for name, frames in streams.items()}
        # from_dict would want a codec for bytes that are written as they are
        table = pyarrow.table(cells, schema=features.arrow_schema)
        parts[NAMES.get(split, split or "unassigned")] = datasets.Dataset(
            datasets.table.InMemoryTable(table), datasets.DatasetInfo(features=features)
        )
    single = splits == [None]
    with replacing_folder(out, STATE if single else HEADER) as folder:
        whole = parts["unassigned"] if single else datasets.DatasetDict(parts)
        datasets.disable_progress_bars()
        whole.save_to_disk(str(folder))
        for state in folder.rglob(STATE):
            _fix_fingerprint(state, manifest)
    return Path(out)


def _type(datasets: Any, manifest: Manifest, column: str) -> Any:
    """Return the type of a column."""
    if column == LABEL:
        return datasets.ClassLabel(names=list(manifest.space.labels))
    if column in FILES:
        kinds = {"audio": datasets.Audio, "video": datasets.Video, "image": datasets.Image}
        return kinds[column](decode=False)
    number = column in ("start", "end") or column.startswith(("emotion:", "value:"))
    return datasets.Value("float64" if number else "string")


def _cells(
    manifest: Manifest, rows: Sequence[Cells], chosen: Sequence[int], column: str
) -> list[Any]:
    """Return the cells of a column; a recording is its bytes and its name, a class its number."""
    values = [rows[i].get(column) for i in chosen]
    if column == LABEL:
        return [None if value is None else manifest.space.index(value) for value in values]
    if column not in FILES:
        return values
    sources = [None if path is None else place_of(manifest, path)[0] for path in values]
    return [p and {"bytes": p.read_bytes(), "path": p.name} for p in sources]


def _vectors(frames: Frames) -> Any:
    """Return sequences [T, D] as lists of lists, without a Python object for each number."""
    import pyarrow

    values = np.asarray(frames.values, np.float32)
    steps = np.arange(len(values) + 1, dtype=np.int32) * frames.width
    vectors = pyarrow.ListArray.from_arrays(steps, values.ravel())
    return pyarrow.ListArray.from_arrays(frames.offsets.astype(np.int32), vectors)


def _fix_fingerprint(path: Path, manifest: Manifest) -> None:
    """Give a dataset a fingerprint by its corpus, so that equal corpora are equal files."""
    state = json.loads(path.read_text(encoding="utf-8"))
    state["_fingerprint"] = manifest.fingerprint[:16]
    path.write_text(json.dumps(state, indent=2, sort_keys=True), encoding="utf-8")
