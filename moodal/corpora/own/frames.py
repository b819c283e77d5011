"""Reading of feature files: arrays of NumPy, and the csv files of OpenFace and openSMILE."""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import AbsentError, DataError
from moodal.core.table_rows import read_parquet

ENDINGS = (".npy", ".npz", ".csv", ".parquet")

NAMES = ("id", "ids", "file", "files", "name", "names", "filename")
"""Keys and columns that name the utterance of a row: its id, or its recording."""

TIMES = ("timestamp", "frametime", "start")
"""Columns of times in seconds, from which the rate follows."""

MARKS = ("frame", "frameindex", "face_id", "confidence", "success", "end", "class", *TIMES, *NAMES)
"""Columns of OpenFace's and openSMILE's tables that are no features."""

_TIMEDELTA = re.compile(r"(?:(\d{1,6}) days? )?(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,12})?)")
"""A time as pandas writes it, in which openSMILE's Python package gives start and end."""

_INSTANT = 1e-6
"""Seconds by which times may differ that are the same but for their rounding."""

_CLOSE = 0.02
"""The share by which the times of a file may deviate from a rate."""


@dataclasses.dataclass(frozen=True)
class FeatureFrames:
    """The features of one utterance.

    Attributes:
        values: [T, D] float32 or float16.
        rate: steps per second, as the file's times say; 0 where it has none.
        names: the names of the D values, empty where the file has none.
        lost: steps in which OpenFace saw no face, which were left out.
        times: [T] the time in seconds at which each step begins, None where the file has none.
    """

    values: np.ndarray
    rate: float = 0.0
    names: tuple[str, ...] = ()
    lost: int = 0
    times: np.ndarray | None = None

    def between(self, start: float, end: float, rate: float) -> FeatureFrames | None:
        """Return the steps that begin in a span of seconds; None without any."""
        times = np.arange(len(self.values)) / rate if self.times is None else self.times
        chosen = (times >= start - _INSTANT) & (times < end - _INSTANT)
        if not chosen.any():
            return None
        return dataclasses.replace(self, values=self.values[chosen], times=times[chosen], lost=0)


def read_frames(path: Path, columns: str = "") -> FeatureFrames:
    """Read the features of one utterance from a .npy, .npz, .csv or .parquet file.

    Raises:
        DataError: the file is missing, damaged, of another kind, or not of one utterance.
        AbsentError: OpenFace saw no face in it.
    """
    if path.suffix.lower() == ".npy":
        return FeatureFrames(steps_of(_loaded(path), str(path)))
    every = dict(read_each(path, columns))
    if len(every) != 1:
        raise DataError(
            f"{path} holds {len(every)} utterances, where one was named; name such a file once "
            "for all, with path= in the specification."
        )
    name, frames = next(iter(every.items()))
    if frames is None:
        raise AbsentError(f"{path}, {name!r}: there is no step in which OpenFace saw a face.")
    return frames


NamedFrames = tuple[str, FeatureFrames | None]
"""The name of an utterance in a file, and its features; None where OpenFace saw no face."""


def read_each(path: Path, columns: str = "") -> Iterator[NamedFrames]:
    """Yield the features of every utterance in one file: its name there, and its frames.

    - .npz: an array per utterance under its id; or ``id`` [N] and ``features`` [N, D] or
      [N, T, D].
    - .parquet: a column ``id`` and either one column of lists (a vector, or a list of vectors) or
      columns of numbers; rows with one id are its steps.
    - .csv: a column ``id``, ``file`` or ``name``, and columns of numbers; likewise.

    Raises:
        DataError: the file is missing, damaged, or of another form.
        MissingDependencyError: it is a Parquet file, and pyarrow is not installed.
    """
    readers: dict[str, Callable[[], Iterator[NamedFrames]]] = {
        ".npz": lambda: _npz(path),
        ".csv": lambda: _csv(path, columns),
        ".parquet": lambda: _parquet(path, columns),
    }
    if path.suffix.lower() not in readers:
        raise DataError(f"{path} is no file of features; use one of {', '.join(ENDINGS)}.")
    if not path.is_file():
        raise DataError(f"{path} does not exist; write it, or correct its path.")
    try:
        yield from readers[path.suffix.lower()]()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None


def check_rate(stated: float, measured: float, place: str) -> None:
    """Refuse a rate that the times of a file contradict."""
    if stated and measured and abs(stated - measured) > _CLOSE * stated:
        raise DataError(
            f"{place} has {measured:g} steps a second by its times, where the specification says "
            f"rate={stated:g}; correct the specification."
        )


_DAMAGES = (ValueError, KeyError, EOFError, OSError, MemoryError, zipfile.BadZipFile)


