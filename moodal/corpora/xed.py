"""XED: lines of film subtitles with Plutchik's eight emotions, and neutral ones.

Öhman, Pàmies, Kajava, Tiedemann: "XED: A Multilingual Dataset for Sentiment Analysis and Emotion
Detection", COLING 2020. An emotion is that of the line in its film; read alone, many lines do not
show it.
"""

from __future__ import annotations

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
LICENCE = "CC BY 4.0"


def read(root: Path | str) -> Manifest:
    """Read the English lines: ``en-annotated.tsv`` (text, numbers) and ``neu_en.txt`` (9, text).

    Returns:
        Text only; labels [N, 9] 0/1; no splits, since the corpus has none. Equal lines are kept
        once for each set of labels.

    Raises:
        DataError: a file is missing, or a line is not as above.
    """
    folder = Path(root)
    for name in FILES:
        if not (folder / name).is_file():
            raise DataError(f"{folder} has no {name}; XED's English part is {' and '.join(FILES)}.")
    rows = dict.fromkeys([*_annotated(folder / FILES[0]), *_neutral(folder / FILES[1])])
    labels = np.zeros((len(rows), len(LABELS)), np.float32)
    utterances = []
    for number, (text, numbers) in enumerate(rows):
        labels[number, [n - 1 for n in numbers]] = 1
        utterances.append(Utterance(f"xed{number:05d}", media={"text": text}))
    space = EmotionSpace(list(LABELS), "multi")
    return Manifest("xed", space, tuple(utterances), labels, root=str(folder), licence=LICENCE)


def _lines(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the place and the two columns of each line."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        first, tab, second = line.partition("\t")
        if not tab:
            raise DataError(f"{path}, line {number}: there is no tab between text and numbers.")
        yield f"{path}, line {number}", first, second


def _annotated(path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    for place, text, numbers in _lines(path):
        values = [part.strip() for part in numbers.split(",")]
        if not all(value in ("1", "2", "3", "4", "5", "6", "7", "8") for value in values):
            raise DataError(f"{place}: the emotions are numbers from 1 to 8; got {numbers!r}.")
        yield text.strip(), tuple(sorted({int(value) for value in values}))


def _neutral(path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    for _, _, text in _lines(path):
        yield text.strip(), (len(LABELS),)
