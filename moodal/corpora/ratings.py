"""Reading of raters' files: tables, ELAN documents and TextGrids, of people or of moodal."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from moodal.core.emotions import RANGES
from moodal.core.errors import DataError, UsageError
from moodal.core.rating import LONGEST, Rater, Rating
from moodal.core.table_rows import Row, number, read_table
from moodal.core.timeline import UNSURE
from moodal.corpora.rating_tiers import Stretch, read_tiers

TIERED = (".eaf", ".textgrid")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")

LABELS = ("label", "emotion", "new", "decided", "top")
"""The columns that may hold the emotion, the first that a table has: of a rater's table, of
corrections, and of moodal's answers."""

VALUE = "value:"
"""Begins the name of a column of values; those that everybody knows, such as valence, need none."""


ANSWERED = "value_"
"""Begins the name of a column of values in moodal's answers."""


def read_raters(
    paths: Sequence[Path], tier: str | None = None, names: Mapping[str, str] | None = None
) -> list[Rater]:
    """Read the ratings of each file or folder, which is one rater.

    A table with a column ``annotator`` (or ``rater``) holds several raters; the same name in
    several tables is one rater. A folder holds a file for each recording, whose name is the
    recording's.

    Args:
        paths: tables, ELAN documents, TextGrids, or folders of them.
        tier: the tier of an ELAN document or a TextGrid; by default the one called emotion,
            emotions or label in any case, or the only one. One whose texts are numbers holds
            values.
        names: other names of emotions -> the names that are compared.

    Raises:
        DataError: a file cannot be read or holds no ratings; names the file, and the row or tier.
    """
    ratings: dict[str, list[Rating]] = defaultdict(list)
    for path, own in zip(paths, _distinct(paths), strict=True):
        before = sum(map(len, ratings.values()))
        for file in _files(path):
            if file.suffix.lower() in TIERED:
                ratings[own] += _tier_ratings(file, tier)
            else:
                for rater, rating in _table_ratings(file):
                    ratings[rater or own].append(rating)
        if sum(map(len, ratings.values())) == before:
            raise DataError(f"{path} holds no ratings; see docs/agreement.md for what is read.")
    raters = [Rater(name, tuple(map(_plain, own))) for name, own in ratings.items()]
    return renamed(raters, names) if names else raters


def renamed(raters: Sequence[Rater], names: Mapping[str, str]) -> list[Rater]:
    """Return raters with other names of some emotions.

    Args:
        raters: those of whom one or more chose each of the emotions.
        names: a name of an emotion in any case -> the one that is compared.

    Raises:
        UsageError: nobody chose an emotion of such a name.
    """
    known = {name.lower(): other.lower() for name, other in names.items()}
    chosen = dict.fromkeys(r.label for rater in raters for r in rater.ratings if r.label)
    if lost := [name for name in known if name not in chosen]:
        raise UsageError(
            f"--map {lost[0]}: no rating has this emotion; there are "
            f"{', '.join(chosen) or 'no emotions'}."
        )
    return [
        replace(
            rater,
            ratings=tuple(
                replace(r, label=known.get(r.label or "", r.label)) for r in rater.ratings
            ),
        )
        for rater in raters
    ]


def of_one_recording(paths: Sequence[Path], raters: Sequence[Rater]) -> list[Rater] | None:
    """Return raters of one recording whose documents bear the raters' names.

    An ELAN document or a TextGrid is named by its recording. Where single documents have
    different names, they are those of persons, and what is rated is the same.

    Args:
        paths: the files, one for each person.
        raters: the persons, and a model, which may have rated one recording of any name.

    Returns:
        The raters, all of whose ratings are of one recording; None where the files are no such
        documents, or have names in common.
    """
    names = [{r.recording for r in rater.ratings} for rater in raters]
    documents = len(paths) > 1 and all(path.suffix.lower() in TIERED for path in paths)
    single = all(len(own) == 1 for own in names) and len(set.union(*names)) > 1
    if not documents or not single or len(set.union(*names[: len(paths)])) < len(paths):
        return None
    one = min(names[0])
    return [
        replace(rater, ratings=tuple(replace(r, recording=one) for r in rater.ratings))
        for rater in raters
    ]


def _plain(rating: Rating) -> Rating:
    """Return a rating with its emotion in small letters; none where moodal abstains."""
    label = (rating.label or "").strip().lower()
    return replace(rating, label=None if label in ("", UNSURE) else label)


def _distinct(paths: Sequence[Path]) -> list[str]:
    """Return a name for each path: its stem, or the whole path where stems are alike."""
    stems = [name_of(path) for path in paths]
    return [
        stem if stems.count(stem) == 1 else str(path)
        for path, stem in zip(paths, stems, strict=True)
    ]