def _loaded(path: Path) -> np.ndarray:
    """Read one array; its size is compared with the file before memory is taken."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; write it, or correct its path.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _DAMAGES as error:
        raise DataError(f"{path} cannot be read as an array of numbers ({error}).") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} is no .npy file, whatever its name; save it with numpy.save.")
    return array


def steps_of(array: np.ndarray, place: str) -> np.ndarray:
    """Return an array as steps [T, D]; a vector [D] is one step, and [1, T, D] is [T, D]."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{place} holds {array.dtype}, where numbers should be.")
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    values = array[None] if array.ndim == 1 else array
    if values.ndim != 2 or not values.shape[1]:
        raise DataError(
            f"{place} has the shape {array.shape}; features of an utterance are [steps, width], "
            "or [width] for the whole."
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        values = np.array(values, np.float16 if values.dtype == np.float16 else np.float32)
    bad = ~np.isfinite(values)
    if bad.any():
        step, column = (int(x) for x in np.argwhere(bad)[0])
        raise DataError(
            f"{place}, step {step}, column {column} is {values[step, column]}; correct it, or "
            "leave the utterance out."
        )
    return values


def _npz(path: Path) -> Iterator[NamedFrames]:
    try:
        with np.load(path, allow_pickle=False) as file:
            keys = set(file.files)
            column = next((key for key in NAMES if key in keys), None)
            if column and keys == {column, "features"}:
                names, values = file[column], file["features"]
                if names.ndim != 1 or values.ndim not in (2, 3) or len(values) != len(names):
                    raise DataError(
                        f"{path}: {column} {names.shape} and features {values.shape} do not fit; "
                        "they are [N] and [N, D] or [N, T, D]."
                    )
                for name, array in zip(names, values, strict=True):
                    yield str(name), FeatureFrames(steps_of(array, f"{path} [{str(name)!r}]"))
                return
            for key in file.files:
                yield key, FeatureFrames(steps_of(file[key], f"{path} [{key!r}]"))
    except _DAMAGES as error:
        raise DataError(f"{path} cannot be read as arrays of numbers ({error}).") from None


def _parquet(path: Path, columns: str) -> Iterator[NamedFrames]:
    table = read_parquet(path)
    import pyarrow

    key = next((name for name in table.column_names if name.lower() in NAMES), None)
    if key is None:
        raise DataError(f"{path} has no column id, which names the utterance of a row; add it.")
    names = [str(value) for value in table.column(key).to_pylist()]
    listed = [
        field.name
        for field in table.schema
        if pyarrow.types.is_list(field.type)
        or pyarrow.types.is_large_list(field.type)
        or pyarrow.types.is_fixed_size_list(field.type)
    ]
    if len(listed) > 1:
        raise DataError(
            f"{path} has several columns of lists ({', '.join(listed)}); keep the one of features."
        )
    if listed:
        cells = (cell.as_py() for cell in table.column(listed[0]))
        arrays = [_cell(cell, path, name) for cell, name in zip(cells, names, strict=True)]
        chosen: tuple[str, ...] = ()
    else:
        chosen = _chosen(path, table.column_names, columns)
        numbers = [table.column(name).to_numpy() for name in chosen]
        if wrong := [n for n, v in zip(chosen, numbers, strict=True) if v.dtype.kind not in "biuf"]:
            raise DataError(f"{path}, column {wrong[0]!r} holds no numbers; choose with columns=.")
        arrays = list(np.stack(numbers, axis=1))
    yield from _grouped(path, names, arrays, chosen)


def _cell(cell: Any, path: Path, name: str) -> np.ndarray:
    """Return a list of numbers, or of lists of them, as an array."""
    try:
        return np.array(cell, np.float32)
    except (TypeError, ValueError):
        raise DataError(
            f"{path}, {name!r}: the list is no vector of numbers, and no list of equal vectors."
        ) from None


def _grouped(
    path: Path, names: Sequence[str], arrays: Sequence[np.ndarray], columns: tuple[str, ...]
) -> Iterator[NamedFrames]:
    """Join the rows of one name to the steps of an utterance, in their order."""
    rows: dict[str, list[np.ndarray]] = {}
    for name, array in zip(names, arrays, strict=True):
        rows.setdefault(name, []).append(array[None] if array.ndim == 1 else array)
    for name, parts in rows.items():
        if len({part.shape[1:] for part in parts}) > 1:
            raise DataError(f"{path}, {name!r}: its rows differ in their width.")
        values = steps_of(np.concatenate(parts), f"{path}, {name!r}")
        yield name, FeatureFrames(values, names=columns)


def _csv(path: Path, columns: str) -> Iterator[NamedFrames]:
    """Yield the utterances of a csv file; a file without a column of names is one utterance."""
    header, rows = _rows(path)
    key = next((i for i, name in enumerate(header) if name.lower() in NAMES), None)
    chosen = _chosen(path, header, columns)
    places = [header.index(name) for name in chosen]
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        groups.setdefault(path.stem if key is None else row[key].strip().strip("'"), []).append(
            number
        )
    lower = [name.lower() for name in header]
    for name, numbers in groups.items():
        own = [rows[number] for number in numbers]
        cells = {mark: [row[lower.index(mark)] for row in own] for mark in MARKS if mark in lower}
        shown = _faces(path, cells, len(own))
        values = _numbers(path, own, numbers, places, header)[shown]
        if not len(values):
            yield name, None
            continue
        place = f"{path}, {name!r}" if key is not None else str(path)
        lost = int((~shown).sum())
        times = _times(cells)
        yield (
            name,
            FeatureFrames(
                steps_of(values, place),
                _rate(times),
                chosen,
                lost,
                None if times is None else times[shown],
            ),
        )


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read the header and the rows of a csv file with commas, semicolons or tabs."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        head = next((line for line in file if line.strip()), "")
        mark = max(",;\t", key=head.count)
        header = [cell.strip() for cell in next(csv.reader([head], delimiter=mark), [])]
        try:
            rows = [row for row in csv.reader(file, delimiter=mark) if any(map(str.strip, row))]
        except csv.Error as error:
            raise DataError(f"{path}: {error}; save it as csv again.") from None
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise DataError(
                f"{path}, row {number} has {len(row)} cells and the header {len(header)}; the "
                "file may be cut short: write it again."
            )
    if not rows:
        raise DataError(f"{path} has no rows below its header.")
    return header, rows


def _chosen(path: Path, header: Sequence[str], patterns: str) -> tuple[str, ...]:
    """Choose the columns of features, in the file's order."""
    free = [name for name in header if name.lower() not in MARKS]
    if patterns:
        wanted = [pattern.strip() for pattern in patterns.split("|")]
        free = [n for n in free if any(fnmatch.fnmatchcase(n, p) for p in wanted)]
    if not free:
        raise DataError(
            f"{path} has no column of features{f' like {patterns!r}' if patterns else ''}; it has "
            f"{', '.join(header[:8])}."
        )
    return tuple(free)


def _numbers(
    path: Path,
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int],
    places: Sequence[int],
    header: Sequence[str],
) -> np.ndarray:
    """Return the cells of the chosen columns as numbers."""
    try:
        return np.array([[float(row[place]) for place in places] for row in rows], np.float64)
    except ValueError:
        for number, row in zip(numbers, rows, strict=True):
            for place in places:
                try:
                    float(row[place])
                except ValueError:
                    raise DataError(
                        f"{path}, row {number + 1}, column {header[place]!r} has "
                        f"{row[place].strip()!r}, which is no number; choose columns with columns=."
                    ) from None
        raise


