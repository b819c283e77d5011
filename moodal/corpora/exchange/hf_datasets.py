"""Datasets of Hugging Face's library, as ``save_to_disk`` writes them; never from the hub.

Lhoest et al., "Datasets: A Community Library for Natural Language Processing", EMNLP 2021.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.emotions import RANGES
from moodal.core.errors import (
    DataError,
    UnsafeFileError,
)
from moodal.core.files import load_json, replacing
from moodal.core.manifest import Manifest
from moodal.core.records import Frames
from moodal.core.table_rows import Row, Table
from moodal.corpora.exchange.rows import FILES, LABEL, VALUE, imported, words_or_all
from moodal.corpora.own.attach import joined
from moodal.corpora.own.frames import FeatureFrames, steps_of
from moodal.corpora.own.spec import SUFFIX, FeatureSpec
from moodal.corpora.table import SPLITS, manifest_of

HEADER = "dataset_dict.json"
STATE = "state.json"
MEDIA = "media"
"""The folder in a dataset's own to which recordings are written that its files contain."""

LABELS = (LABEL, "emotion", "labels", "emotions", "major_emotion")
"""Columns that may be the label, the first that is there; else the only one of classes."""

TEXTS = ("text", "sentence", "transcription", "transcript", "utterance")
SPEAKERS = ("speaker", "speaker_id", "actor")

_PLAIN = re.compile(r"[\w][\w.\-]*")


def read(root: Path | str) -> Manifest:
    """Read a dataset of Hugging Face's library from the disk, as ``save_to_disk`` writes it.

    The label is a column of classes or texts, a list of classes (several emotions), or columns
    ``emotion:NAME``, ``value:NAME`` or of values such as valence. Columns ``STREAM_features`` hold
    vectors [D] or lists of them [T, D]. Recordings that the files contain are written to
    ``ROOT/media``, named by their content. Rows without a label are left out and counted.

    Raises:
        DataError: it is no dataset, is damaged, or has no label.
        UnsafeFileError: it names files outside of its folder.
        OutputError: ``ROOT/media`` cannot be written.
        MissingDependencyError: datasets is not installed.
    """
    root = Path(root)
    datasets = package()
    _require_own_files(root)
    with _damages(root):
        loaded = datasets.load_from_disk(str(root))
        parts = loaded if isinstance(loaded, dict) else {"": loaded}
        tables = {
            str(split): (part.features, part.with_format("arrow")[:])
            for split, part in parts.items()
        }
    rows: list[Row] = []
    features: dict[str, list[FeatureFrames | None]] = {}
    for split, (about, table) in tables.items():
        with _damages(root):
            own = _rows(datasets, root, split, about, table)
        rows += own
        for column in about:
            if column.endswith(SUFFIX) and column != SUFFIX:
                stream = column.removesuffix(SUFFIX)
                arrays = features.setdefault(stream, [None] * (len(rows) - len(own)))
                arrays += _frames(table.column(column), f"{root}, {column} of {split or 'row'}")
        for arrays in features.values():
            arrays += [None] * (len(rows) - len(arrays))
    if not rows:
        raise DataError(f"{root} holds no rows; its files may be cut short: write it again.")
    return _manifest(root, rows, features)


def package() -> Any:
    """Return the package datasets.

    Raises:
        MissingDependencyError: it is not installed.
    """
    return imported("datasets", "Datasets of Hugging Face")


def _manifest(
    root: Path, rows: list[Row], features: Mapping[str, list[FeatureFrames | None]]
) -> Manifest:
    """Return the corpus of the rows that have a label, with the features of their columns."""
    targets = {c for row in rows for c in row if c == LABEL or c.startswith(("emotion:", VALUE))}
    targets |= {c for row in rows for c in row if c in RANGES} if not targets else set()
    if not targets:
        columns = ", ".join(dict.fromkeys(c for row in rows for c in row)) or "no columns"
        raise DataError(
            f"{root} has no label (it has {columns}); name a column of classes {LABEL}, or values "
            "valence and so on."
        )
    needed = words_or_all(targets)
    kept = [i for i, row in enumerate(rows) if any(row.get(c) is not None for c in needed)]
    notes = []
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} rows without a label were left out.")
    chosen = [rows[i] for i in kept]
    for stream in features:  # so that a row of features alone has content
        for row in chosen:
            row[f"{stream}{SUFFIX}"] = "in the dataset"
    manifest = manifest_of(root / HEADER, Table(chosen, tuple(notes)), "datasets")
    frames: dict[str, Frames] = {}
    encoders, more = {}, list(manifest.notes)
    for stream, arrays in features.items():
        own = [arrays[i] for i in kept]
        frames[stream], encoders[stream], noted = joined(manifest, stream, FeatureSpec(), own)
        more += noted
    utterances = tuple(
        dataclasses.replace(
            u, extra={k: v for k, v in u.extra.items() if k.removesuffix(SUFFIX) not in features}
        )
        for u in manifest.utterances
    )
    return dataclasses.replace(
        manifest, utterances=utterances, features=frames, encoders=encoders, notes=tuple(more)
    )


