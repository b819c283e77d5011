"""The rows of a corpus as a table has them, for writing it in another toolkit's format."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from moodal.core.emotions import Value, Values
from moodal.core.errors import DataError, MissingDependencyError, installation
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance
from moodal.core.table_rows import number
from moodal.corpora.find import VIDEO

LABEL = "label"
VALUE = "value:"
"""Begins the name of a column of numbers of one value."""
FILES = ("audio", "video", "image")
"""Columns that name files."""

FIELDS = ("speaker", "session", "dialogue", "split")

TIMES = ("start", "end")
"""The columns of seconds, of a row's media or of the corpus itself."""

Cells = dict[str, Any]
"""Column -> text, number or None."""


def rows_of(manifest: Manifest) -> list[Cells]:
    """Return a row for each utterance, with the columns of `moodal.corpora.table`.

    One emotion is the column ``label``; several are ``emotion:NAME``, and values ``value:NAME``,
    also those next to emotions.
    Paths are those of the manifest; second views and features are left out.
    """
    labels, values = _labels(manifest), _values(manifest)
    rows = []
    for utterance, label, numbers in zip(manifest.utterances, labels, values, strict=True):
        fields = {name: getattr(utterance, name) for name in FIELDS}
        row: Cells = {"id": utterance.id, **_media(utterance), **fields, **label, **numbers}
        row |= {k: v for k, v in utterance.extra.items() if k not in row}
        row |= {k: _time(row[k]) for k in TIMES if k in row}
        rows.append(row)
    return rows


def _time(cell: Any) -> float | None:
    """Return seconds as a number; some corpora keep the times of a row without media as text."""
    return number(cell) if isinstance(cell, str) else cell


def imported(package: str, what: str) -> Any:
    """Import the package of an exchange format.

    Args:
        package: its name.
        what: needs it, in the plural, such as "Databases of audformat".

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingDependencyError(
            f"{what} need the package {package}; {installation('exchange')}."
        ) from None


def value_column(value: Value) -> str:
    """Return the column of a value, with its range unless everybody knows it.

    >>> value_column(Value.parse("valence")), value_column(Value.parse("trust[0,4]"))
    ('value:valence', 'value:trust[0,4]')
    """
    bounds = "" if value.built_in else f"[{value.low:g},{value.high:g}]"
    return f"{VALUE}{value.name}{bounds}"


def value_space(manifest: Manifest) -> Values | None:
    """Return the values of a corpus: its targets, or those next to its emotions."""
    if isinstance(manifest.space, Values):
        return manifest.space
    return None if manifest.ratings is None else manifest.ratings.space


def words_or_all(columns: Iterable[str]) -> list[str]:
    """Return the label columns that a row needs: those of emotions, or of values without any."""
    every = list(columns)
    return [column for column in every if not column.startswith(VALUE)] or every


def place_of(manifest: Manifest, path: str) -> tuple[Path, str]:
    """Return where a file of a corpus lies, and the relative path under which it is written.

    Raises:
        DataError: the file is not there.
    """
    source = Path(manifest.root or ".") / path
    if not source.is_file():
        raise DataError(
            f"{manifest.corpus}: {source} is not there, so it cannot be written into another "
            "format; restore the recordings, or prepare the corpus where they are."
        )
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..", ".")]
    return source, PurePosixPath("media", *parts).as_posix()


def _media(utterance: Utterance) -> Cells:
    """Return the columns of an utterance's media; a film is one column, though two modalities."""
    cells: Cells = {"text": utterance.text}
    clips = {k: m for k, m in utterance.media.items() if isinstance(m, Clip)}
    speech, face = clips.pop("speech", None), clips.pop("face", None)
    if speech is not None and (face is None or face.path != speech.path):
        cells["audio"] = speech.path
    if face is not None:
        film = Path(face.path).suffix.lower() in VIDEO
        cells["video" if film else "image"] = face.path
    cells |= {f"media:{name}": clip.path for name, clip in clips.items()}
    timed = speech or face or next(iter(clips.values()), None)
    if timed is not None:
        cells |= {"start": timed.start, "end": timed.end}
    return cells


def _labels(manifest: Manifest) -> list[Mapping[str, Any]]:
    """Return the columns of emotions of each row."""
    space, names = manifest.space, manifest.space.labels
    if isinstance(space, Values):
        return [{} for _ in manifest.labels]
    single = space.task == "single" and bool((np.sort(manifest.labels, 1)[:, :-1] == 0).all())
    if single:
        return [{LABEL: names[int(row.argmax())] if row.any() else None} for row in manifest.labels]
    return [
        {f"emotion:{n}": float(x) for n, x in zip(names, row, strict=True)}
        for row in manifest.labels
    ]


def _values(manifest: Manifest) -> list[Mapping[str, float | None]]:
    """Return the columns of values of each row, where the corpus has any."""
    space = value_space(manifest)
    if space is None:
        return [{} for _ in manifest.labels]
    columns = [value_column(value) for value in space.values]
    return [
        {c: None if np.isnan(x) else float(x) for c, x in zip(columns, row, strict=True)}
        for row in manifest.rated.labels
    ]