def _faces(path: Path, cells: Mapping[str, Sequence[str]], rows: int) -> np.ndarray:
    """Return which rows show a face: OpenFace writes zeros where it saw none."""
    faces = sorted({cell.strip() for cell in cells.get("face_id", ())})
    if len(faces) > 1:
        raise DataError(
            f"{path} holds several faces (face_id {', '.join(faces[:4])}); keep the rows of one."
        )
    if "success" not in cells:
        return np.ones(rows, bool)
    return np.array([cell.strip() not in ("0", "0.0", "False") for cell in cells["success"]])


def _times(cells: Mapping[str, Sequence[str]]) -> np.ndarray | None:
    """Return the times of the rows in seconds; None without times that rise."""
    times = [_seconds(cell) for cell in next((cells[t] for t in TIMES if t in cells), ())]
    if not times or any(time is None for time in times):
        return None
    rising = np.array(times, float)
    # several recordings in one file, or windows that begin anew, are no times of one recording
    return rising if (np.diff(rising) > 0).all() else None


def _rate(times: np.ndarray | None) -> float:
    """Return the steps per second; 0 without times."""
    if times is None or len(times) < 3:
        return 0.0
    steps = np.diff(times)
    usual = np.abs(steps - np.median(steps)) < np.median(steps) / 2  # no gaps, no odd last step
    return round(1 / float(steps[usual].mean()), 2)


def _seconds(cell: str) -> float | None:
    """Read a time in seconds, as a number or as pandas writes it."""
    match = _TIMEDELTA.fullmatch(cell.strip())
    try:
        if match:
            days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
            return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        return float(cell)
    except ValueError:
        return None
