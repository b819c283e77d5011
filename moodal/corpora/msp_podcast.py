"""MSP-Podcast: turns of podcasts, each with an emotion and with valence, arousal and dominance.

Lotfian and Busso, "Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving Emotional
Speech from Existing Podcast Recordings", IEEE Transactions on Affective Computing, 2019.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace, Value, Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest, Ratings
from moodal.core.records import Clip, Utterance, media_of
from moodal.core.table_rows import Row, number, read_rows
from moodal.corpora.find import AUDIO, decoded, folder, recordings, shortened

TABLES = ("labels_consensus.csv", "labels_concensus.csv")
"""Names of the table of labels, the second as earlier releases spell it."""
PLACES = ("Labels", "labels", ".")
AUDIOS = ("Audios", "Audio")
"""Folders of the recordings, in the releases since 1.8 and before."""
TRANSCRIPTS = "Transcripts"

COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
LOW, HIGH = 1.0, 7.0
VALUES = {"valence": "emoval", "arousal": "emoact", "dominance": "emodom"}
"""Value -> its column, with ratings from 1 to 7."""

EMOTIONS = {
    "A": "anger",
    "S": "sadness",
    "H": "happiness",
    "U": "surprise",
    "F": "fear",
    "D": "disgust",
    "C": "contempt",
    "N": "neutral",
    "O": "other",
    "X": "undecided",
}
"""Code -> emotion; the raters of X agreed on none."""

SPLITS = {
    "train": "train",
    "development": "valid",
    "validation": "valid",
    "test1": "test",
    "test2": "test",
    "test3": "test",
}
"""Name of a part in lower case -> split; earlier releases call Development Validation."""

_PODCAST = re.compile(r"(MSP-PODCAST_\d+)_\w+", re.IGNORECASE)


def read(root: Path | str) -> Manifest:
    """Read MSP-Podcast: turns of podcasts with an emotion and valence, arousal and dominance.

    ``root`` holds ``Labels/labels_consensus.csv`` with the columns of `COLUMNS`, the recordings
    ``Audios/MSP-PODCAST_0001_0008.wav`` and, if there are any, ``Transcripts`` with a text file of
    the same name for each. A speaker "Unknown" is none. Rows without a number of some value, such
    as those of a test set whose labels are kept secret, are left out and counted in the notes.

    Returns:
        Speech and text; labels one-hot [N, 10], the words of `EMOTIONS` in their order; ratings
        from 1 to 7; splits train, valid and test. Ids are the files' names without ending, and a
        dialogue is a podcast. ``extra``: part (Test1, Test2 and so on), gender.

    Raises:
        DataError: the table is missing, lacks a column, or has wrong rows; the first three are
            named.
    """
    root = folder(root, "MSP-Podcast's Labels and Audios folders")
    path = _table(root)
    rows = _rows(path)
    rated = [row for row in rows if all(row.get(c) is not None for c in VALUES.values())]
    audio = recordings([root / name for name in AUDIOS], AUDIO)
    texts = recordings([root / TRANSCRIPTS], (".txt",))
    names = [_name(row) for row in rated]
    codes = list(EMOTIONS)
    numbers = [[number(row[column]) for column in VALUES.values()] for row in rated]
    columns = [codes.index(str(row["emoclass"]).upper()) for row in rated]
    return Manifest(
        corpus="msp-podcast",
        space=EmotionSpace(EMOTIONS.values(), "single"),
        utterances=tuple(
            _utterance(name, row, audio.get(name), texts.get(name), root)
            for name, row in zip(names, rated, strict=True)
        ),
        labels=np.eye(len(codes), dtype=np.float32)[columns],
        ratings=Ratings(
            Values([Value(name, LOW, HIGH) for name in VALUES]),
            np.array(numbers, np.float32).reshape(-1, len(VALUES)),
        ),
        licence="on request, for research",
        notes=tuple(_notes(names, len(rows) - len(rated), audio, texts)),
        root=str(root.resolve()),
    )


def _table(root: Path) -> Path:
    """Return the table of labels."""
    paths = [root / place / name for place in PLACES for name in TABLES]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise DataError(
            f"{root} holds no Labels/{TABLES[0]}; give the folder of MSP-Podcast's release, with "
            "Labels and Audios in it."
        )
    return path


def _rows(path: Path) -> list[Row]:
    """Read the rows of the table, and refuse wrong ones."""
    rows = read_rows(path, decoded)
    if not rows:
        raise DataError(f"{path} has no rows; fetch it again.")
    present = {column for row in rows for column in row}
    if missing := [c for c in COLUMNS if c.lower() not in present]:
        raise DataError(
            f"{path} has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}."
        )
    first: dict[str, int] = {}
    problems = []
    for count, row in enumerate(rows, 1):
        if problem := _problem(row) or _again(row, first, count):
            problems.append(f"row {count} ({row.get('filename') or 'no name'}) {problem}")
    if problems:
        raise DataError(
            f"{path}: {shortened(problems)}; correct or remove these rows, counted from 1 below "
            "the header."
        )
    return rows


def _problem(row: Row) -> str | None:
    """Return what is wrong with a row."""
    if not row.get("filename"):
        return "names no recording"
    secret = row.get("emoclass") is None and not any(row.get(c) for c in VALUES.values())
    if not secret and str(row.get("emoclass")).upper() not in EMOTIONS:
        return f"has EmoClass {row.get('emoclass')!r}, not one of {', '.join(EMOTIONS)}"
    if str(row.get("split_set")).lower() not in SPLITS:
        return f"has Split_Set {row.get('split_set')!r}, not Train, Development, Test1 or Test2"
    for name, column in VALUES.items():
        cell = row.get(column)
        rating = number(cell)
        if cell is not None and (rating is None or not LOW <= rating <= HIGH):
            return f"has {name} {cell!r}, not a number from {LOW:g} to {HIGH:g}"
    return None


def _again(row: Row, first: dict[str, int], count: int) -> str | None:
    """Return that a row's recording has an earlier row, which ``first`` remembers."""
    earlier = first.setdefault(_name(row), count)
    return None if earlier == count else f"is of the same recording as row {earlier}"


def _name(row: Row) -> str:
    return Path(str(row["filename"])).stem


def _utterance(
    name: str, row: Row, audio: Path | None, transcript: Path | None, root: Path
) -> Utterance:
    podcast = _PODCAST.fullmatch(name)
    speaker = str(row.get("spkrid") or "unknown")
    text = None if transcript is None else " ".join(decoded(transcript.read_bytes()).split())
    clip = None if audio is None else Clip(audio.relative_to(root).as_posix())
    return Utterance(
        name,
        split=SPLITS[str(row["split_set"]).lower()],
        speaker=None if speaker.lower() == "unknown" else speaker,
        dialogue=podcast[1] if podcast else None,
        media=media_of(text=text or None, speech=clip),
        extra={"part": str(row["split_set"]), "gender": str(row.get("gender") or "").lower()},
    )


def _notes(
    names: list[str], unrated: int, audio: Mapping[str, Path], texts: Mapping[str, Path]
) -> list[str]:
    """Count what is missing or left over, one sentence for each kind."""
    known = set(names)
    kinds = {
        "rows have no recording": [n for n in names if n not in audio],
        "rows have no transcript": [n for n in names if n not in texts] if texts else [],
        "recordings have no row and were left out": [n for n in audio if n not in known],
    }
    notes = [f"{len(own)} {what}: {shortened(own)}." for what, own in kinds.items() if own]
    if unrated:
        notes.append(f"{unrated} rows without numbers were left out.")
    return notes
