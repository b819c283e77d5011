"""XED: lines of film subtitles with Plutchik's eight emotions, and neutral ones.

Öhman, Pàmies, Kajava, Tiedemann: "XED: A Multilingual Dataset for Sentiment Analysis and Emotion
Detection", COLING 2020. An emotion is that of the line in its film; read alone, many lines do not
show it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance

LABELS = (
    "anger",
    "anticipation",
    "disgust",
    "fear",
    "joy",
    "sadness",
    "surprise",
    "trust",
    "neutral",
)
"""The emotions, in the order of their numbers from 1; neutral lines lie in a file of their own."""
FILES = ("en-annotated.tsv", "neu_en.txt")
ANNOTATED, NEUTRAL, PROJECTED = "*-annotated.tsv", "neu_*.txt", "*-projections*.tsv"
LICENCE = "CC BY 4.0"

HEADER = ["emotion"]
"""What stands above the numbers in a file that has a header."""

LANGUAGES = {"br": "pt-BR", "cn": "zh", "tw": "zh-TW"}
"""Name in a file -> its language (BCP 47), where the two differ."""


def read(root: Path | str) -> Manifest:
    """Read the lines of all languages: annotated ones, neutral ones, and their projections.

    ``en-annotated.tsv`` (text, numbers) and ``neu_en.txt`` (a number, text) must be there; those
    of Finnish and ``LANGUAGE-projections.tsv``, whose lines are translations that were aligned
    by machine, are read where they are. `moodal prepare --same-lines` tells which lines of
    different languages are the same.

    Returns:
        Text only; labels [N, 9] 0/1; the columns ``language`` and ``projected`` (yes or no); no
        splits, since the corpus has none. Equal lines of a language are kept once for each set of
        labels.

    Raises:
        DataError: a file is missing, or a line is not as above.
    """
    folder = Path(root)
    for name in FILES:
        if not (folder / name).is_file():
            raise DataError(f"{folder} has no {name}; XED's English part is {' and '.join(FILES)}.")
    labels: list[np.ndarray] = []
    utterances: list[Utterance] = []
    notes: list[str] = []
    for prefix, language, projected, rows in _parts(folder, notes):
        extra = {"language": language, "projected": "yes" if projected else "no"}
        for number, (text, numbers) in enumerate(rows):
            row = np.zeros(len(LABELS), np.float32)
            row[[n - 1 for n in numbers]] = 1
            labels.append(row)
            name = f"{prefix}{number:05d}"
            utterances.append(Utterance(name, media={"text": text}, extra=dict(extra)))
    space = EmotionSpace(list(LABELS), "multi")
    table = np.array(labels, np.float32).reshape(-1, len(LABELS))
    return Manifest(
        "xed",
        space,
        tuple(utterances),
        table,
        root=str(folder.resolve()),
        licence=LICENCE,
        notes=tuple(notes),
    )


Line = tuple[str, tuple[int, ...]]
"""A text, and the numbers of its emotions."""


def _parts(folder: Path, notes: list[str]) -> Iterator[tuple[str, str, bool, dict[Line, None]]]:
    """Yield how a file's ids begin, its language, whether it is projected, and its lines.

    Annotated files come first. Ids begin with the language, or, where the files of two scripts or
    countries have one language, with the name of the file.
    """
    annotated = {path.name.split("-")[0]: path for path in sorted(folder.glob(ANNOTATED))}
    neutral = {path.stem.removeprefix("neu_"): path for path in folder.glob(NEUTRAL)}
    for name in sorted(annotated, key=lambda name: (name != "en", name)):
        lines = [*_annotated(annotated[name])]
        if name in neutral:
            lines += _neutral(neutral[name])
        language = LANGUAGES.get(name, name)
        yield "xed" if name == "en" else f"{language}-", language, False, dict.fromkeys(lines)
    projected = sorted(folder.glob(PROJECTED))
    names = [path.name.split("-")[0] for path in projected]
    for name, path in zip(names, projected, strict=True):
        language = LANGUAGES.get(name, name)
        begin = name if language in names else language
        if names.count(name) > 1:
            begin = path.stem
        yield f"{begin}-p-", language, True, dict.fromkeys(_projected(path, notes))


def _lines(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the place and the two columns of each line."""
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        first, tab, second = line.partition("\t")
        if not tab:
            raise DataError(f"{path}, line {number}: there is no tab between text and numbers.")
        yield f"{path}, line {number}", first, second


def _projected(path: Path, notes: list[str]) -> Iterator[Line]:
    """Yield the projected lines; quotation marks around a text are those of a table.

    As published, some texts have swallowed following rows of the alignment, since these hold a
    single quotation mark. Which emotions belong to them is not known: they are left out, and
    counted in a note.
    """
    damaged = 0
    with open(path, encoding="utf-8", newline="") as file:
        for fields in csv.reader(file, delimiter="\t"):
            if not fields or fields[1:] == HEADER:
                continue
            if len(fields) == 2 and "\n" not in fields[0]:
                yield fields[0].strip(), _numbers(fields[1], f"{path}, text {fields[0]!r}")
            else:
                damaged += 1
    if damaged:
        texts = "text that holds" if damaged == 1 else "texts that hold"
        notes.append(f"{path.name}: {damaged} {texts} rows of the alignment left out.")


def _annotated(path: Path) -> Iterator[Line]:
    for place, text, numbers in _lines(path):
        yield text.strip(), _numbers(numbers, place)


def _numbers(numbers: str, place: str) -> tuple[int, ...]:
    """Return the numbers of emotions, in order and once each."""
    values = [part.strip() for part in numbers.split(",")]
    if not all(value in ("1", "2", "3", "4", "5", "6", "7", "8") for value in values):
        raise DataError(f"{place}: the emotions are numbers from 1 to 8; got {numbers!r}.")
    return tuple(sorted({int(value) for value in values}))


def _neutral(path: Path) -> Iterator[Line]:
    for _, _, text in _lines(path):
        # further columns name the film
        yield text.split("\t")[0].strip(), (len(LABELS),)
