"""MMER's csv of IEMOCAP, with its folders of recordings and RoBERTa arrays.

Ghosh et al., "MMER: Multimodal Multi-task Learning for Speech Emotion Recognition",
Interspeech 2023. 5,531 turns, one of five emotions each; MMER counts excited as happy,
which its recipes declare.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Utterance, Views, media_of
from moodal.core.table_rows import Row, read_rows
from moodal.corpora.find import AUDIO, decoded, recordings, shortened
from moodal.corpora.iemocap import token_arrays
from moodal.corpora.iemocap.names import CODES, fields
from moodal.corpora.published.features import as_given

AUTHORS_ORDER = ("happy", "angry", "neutral", "sad")
"""The authors' classes 0 to 3; "happy" is happy and excited."""

EMOTIONS = ("happy", "excited", "angry", "neutral", "sad")
LABELS = {code: word for code, word in CODES.items() if word in EMOTIONS}

COLUMNS = ("filename", "sentences", "label")
OPTIONAL = ("text", "augmentedtext")

_MARK = re.compile(r"\{[^{}]*\}")  # {LG}, {BR}: laughter and breath in the csv's CTC targets


def read(root: Path | str) -> Manifest:
    """Read MMER's csv of IEMOCAP, with the recordings and RoBERTa arrays next to it.

    ``root`` is a folder with ``iemocap.csv``, or the csv itself. The folders are
    ``audio/<FileName>.wav``; ``roberta/<FileName>.npy`` [1, L, D]; ``audio_augmented/`` with any
    number of ``<voice>...<FileName>.wav`` per utterance; and ``roberta_augmented/``, likewise with
    ``.npy``. Each may be missing: the csv alone is a corpus of text.

    Raises:
        DataError: as `read_parts`.
    """
    root = Path(root)
    csv = root
    if root.is_dir():
        csv = root / "iemocap.csv"
        if not csv.is_file():
            raise DataError(f"{root} holds no iemocap.csv; give its folder, or the csv itself.")
    places = {
        "audio": "audio",
        "roberta": "roberta",
        "augmented_audio": "audio_augmented",
        "augmented_roberta": "roberta_augmented",
    }
    folders = {k: csv.parent / name for k, name in places.items()}
    return read_parts(csv, **{k: path for k, path in folders.items() if path.is_dir()})


def read_parts(
    csv: Path | str,
    audio: Path | str | None = None,
    roberta: Path | str | None = None,
    augmented_audio: Path | str | None = None,
    augmented_roberta: Path | str | None = None,
) -> Manifest:
    """Read the csv, and folders that lie elsewhere, each of which may be None.

    Columns: FileName, Sentences (the text), Label (neu, ang, sad, exc, hap); optionally text (the
    words as CTC's target, in ``extra["ctc_text"]``) and AugmentedText. Session, speaker, dialogue,
    style and script are parsed from the FileName.

    Returns:
        Labels one-hot [N, 5] in the order of `EMOTIONS`; features "text" with ``roberta``, second
        views "text" with ``augmented_roberta``. Missing recordings and arrays are absent for their
        utterance, and are counted in the notes.

    Raises:
        DataError: a column is missing, rows are wrong, a folder is missing or fits no row, or
            arrays are damaged: all of a kind in one sentence.
    """
    csv = Path(csv)
    rows = _rows(csv)
    names = [str(row["filename"]) for row in rows]
    notes = _notes(rows)
    sounds = _matched("audio", audio, names, AUDIO, notes)
    second_sounds = _matched("augmented audio", augmented_audio, names, AUDIO, notes, several=True)
    arrays = _matched("RoBERTa", roberta, names, (".npy",), notes)
    second_arrays = _matched(
        "augmented RoBERTa", augmented_roberta, names, (".npy",), notes, several=True
    )
    features, views = {}, {}
    if roberta is not None:
        paths = [arrays.get(name, [None])[0] for name in names]
        features["text"] = token_arrays.read(paths)
    if augmented_roberta is not None:
        owners = [i for i, name in enumerate(names) for _ in second_arrays.get(name, ())]
        paths = [path for name in names for path in second_arrays.get(name, ())]
        frames = token_arrays.read(paths)
        views["text"] = _views(frames, owners, features.get("text"))
    base = csv.parent.resolve()

    def clips(paths: Sequence[Path]) -> tuple[Clip, ...]:
        return tuple(Clip(Path(os.path.relpath(p.resolve(), base)).as_posix()) for p in paths)

    utterances = []
    for row, name in zip(rows, names, strict=True):
        parsed = fields(name)
        extra = parsed.pop("extra", {})
        text = row.get("augmentedtext")
        second = {"text": (text,) if text else (), "speech": clips(second_sounds.get(name, []))}
        if "text" in row:
            extra["ctc_text"] = _MARK.sub(" ", row["text"] or "").strip()
        utterances.append(
            Utterance(
                name,
                media=media_of(
                    text=row["sentences"], speech=next(iter(clips(sounds.get(name, [])[:1])), None)
                ),
                views={modality: media for modality, media in second.items() if media},
                extra=extra,
                **parsed,
            )
        )
    columns = [EMOTIONS.index(LABELS[str(row["label"]).lower()]) for row in rows]
    return Manifest(
        corpus="mmer",
        space=EmotionSpace(EMOTIONS, "single"),
        utterances=tuple(utterances),
        labels=np.eye(len(EMOTIONS), dtype=np.float32)[columns],
        features=features,
        encoders={s: as_given("mmer", s, f.width) for s, f in features.items()},
        licence="on request, for research",
        notes=tuple(notes),
        root=str(base),
        views=views,
    )


