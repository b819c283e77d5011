"""BRIGHTER: short texts in 28 languages with any of six emotions.

Muhammad et al., "BRIGHTER: BRIdging the Gap in Human-Annotated Textual Emotion Recognition
Datasets for 28 Languages", ACL 2025; SemEval-2025 task 11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance
from moodal.core.table_rows import Row, iterate

EMOTIONS = ("anger", "disgust", "fear", "joy", "sadness", "surprise")
LABELS = (*EMOTIONS, "neutral")
"""The emotions of the files, and neutral: a text that was given none of the six."""

LANGUAGES = {
    "afr": "af",
    "amh": "am",
    "arq": "arq",
    "ary": "ary",
    "chn": "zh",
    "deu": "de",
    "eng": "en",
    "esp": "es",
    "hau": "ha",
    "hin": "hi",
    "ibo": "ig",
    "ind": "id",
    "jav": "jv",
    "kin": "rw",
    "mar": "mr",
    "orm": "om",
    "pcm": "pcm",
    "ptbr": "pt-BR",
    "ptmz": "pt-MZ",
    "ron": "ro",
    "rus": "ru",
    "som": "so",
    "sun": "su",
    "swa": "sw",
    "swe": "sv",
    "tat": "tt",
    "tir": "ti",
    "ukr": "uk",
    "vmw": "vmw",
    "xho": "xh",
    "yor": "yo",
    "zul": "zu",
}
"""Name of a file -> its language (BCP 47)."""

SPLITS = {"train": "train", "dev": "test", "test": "test"}
"""Folder -> split; some of the texts of ``train`` validate, see `read`."""
VALID = 10
"""One of so many training texts, chosen by its hash, validates."""
LICENCE = "CC BY 4.0"


def read(root: Path | str) -> Manifest:
    """Read ``train/LANGUAGE.csv`` and ``dev/LANGUAGE.csv``: id, text, and a 0 or 1 per emotion.

    ``test/LANGUAGE.csv``, where it is there, takes the place of ``dev`` of that language, whose
    texts then validate as well. ``intensity_train`` has the same texts as ``train`` with
    intensities from 0 to 3, which are kept in the columns ``intensity_anger`` and so on.

    Returns:
        Text only; labels [N, 7] 0/1, NaN where a language was not asked for an emotion (English
        has no disgust), and then for neutral, too, unless an emotion is there; the column
        ``language``; splits train, valid (a tenth of ``train``, by a hash of the id) and test.

    Raises:
        DataError: no file is there, or a row has no text or a label other than 0 and 1.
    """
    folder = Path(root)
    files = {part: _files(folder / part) for part in SPLITS}
    if not files["train"]:
        raise DataError(f"{folder} has no train/LANGUAGE.csv; BRIGHTER is train/, dev/ and test/.")
    utterances: list[Utterance] = []
    labels: list[list[float]] = []
    for part, own in files.items():
        for name, path in own.items():
            split = "valid" if part == "dev" and name in files["test"] else SPLITS[part]
            intensities = _intensities(folder / "intensity_train" / path.name, part)
            for place, row in _rows(path):
                labels.append(_labels(row, place))
                utterances.append(_utterance(row, name, split, part, intensities, place))
    return Manifest(
        corpus="brighter",
        space=EmotionSpace(LABELS, "multi"),
        utterances=tuple(utterances),
        labels=np.array(labels, np.float32).reshape(-1, len(LABELS)),
        licence=LICENCE,
        root=str(folder.resolve()),
    )


def _files(folder: Path) -> dict[str, Path]:
    """Return the languages' files of a folder by their names.

    Raises:
        DataError: the name of a file is none of a language.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    unknown = [path for name, path in files.items() if name not in LANGUAGES]
    if unknown:
        raise DataError(
            f"{unknown[0]}: no language of BRIGHTER is called {unknown[0].stem!r}; there are "
            f"{', '.join(LANGUAGES)}."
        )
    return files


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield the place and the columns of each row."""
    for number, row in enumerate(iterate(path), 1):
        if missing := [name for name in ("id", "text") if name not in row]:
            raise DataError(f"{path} has no column {missing[0]}; it needs id, text and emotions.")
        yield f"{path}, row {number}", row


def _labels(row: Row, place: str) -> list[float]:
    values = [_label(row.get(emotion), emotion, place) for emotion in EMOTIONS]
    if 1.0 in values:
        return [*values, 0.0]
    return [*values, float("nan") if np.isnan(values).any() else 1.0]


def _label(text: str | None, emotion: str, place: str) -> float:
    """Return a label; NaN where the language was not asked for the emotion."""
    if text is None or not text.strip():
        return float("nan")
    if text.strip() not in ("0", "1", "0.0", "1.0"):
        raise DataError(f"{place}: {emotion} is {text!r}; a label is 0 or 1.")
    return float(text)


def _utterance(
    row: Row,
    name: str,
    split: str,
    part: str,
    intensities: dict[str, dict[str, str]],
    place: str,
) -> Utterance:
    text, own = row["text"], row["id"] or place
    if not text:
        raise DataError(f"{place}: there is no text; leave the row out.")
    if part == "train" and hashlib.sha256(own.encode()).digest()[0] % VALID == 0:
        split = "valid"
    extra = {"language": LANGUAGES[name], **intensities.get(text, {})}
    return Utterance(own, split=split, media={"text": text}, extra=extra)


def _intensities(path: Path, part: str) -> dict[str, dict[str, str]]:
    """Return the intensities of training texts: text -> column -> intensity."""
    if part != "train" or not path.is_file():
        return {}
    return {
        str(row["text"]): {f"intensity_{e}": str(row[e]) for e in EMOTIONS if row.get(e)}
        for _, row in _rows(path)
    }
