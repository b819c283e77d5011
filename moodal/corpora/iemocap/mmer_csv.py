"""MMER's csv of IEMOCAP, with the recordings and RoBERTa arrays beside it.

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
from moodal.corpora.find import AUDIO, decoded, recordings, some
from moodal.corpora.iemocap import token_arrays
from moodal.corpora.iemocap.names import CODES, fields
from moodal.corpora.published.features import as_given
from moodal.corpora.table_rows import Row, read_rows

AUTHORS_ORDER = ("happy", "angry", "neutral", "sad")
"""The authors' classes 0 to 3; "happy" is happy and excited."""

EMOTIONS = ("happy", "excited", "angry", "neutral", "sad")
LABELS = {code: word for code, word in CODES.items() if word in EMOTIONS}

COLUMNS = ("filename", "sentences", "label")
OPTIONAL = ("text", "augmentedtext")

_MARK = re.compile(r"\{[^{}]*\}")  # {LG}, {BR}: laughter and breath in the csv's CTC targets


def read(root: Path | str) -> Manifest:
    """Read a folder with ``iemocap.csv``, or the csv itself, and the folders beside it.

    ``audio/<FileName>.wav``; ``roberta/<FileName>.npy`` [1, L, D]; ``audio_augmented/`` with
    ``<voice>...<FileName>.wav``, any number per utterance; ``roberta_augmented/``, likewise
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
    there = {k: csv.parent / name for k, name in places.items() if (csv.parent / name).is_dir()}
    return read_parts(csv, **there)


def read_parts(
    csv: Path | str,
    audio: Path | str | None = None,
    roberta: Path | str | None = None,
    augmented_audio: Path | str | None = None,
    augmented_roberta: Path | str | None = None,
) -> Manifest:
    """The same from separate places, each of which may be None.

    Columns: FileName, Sentences (the text), Label (neu, ang, sad, exc, hap); and, where they
    are there, text (the words as CTC's target, in ``extra["ctc_text"]``) and AugmentedText.
    Session, speaker, dialogue, style and script are read from the FileName.

    Returns:
        Labels one-hot [N, 5] in the order of `EMOTIONS`; features "text" where ``roberta`` is
        given, second views "text" where ``augmented_roberta`` is. Recordings and arrays that
        are missing leave that utterance without, and are counted in the notes.

    Raises:
        DataError: a column is missing, rows are wrong, a folder is missing or fits no row, or
            arrays are damaged: all of a kind in one sentence.
    """
    csv = Path(csv)
    rows = _rows(csv)
    names = [str(row["filename"]) for row in rows]
    notes = _notes(rows)
    heard = _matched("audio", audio, names, AUDIO, notes)
    again = _matched("augmented audio", augmented_audio, names, AUDIO, notes, several=True)
    arrays = _matched("RoBERTa", roberta, names, (".npy",), notes)
    more = _matched("augmented RoBERTa", augmented_roberta, names, (".npy",), notes, several=True)
    features, views = {}, {}
    if roberta is not None:
        paths = [arrays.get(name, [None])[0] for name in names]
        features["text"] = token_arrays.read(paths)
    if augmented_roberta is not None:
        owners = [i for i, name in enumerate(names) for _ in more.get(name, ())]
        frames = token_arrays.read([path for name in names for path in more.get(name, ())])
        views["text"] = _views(frames, owners, features.get("text"))
    base = csv.parent.resolve()

    def clips(paths: Sequence[Path]) -> tuple[Clip, ...]:
        return tuple(Clip(Path(os.path.relpath(p.resolve(), base)).as_posix()) for p in paths)

    utterances = []
    for row, name in zip(rows, names, strict=True):
        about = fields(name)
        extra = about.pop("extra", {})
        text = row.get("augmentedtext")
        second = {"text": (text,) if text else (), "speech": clips(again.get(name, []))}
        if "text" in row:
            extra["ctc_text"] = _MARK.sub(" ", row["text"] or "").strip()
        utterances.append(
            Utterance(
                name,
                media=media_of(
                    text=row["sentences"], speech=next(iter(clips(heard.get(name, [])[:1])), None)
                ),
                views={modality: media for modality, media in second.items() if media},
                extra=extra,
                **about,
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
    """The csv's rows, by column in lower case.

    Raises:
        DataError: a column is missing, or rows have another label, no name or one twice.
    """
    if not csv.is_file():
        raise DataError(f"There is no {csv}; give MMER's iemocap.csv.")
    rows = read_rows(csv, decoded)
    there = {key for row in rows for key in row}
    missing = [c for c in ("FileName", "Sentences", "Label") if c.lower() not in there]
    if missing:
        has = ", ".join(sorted(there - {""})) or "none"
        many = "s" * (len(missing) > 1)
        raise DataError(
            f"{csv} lacks the column{many} {', '.join(missing)} (it has {has}); MMER's csv "
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
            f"{csv}: {some(problems)}. Rows are counted from 1, below the header; labels are "
            f"{', '.join(LABELS)}."
        )
    return rows


def _notes(rows: Sequence[Row]) -> list[str]:
    """What is odd about the rows but no mistake, a sentence per kind."""
    notes = []
    extra = sorted({key for row in rows for key in row} - {"", *COLUMNS, *OPTIONAL})
    if extra:
        notes.append(f"Columns of the csv that mean nothing here: {', '.join(extra)}.")
    silent = [str(row["filename"]) for row in rows if not row["sentences"]]
    if silent:
        notes.append(f"{len(silent)} rows have an empty transcript: {some(silent)}.")
    strange = [name for row in rows if not fields(name := str(row["filename"]))]
    if strange:
        notes.append(
            f"{len(strange)} names are not IEMOCAP's and tell no session or speaker: "
            f"{some(strange)}."
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
    """FileName -> its files in ``place``; what is missing or left over goes to ``notes``.

    ``several``: files may have more before the name, and a row any number of them.

    Raises:
        DataError: there is no such folder, or none of its files belongs to a row.
    """
    if place is None:
        return {}
    place = Path(place)
    if not place.is_dir():
        raise DataError(f"There is no folder {place}, where {what} should be.")
    found = recordings((place,), endings)
    known = set(names)
    owned: dict[str, list[Path]] = {}
    left = []
    for stem, path in found.items():
        owner = _owner(stem, known) if several else stem
        if owner in known:
            owned.setdefault(str(owner), []).append(path)
        else:
            left.append(stem)
    if not owned:
        raise DataError(
            f"{place} holds no {endings[0]} file of a row of the csv (found "
            f"{some(found) or 'none'}, looked for {names[0]}); give the folder of {what}."
        )
    lacking = [name for name in names if name not in owned]
    if lacking:
        notes.append(f"{len(lacking)} of {len(names)} rows have no {what}: {some(lacking)}.")
    if left:
        notes.append(f"{len(left)} files of {what} belong to no row: {some(left)}.")
    return owned


def _owner(stem: str, names: set[str]) -> str | None:
    """The row that ``<voice>...<FileName>`` belongs to: the longest name that it ends in."""
    return next((stem[i:] for i in range(len(stem)) if stem[i:] in names), None)


def _views(frames: Frames, owners: Sequence[int], features: Frames | None) -> Views:
    if features is not None and frames.width != features.width:
        raise DataError(
            f"The augmented RoBERTa arrays are {frames.width} wide and the others "
            f"{features.width}; make both with one model."
        )
    rows = np.array(owners, np.int64)
    return Views(frames, rows, np.ones(len(rows), bool), "as given: RoBERTa of AugmentedText")
