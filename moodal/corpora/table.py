"""A user's corpus: one table with a row per utterance, and its recordings.

See docs/corpora-raw.md for the columns and an example.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from moodal.core.emotions import Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest, Ratings
from moodal.core.records import STREAMS, Clip, Medium, Utterance, media_of
from moodal.core.table_rows import ENDINGS, Row, Table, number, read_rows, read_table
from moodal.core.votes import RATERS, VOTES
from moodal.corpora.checks.spellings import same_emotion
from moodal.corpora.find import Paths, shortened
from moodal.corpora.own.spec import SUFFIX
from moodal.corpora.table_labels import Labels, label_columns, problems, refuse

SOUND = ("audio", "speech")
PICTURES = ("video", "image", "face")
"""A film, a picture of a person, or a picture of a face alone."""
CONTENT = ("text", "audio", "video", "image", "face", "speech")
SECOND = ("augmented_text", "augmented_audio")
"""Second views: a text, and paths of recordings separated by semicolons."""

RESERVED = (
    *("id", *CONTENT, *SECOND),
    *("start", "end", "speaker", "session", "dialogue", "split", "label"),
)
"""Column names that are no emotion; ``id`` is required."""

MEDIA_PREFIX = "media:"
"""Begins the name of a column that holds the files of another modality, such as media:pulse."""

KEPT_AS = {key: f"table:{key}" for key in (RATERS, VOTES)}
"""Column without a meaning of ours -> its key in ``extra``, where the column's name has one."""

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
"""Name of a split in a table, in any case -> name in manifests."""


def read(root: Path | str) -> Manifest:
    """Read a table of your own (CSV, TSV, JSONL or Parquet), a row per utterance.

    ``root`` is the file, or a folder that holds exactly one. Columns: ``id``; any of ``text``,
    ``audio`` (or ``speech``), ``video``, or ``image`` or ``face`` in its place, and ``media:NAME``
    for any other modality, ``NAME_features`` for files of features, which
    `moodal.corpora.own.attach` reads (paths start from the table's folder); ``augmented_text`` and
    ``augmented_audio``; ``start`` and ``end`` in seconds; ``speaker``, ``session``, ``dialogue``,
    ``split``; and the labels, see `moodal.corpora.table_labels.label_columns`. Columns left over go
    to the utterances' ``extra``.

    Returns:
        Task "single" with a label column (emotions in alphabetical order) or with columns of votes
        (the labels are the shares of raters), "multi" with a column per emotion (in the table's
        order; above 0 counts, of fractions of 1 from a half on), either with ratings where columns
        declare values, or values; a missing one is NaN: `moodal.corpora.checks.check` names it.

    Raises:
        DataError: columns are missing or contradict each other, or rows are wrong; the first three
            are named.
    """
    path = _table(Path(root))
    return manifest_of(path, read_table(path))


def manifest_of(path: Path, content: Table, corpus: str = "table") -> Manifest:
    """Return the corpus of a table's rows, see `read`.

    Args:
        path: the table, for messages; the paths of recordings start from its folder.
        content: its rows.
        corpus: the name of the corpus.

    Raises:
        DataError: as `read`.
    """
    rows = content.rows
    columns = list(dict.fromkeys(key for row in rows for key in row))
    _require(path, columns)
    free = [c for c in columns if c not in RESERVED and not _is_content(c)]
    targets = label_columns(path, columns, free, rows)
    refuse(path, rows, _problems_of_ids(rows))
    refuse(path, rows, problems(rows, _problem_of_row))
    space, labels = targets.read(path, rows)
    of_values = targets.values.columns if targets.values else ()
    kept = {*RESERVED, *targets.columns, *of_values, *filter(_is_media, columns)}
    paths = Paths(path.parent)
    renamed = [
        f"The column {column} is kept as {name}, since {column} names the votes of raters; those "
        "are columns such as rater:ANN or votes:HAPPY."
        for column, name in KEPT_AS.items()
        if column in columns and column not in kept
    ]
    return Manifest(
        corpus=corpus,
        space=space,
        utterances=tuple(_with_votes(_utterance(row, kept, paths), row, targets) for row in rows),
        labels=labels,
        ratings=_ratings(targets, path, rows),
        notes=tuple(note for note in (targets.note, *renamed, *content.notes) if note),
        root=str(path.parent.resolve()),
    )


def _with_votes(utterance: Utterance, row: Row, targets: Labels) -> Utterance:
    """Add what raters chose to an utterance, where the table says it."""
    if targets.extra is None:
        return utterance
    return dataclasses.replace(utterance, extra={**utterance.extra, **targets.extra(row)})


def _ratings(targets: Labels, path: Path, rows: Sequence[Row]) -> Ratings | None:
    """Read the values next to emotions; None where there are none."""
    if targets.values is None:
        return None
    space, numbers = targets.values.read(path, rows)
    assert isinstance(space, Values)
    return Ratings(space, numbers)