def _require_own_files(root: Path) -> None:
    """Check that a folder is a dataset whose description names files of its own folder alone."""
    if not root.is_dir() or not ((root / HEADER).is_file() or (root / STATE).is_file()):
        raise DataError(
            f"{root} is no dataset on the disk: it has neither {HEADER} nor {STATE}; write one "
            "with save_to_disk."
        )
    try:
        splits = [""]
        if (root / HEADER).is_file():
            splits = [str(split) for split in load_json(root / HEADER)["splits"]]
        _require_plain(root, splits if splits != [""] else [])
        for split in splits:
            state = load_json(root / split / STATE)
            _require_plain(root, [str(file["filename"]) for file in state["_data_files"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{root} is damaged ({error}); write the dataset again.") from None


def _require_plain(root: Path, names: Sequence[str]) -> None:
    for name in names:
        if not _PLAIN.fullmatch(name):
            raise UnsafeFileError(
                f"{root} names {name!r}, which may lie outside of the dataset; it was not read."
            )


@contextlib.contextmanager
def _damages(root: Path) -> Iterator[None]:
    """Turn what datasets and Arrow raise on a damaged dataset into one sentence."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:  # both raise many kinds
        raise DataError(
            f"{root} cannot be read as a dataset ({str(error) or type(error).__name__})."
        ) from None


def _rows(datasets: Any, root: Path, split: str, about: Any, table: Any) -> list[Row]:
    """Return the rows of one split with the columns of a table of ours."""
    count = len(table)
    rows: list[Row] = [{"split": split if split.lower() in SPLITS else None} for _ in range(count)]
    label = _label(datasets, about)
    for column, feature in about.items():
        if column.endswith(SUFFIX) and column != SUFFIX:
            continue
        values = table.column(column).to_pylist()
        if _is_file(datasets, feature):
            kind = column if column in FILES else _kind(datasets, feature)
            cells: list[Any] = [_file(root, value) for value in values]
        elif column == label:
            _add_labels(datasets, rows, feature, values)
            continue
        else:
            kind, cells = _name(column, about), values
        for row, cell in zip(rows, cells, strict=True):
            if not isinstance(cell, list | dict) and cell is not None:
                row[kind] = _text(cell)
    for number, row in enumerate(rows):
        if not row.get("id"):
            row["id"] = f"{split or 'row'}-{number:06d}"
    return rows


def _is_file(datasets: Any, feature: Any) -> bool:
    kinds = (datasets.Audio, datasets.Image, datasets.Video)
    return isinstance(feature, kinds)


def _kind(datasets: Any, feature: Any) -> str:
    """Return the column of ours for a column of files."""
    return {datasets.Audio: "audio", datasets.Image: "image", datasets.Video: "video"}[
        type(feature)
    ]


def _name(column: str, about: Any) -> str:
    """Return our name of a column, where the field has several."""
    for names in (TEXTS, SPEAKERS):
        if column == next((name for name in names if name in about), None):
            return names[0]
    return column.lower()


def _label(datasets: Any, about: Any) -> str | None:
    """Return the column with the label."""
    named = [column for column in LABELS if column in about]
    classes = [c for c, feature in about.items() if isinstance(feature, datasets.ClassLabel)]
    if named:
        return named[0]
    return classes[0] if len(classes) == 1 else None


def _add_labels(datasets: Any, rows: list[Row], feature: Any, values: Sequence[Any]) -> None:
    """Add the label of each row: a class, a text, or a list of classes."""
    inner = feature.feature if isinstance(feature, datasets.List | datasets.LargeList) else None
    names = feature.names if isinstance(feature, datasets.ClassLabel) else None
    several = inner.names if isinstance(inner, datasets.ClassLabel) else None
    for row, value in zip(rows, values, strict=True):
        if several is not None:
            chosen = set(value or ())
            row |= {f"emotion:{n.lower()}": str(int(i in chosen)) for i, n in enumerate(several)}
        elif value is None or value == -1:
            row[LABEL] = None
        else:
            row[LABEL] = names[value] if names is not None else str(value)


def _file(root: Path, value: Any) -> str | None:
    """Return the path of a recording; one that the dataset contains is written to `MEDIA`."""
    if value is None:
        return None
    content, path = value.get("bytes"), value.get("path")
    if content is None:
        return None if path is None else str(path)
    suffix = Path(str(path or "")).suffix.lower() or ".wav"
    name = f"{MEDIA}/{hashlib.sha256(content).hexdigest()[:20]}{suffix}"
    if not (root / name).exists():
        with replacing(root / name) as part:
            part.write_bytes(content)
    return name


def _frames(column: Any, place: str) -> list[FeatureFrames | None]:
    """Return the features of each row."""
    frames: list[FeatureFrames | None] = []
    for number, cell in enumerate(column.to_pylist(), 1):
        if cell is None or not len(cell):
            frames.append(None)
            continue
        try:
            array = np.array(cell, np.float32)
        except (TypeError, ValueError):
            raise DataError(f"{place}, row {number}: the vectors are not equally long.") from None
        frames.append(FeatureFrames(steps_of(array, f"{place}, row {number}")))
    return frames


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return str(value)
