"""MELD: 13,708 utterances of dialogues from Friends, as csv files and mp4 clips.

Poria et al., "MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in
Conversations", ACL 2019.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Utterance, media_of
from moodal.core.table_rows import Row, read_rows
from moodal.corpora.find import decoded, folder, shortened

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
SPLITS = {"train": "train", "dev": "valid", "test": "test"}
FOLDERS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
"""Part -> the folder of its clips in the release."""

COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
KEPT = {
    "sentiment": "sentiment",
    "season": "season",
    "episode": "episode",
    "starttime": "start",
    "endtime": "end",
}
"""Column -> its name in ``extra``."""

_CLIP = re.compile(r"(?:final_videos_test)?(dia\d+_utt\d+)")


def read(root: Path | str) -> Manifest:
    """Read MELD: utterances of dialogues from Friends, as csv files and mp4 clips.

    The files are ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and ``test_sent_emo.csv``. Clips are
    optional: ``dia{D}_utt{U}.mp4`` in the folders of `FOLDERS`, or in others whose name begins with
    or ends in train, dev or test, anywhere below ``root``. The csv files lie in ``root`` or below
    it. Characters that were saved in a wrong encoding are corrected.

    Returns:
        Text, and the clip as both speech and face; labels one-hot [N, 7]; splits train, valid
        (dev) and test. Ids are ``train_dia0_utt0`` and so on. An utterance whose clip is missing
        has text only, and is counted in the notes.

    Raises:
        DataError: a csv is missing, lacks a column, or has wrong rows; the first three are named.
    """
    root = folder(root, "MELD's train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv")
    utterances: list[Utterance] = []
    columns: list[int] = []
    notes: list[str] = []
    for part, split in SPLITS.items():
        path = _table(root, part)
        rows = _rows(path)
        clips, unused = _clips(root, part)
        missing = []
        for row in rows:
            clip = f"dia{row['dialogue_id']}_utt{row['utterance_id']}"
            place = clips.pop(clip, None)
            if place is None:
                missing.append(clip)
            utterances.append(_utterance(part, split, clip, row, place, root))
            columns.append(EMOTIONS.index(str(row["emotion"]).lower()))
        if len(missing) == len(rows):
            notes.append(f"There are no clips of {part}: its utterances have text only.")
        elif missing:
            notes.append(f"{len(missing)} clips of {part} are missing: {shortened(missing)}.")
        if clips:
            notes.append(f"{len(clips)} clips of {part} belong to no row: {shortened(clips)}.")
        if unused:
            notes.append(
                f"{len(unused)} files of {part} with other or repeated names were left out: "
                f"{shortened(unused)}."
            )
    return Manifest(
        corpus="meld",
        space=EmotionSpace(EMOTIONS, "single"),
        utterances=tuple(utterances),
        labels=np.eye(len(EMOTIONS), dtype=np.float32)[columns],
        licence="GPL 3.0 (the repository); the recordings are from a television series",
        notes=tuple(notes),
        root=str(root.resolve()),
    )


def _table(root: Path, part: str) -> Path:
    """Find the csv of one part, in ``root`` or nearest below it."""
    name = f"{part}_sent_emo.csv"
    paths = sorted(root.rglob(name), key=lambda p: (len(p.parts), p))
    if not paths:
        raise DataError(
            f"{root} holds no {name}; MELD is train_sent_emo.csv, dev_sent_emo.csv and "
            "test_sent_emo.csv with the folders of clips."
        )
    return paths[0]


def _rows(path: Path) -> list[Row]:
    """Read and check the rows of a csv; column names become lower case."""
    rows = read_rows(path, decoded)
    columns = {key for row in rows for key in row}
    missing = [column for column in COLUMNS if column.lower() not in columns]
    if missing:
        raise DataError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)} (it has "
            f"{', '.join(sorted(columns))})."
        )
    problems = [f"row {i} {what}" for i, what in _problems(rows)]
    if problems:
        raise DataError(
            f"{path}: {shortened(problems)}. Rows are counted from 1, below the header; emotions "
            f"are {', '.join(EMOTIONS)}."
        )
    return rows


def _problems(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    first: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows, 1):
        key = str(row["dialogue_id"]), str(row["utterance_id"])
        if not all(part.isdecimal() for part in key):
            yield number, f"has no whole numbers as Dialogue_ID and Utterance_ID ({key})"
        elif first.setdefault(key, number) != number:
            yield number, f"is dialogue {key[0]}, utterance {key[1]}, as row {first[key]} is"
        if str(row["emotion"]).lower() not in EMOTIONS:
            yield number, f"has the emotion {row['emotion'] or ''!r}"


def _clips(root: Path, part: str) -> tuple[dict[str, Path], list[str]]:
    """List the clips of one part, ``dia0_utt0`` -> file, and the names of files that are none.

    The release's test folder holds some clips a second time, as ``final_videos_testdia...``; the
    plain name counts. Files named "._dia..." are macOS metadata, not clips.
    """
    folders = [p for p in root.rglob(FOLDERS[part]) if p.is_dir()] or [
        p
        for p in sorted(root.rglob("*"))
        if p.is_dir() and re.search(rf"(^|[_-]){part}|{part}$", p.name.lower())
    ]
    clips: dict[str, Path] = {}
    paths = dict.fromkeys(path for place in folders for path in sorted(place.rglob("*.mp4")))
    for path in paths:
        match = _CLIP.fullmatch(path.stem)
        if match and (match[1] not in clips or path.stem == match[1]):
            clips[match[1]] = path
    used = set(clips.values())
    unused = [p.stem for p in paths if p not in used and not p.name.startswith(".")]
    return clips, unused


def _utterance(
    part: str, split: str, name: str, row: Row, path: Path | None, root: Path
) -> Utterance:
    clip = None if path is None else Clip(path.relative_to(root).as_posix())
    speaker, words = row["speaker"], row["utterance"]
    return Utterance(
        f"{part}_{name}",
        split=split,
        speaker=None if speaker is None else corrected(speaker),
        dialogue=f"{part}_dia{row['dialogue_id']}",
        media=media_of(text=words and corrected(words), speech=clip, face=clip),
        extra={ours: value for column, ours in KEPT.items() if (value := row.get(column))},
    )


def corrected(text: str) -> str:
    r"""Correct text whose characters were decoded wrongly once, as in MELD's files.

    >>> corrected("It\x92s \x85 fine"), corrected("Donâ€™t"), corrected("café")
    ('It’s … fine', 'Don’t', 'café')
    """
    if "â" in text or "Ã" in text:  # UTF-8 that was taken for Windows-1252
        with contextlib.suppress(UnicodeError):
            text = text.encode("cp1252").decode("utf-8")
    # Windows-1252 that was taken for Latin-1
    return re.sub(
        "[\x80-\x9f]", lambda m: m[0].encode("latin-1").decode("cp1252", errors="ignore"), text
    )