def examples(path: Path | str, word: str) -> tuple[list[Utterance], list[Utterance]]:
    """Read the rows of a table that show an emotion word, and the other rows.

    Without a column ``label`` all rows show it. Columns are those of `read`; ``id`` is optional.

    Raises:
        DataError: as `read`, or a label looks like another name of ``word``.
    """
    path = Path(path)
    rows = [{"id": str(i), **row} for i, row in enumerate(read_rows(path), 1)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    _require(path, columns)
    refuse(path, rows, problems(rows, _problem_of_row))
    refuse(path, rows, problems(rows, lambda row: _problem_of_label(row, word)))
    kept = {*RESERVED, *filter(_is_media, columns)}
    paths = Paths(path.parent)
    shown: list[Utterance] = []
    others: list[Utterance] = []
    for row in rows:
        shows = (row.get("label") or word).lower() == word
        (shown if shows else others).append(_utterance(row, kept, paths))
    return shown, others


def _table(root: Path) -> Path:
    """Return the one table that ``root`` is or holds."""
    if root.is_file():
        return root
    if not root.is_dir():
        raise DataError(f"{root} does not exist; give a table, or the folder that holds one.")
    tables = [
        p
        for p in sorted(root.iterdir())
        if p.suffix.lower() in ENDINGS and not p.name.startswith(".")  # files of macOS
    ]
    if len(tables) != 1:
        listed = shortened([p.name for p in tables], 5) or "none"
        raise DataError(
            f"{root} should hold exactly one table ({', '.join(ENDINGS)}); found {listed}. "
            "Give the table's own path."
        )
    return tables[0]


def _is_media(column: str) -> bool:
    """Return whether a column holds texts or files."""
    return column in CONTENT or column.startswith(MEDIA_PREFIX)


def _is_content(column: str) -> bool:
    """Return whether a column holds texts, files, or files of features."""
    return _is_media(column) or _is_features(column)


def _is_features(column: str) -> bool:
    """Return whether a column holds files of features."""
    return column.endswith(SUFFIX) and column != SUFFIX


def _require(path: Path, columns: Sequence[str]) -> None:
    """Refuse a table without the columns that every corpus needs."""
    has = f"it has {', '.join(columns) or 'no columns'}"
    if "id" not in columns:
        raise DataError(f"{path} has no column id ({has}); give every row a unique name.")
    if not any(map(_is_content, columns)):
        raise DataError(f"{path} has none of the columns {', '.join(CONTENT)} ({has}); add one.")
    for column in columns:
        name = column.removeprefix(MEDIA_PREFIX).strip()
        if column != name and (not name or name in STREAMS):
            raise DataError(
                f"{path} has a column {column!r}; text, audio and video have columns of these "
                f"names, and other modalities one such as {MEDIA_PREFIX}pulse."
            )


def _problems_of_ids(rows: Sequence[Row]) -> dict[int, str]:
    first: dict[str, int] = {}
    faults = {}
    for i, row in enumerate(rows):
        name = row.get("id")
        if name is None:
            faults[i] = "has no id"
        elif first.setdefault(name, i) != i:
            faults[i] = f"has the same id as row {first[name] + 1}"
    return faults


def _problem_of_row(row: Row) -> str | None:
    for key in ("start", "end"):
        value = row.get(key)
        if value is not None and ((time := number(value)) is None or time < 0):
            return f"has {key} {value!r}, which is no time in seconds, such as 12.5"
    start, end = number(row.get("start")), number(row.get("end"))
    if end is not None and (start or 0.0) >= end:
        return f"starts at {start or 0.0:g} s and ends at {end:g} s"
    split = row.get("split")
    if split is not None and split.lower() not in SPLITS:
        return f"has split {split!r}, not train, valid or test"
    for columns in (SOUND, PICTURES):
        filled = [c for c in columns if row.get(c) is not None]
        if len(filled) > 1:
            return f"has {' and '.join(filled)}, of which one is read"
    if all(value is None for column, value in row.items() if _is_content(column)):
        words = "words for missing values, such as NA, count as empty"
        return f"has none of {', '.join(CONTENT)} ({words})"
    return None


def _problem_of_label(row: Row, word: str) -> str | None:
    label = (row.get("label") or word).lower()
    if label != word and word and same_emotion(label, word):
        return (
            f"has the label {label!r}, which looks like another name of {word}; write {word}, or "
            "leave the row out"
        )
    return None


def _utterance(row: Row, kept: set[str], paths: Paths) -> Utterance:
    split = row.get("split")
    media = _media(row, paths)
    timed = any(isinstance(medium, Clip) and medium.timed for medium in media.values())
    if not timed and any(map(_is_features, row)):
        kept = kept - {"start", "end"}  # which no clip has, and features may be cut to
    return Utterance(
        str(row["id"]),
        split=None if split is None else SPLITS[split.lower()],
        speaker=row.get("speaker"),
        session=row.get("session"),
        dialogue=row.get("dialogue"),
        media=media,
        views=_views(row, paths),
        extra={KEPT_AS.get(k, k): v for k, v in row.items() if k not in kept and v is not None},
    )


def _media(row: Row, paths: Paths) -> dict[str, Medium]:
    """Return the media of a row; a video without a separate recording is its sound, too."""
    times = number(row.get("start")), number(row.get("end"))

    def clip(path: str | None) -> Clip | None:
        return None if path is None else Clip(paths.resolve(path), *times)

    film = clip(row.get("video"))
    picture = row.get("image") or row.get("face")
    others = {
        column.removeprefix(MEDIA_PREFIX).strip(): clip(path)
        for column, path in row.items()
        if column.startswith(MEDIA_PREFIX)
    }
    return media_of(
        text=row.get("text"),
        speech=clip(row.get("audio") or row.get("speech")) or film,
        face=Clip(paths.resolve(picture)) if picture else film,
        **others,
    )


def _views(row: Row, paths: Paths) -> dict[str, tuple[Medium, ...]]:
    text = row.get("augmented_text")
    names = (name.strip() for name in (row.get("augmented_audio") or "").split(";"))
    views: dict[str, tuple[Medium, ...]] = {
        "text": () if text is None else (text,),
        "speech": tuple(Clip(paths.resolve(name)) for name in names if name),
    }
    return {modality: media for modality, media in views.items() if media}