def name_of(path: Path | str) -> str:
    """Return the name of a recording or a rater: the file's name without folder and endings.

    >>> name_of("calls/talk.mp4"), name_of("out/talk.moodal.eaf")
    ('talk', 'talk')
    """
    return Path(path).stem.removesuffix(".moodal")


def _files(path: Path) -> list[Path]:
    """Return the files of a rater.

    Raises:
        DataError: there is none.
    """
    if path.is_dir():
        files = [p for p in sorted(path.iterdir()) if p.suffix.lower() in (*TIERED, *TABLES)]
        if not files:
            raise DataError(f"{path} holds no table, ELAN document or TextGrid.")
        return files
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    if path.suffix.lower() not in (*TIERED, *TABLES):
        kinds = ", ".join((*TABLES, ".eaf", ".TextGrid"))
        raise DataError(f"{path} is none of {kinds}; ratings are read from these.")
    return [path]


def _tier_ratings(path: Path, tier: str | None) -> Iterator[Rating]:
    tiers = read_tiers(path)
    name = _tier_of(path, list(tiers), tier)
    for stretch in tiers[name]:
        _require_possible(stretch.end, f"{path}, tier {name}")
        yield _stretch_rating(name_of(path), name, stretch)


def _stretch_rating(recording: str, tier: str, stretch: Stretch) -> Rating:
    """Read the text of a stretch: a number is a value of the tier's name, else it is an emotion."""
    value = number(stretch.text)
    span = (recording, stretch.start, stretch.end)
    return Rating(*span, stretch.text) if value is None else Rating(*span, None, {tier: value})


def _tier_of(path: Path, names: Sequence[str], tier: str | None) -> str:
    """Choose a tier.

    Raises:
        DataError: it is not there, or none was named and several might be meant.
    """
    wanted = (tier,) if tier is not None else ("emotion", "emotions", "label")
    for name in names:
        if name.lower() in [w.lower() for w in wanted]:
            return name
    if tier is None and len(names) == 1:
        return names[0]
    known = ", ".join(names) or "none"
    asked = f"has no tier {tier!r}" if tier is not None else "has no tier called emotion"
    raise DataError(f"{path} {asked}; its tiers are {known}. Name one with --tier.")


def _table_ratings(path: Path) -> Iterator[tuple[str, Rating]]:
    """Yield the rater, "" where none is named, and the rating of each row."""
    rows = read_table(path).rows
    columns = list(dict.fromkeys(key for row in rows for key in row))
    label = next((name for name in LABELS if name in columns), None)
    begin = (VALUE, ANSWERED) if "decided" in columns else (VALUE,)
    values = {
        name: name.removeprefix(VALUE).removeprefix(ANSWERED).split("[")[0]
        for name in columns
        if name.startswith(begin) or name in RANGES
    }
    if label is None and not values:
        raise DataError(
            f"{path} has no column of emotions ({', '.join(LABELS)}) or values ({VALUE}NAME, "
            f"{', '.join(RANGES)}); its columns are {', '.join(columns)}."
        )
    for count, row in enumerate(rows, 1):
        place = f"{path}, row {count}"
        recording = name_of(row.get("recording") or "")
        unit = row.get("id") or ""
        if not recording and not unit:
            raise DataError(f"{place}: the row names neither a recording nor an id.")
        start, end = _seconds(row, place)
        cell = row.get(label) if label is not None else None
        first = cell.split(";")[0] if cell else None
        numbers = {
            value: _number(row[column], column, place)
            for column, value in values.items()
            if row.get(column) is not None
        }
        rater = row.get("annotator") or row.get("rater") or ""
        yield rater, Rating(recording, start, end, first, numbers, unit if start is None else "")


def _seconds(row: Row, place: str) -> tuple[float | None, float | None]:
    """Read the times of a row, which has both or none.

    Raises:
        DataError: one of them is missing or no number, the end comes before the start, or later
            than any recording ends.
    """
    cells = (row.get("start"), row.get("end"))
    if cells == (None, None):
        return None, None
    start, end = (number(cell) if cell is not None else None for cell in cells)
    if start is None or end is None or not 0 <= start < end < math.inf:
        raise DataError(
            f"{place}: start and end are seconds, the end after the start; got {cells[0]} and "
            f"{cells[1]}."
        )
    _require_possible(end, place)
    return start, end


def _require_possible(end: float, place: str) -> None:
    """Check that a rating ends within the longest recording.

    Raises:
        DataError: it ends later.
    """
    if end > LONGEST:
        raise DataError(
            f"{place}: a rating ends at {end:g} seconds, after more than {LONGEST // 86_400} days; "
            "mend the time, which is in seconds."
        )


def _number(cell: str | None, column: str, place: str) -> float:
    value = number(cell)
    if value is None or not math.isfinite(value):
        raise DataError(f"{place}: {column} is a number; got {cell!r}.")
    return value