def _rows(csv: Path) -> list[Row]:
    """Read and check the rows of the csv; column names become lower case.

    Raises:
        DataError: a column is missing, or rows have another label, no name or a repeated one.
    """
    if not csv.is_file():
        raise DataError(f"There is no {csv}; give MMER's iemocap.csv.")
    rows = read_rows(csv, decoded)
    columns = {key for row in rows for key in row}
    missing = [c for c in ("FileName", "Sentences", "Label") if c.lower() not in columns]
    if missing:
        present = ", ".join(sorted(columns - {""})) or "none"
        plural = "s" * (len(missing) > 1)
        raise DataError(
            f"{csv} lacks the column{plural} {', '.join(missing)} (it has {present}); MMER's csv "
            "has FileName, Sentences, Label, text and, since 2023, AugmentedText."
        )
    problems = []
    first: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        name, label = row["filename"], row["label"]
        if name is None:
            problems.append(f"row {number} has no FileName")
        elif first.setdefault(name, number) != number:
            problems.append(f"row {number} has the FileName of row {first[name]}, {name}")
        if (label or "").lower() not in LABELS:
            problems.append(f"row {number} ({name}) has the label {label or ''!r}")
    if problems:
        raise DataError(
            f"{csv}: {shortened(problems)}. Rows are counted from 1, below the header; labels are "
            f"{', '.join(LABELS)}."
        )
    return rows


def _notes(rows: Sequence[Row]) -> list[str]:
    """Describe oddities of the rows that are no errors, one sentence for each kind."""
    notes = []
    extra = sorted({key for row in rows for key in row} - {"", *COLUMNS, *OPTIONAL})
    if extra:
        notes.append(f"Columns of the csv that are ignored: {', '.join(extra)}.")
    silent = [str(row["filename"]) for row in rows if not row["sentences"]]
    if silent:
        notes.append(f"{len(silent)} rows have an empty transcript: {shortened(silent)}.")
    strange = [name for row in rows if not fields(name := str(row["filename"]))]
    if strange:
        notes.append(
            f"{len(strange)} names are not IEMOCAP's and contain no session or speaker: "
            f"{shortened(strange)}."
        )
    return notes


def _matched(
    what: str,
    place: Path | str | None,
    names: Sequence[str],
    endings: tuple[str, ...],
    notes: list[str],
    *,
    several: bool = False,
) -> dict[str, list[Path]]:
    """Match the files in ``place`` to rows: FileName -> its files.

    Args:
        what: name of the files in messages.
        place: their folder, None for no files.
        names: the FileName of every row.
        endings: endings of the files.
        notes: gets a sentence about missing and left-over files.
        several: whether a row may have any number of files, with a prefix before the name.

    Raises:
        DataError: there is no such folder, or none of its files belongs to a row.
    """
    if place is None:
        return {}
    place = Path(place)
    if not place.is_dir():
        raise DataError(f"There is no folder {place}, where {what} should be.")
    files = recordings((place,), endings)
    rows = set(names)
    matched: dict[str, list[Path]] = {}
    left_over = []
    for stem, path in files.items():
        owner = _owner(stem, rows) if several else stem
        if owner in rows:
            matched.setdefault(str(owner), []).append(path)
        else:
            left_over.append(stem)
    if not matched:
        raise DataError(
            f"{place} holds no {endings[0]} file of a row of the csv (it holds "
            f"{shortened(files) or 'none'}; a name such as {names[0]} is expected); give the "
            f"folder of {what}."
        )
    missing = [name for name in names if name not in matched]
    if missing:
        notes.append(f"{len(missing)} of {len(names)} rows have no {what}: {shortened(missing)}.")
    if left_over:
        notes.append(f"{len(left_over)} files of {what} belong to no row: {shortened(left_over)}.")
    return matched


def _owner(stem: str, names: set[str]) -> str | None:
    """Return the row of ``<voice>...<FileName>``: the longest FileName in which it ends."""
    return next((stem[i:] for i in range(len(stem)) if stem[i:] in names), None)


def _views(frames: Frames, owners: Sequence[int], features: Frames | None) -> Views:
    if features is not None and frames.width != features.width:
        raise DataError(
            f"The augmented RoBERTa arrays are {frames.width} wide and the others "
            f"{features.width}; make both with one model."
        )
    rows = np.array(owners, np.int64)
    return Views(frames, rows, np.ones(len(rows), bool), "as given: RoBERTa of AugmentedText")
