"""GoEmotions: Reddit comments with any number of 27 emotions and neutral.

Demszky et al., "GoEmotions: A Dataset of Fine-Grained Emotions", ACL 2020.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Utterance

LABELS = (
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "desire",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "excitement",
    "fear",
    "gratitude",
    "grief",
    "joy",
    "love",
    "nervousness",
    "optimism",
    "pride",
    "realization",
    "relief",
    "remorse",
    "sadness",
    "surprise",
    "neutral",
)
"""The emotions, in the order of their ids."""

SPLITS = {"train": "train", "dev": "valid", "test": "test"}


def read(root: Path | str) -> Manifest:
    """Read GoEmotions: Reddit comments with any number of 27 emotions and neutral.

    The files are ``train.tsv``, ``dev.tsv`` and ``test.tsv``: text, label ids with commas, id. An
    optional ``labels.txt`` names the emotions, one per line, with or without neutral at the end.
    Comments that occur twice are kept; the check reports them.

    Returns:
        Text only; labels [N, C] 0/1; splits train, valid (dev) and test.

    Raises:
        DataError: a file is missing, or a line is not three fields with known label ids.
    """
    root = Path(root)
    names = _names(root / "labels.txt")
    utterances, labels = [], []
    for phase, split in SPLITS.items():
        path = root / f"{phase}.tsv"
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                continue
            fields = line.split("\t")
            try:
                text, ids, comment = fields
                row = np.zeros(len(names), np.float32)
                row[[_checked(int(i), len(names)) for i in ids.split(",")]] = 1
            except ValueError as error:
                raise DataError(
                    f"{path}, line {number}: expected text, label ids 0 to {len(names) - 1} "
                    f"with commas, and an id, between tabs ({error}); correct that line."
                ) from None
            utterances.append(
                Utterance(comment, split=split, media={"text": text}, extra={"language": "en"})
            )
            labels.append(row)
    return Manifest(
        corpus="goemotions",
        space=EmotionSpace(names, "multi"),
        utterances=tuple(utterances),
        labels=np.array(labels, np.float32).reshape(-1, len(names)),
        licence="CC BY 4.0",
        root=str(root.resolve()),
    )


def _names(path: Path) -> tuple[str, ...]:
    """Read the emotions from ``labels.txt``, or return the published ones without it."""
    if not path.exists():
        return LABELS
    names = tuple(line.strip().lower() for line in _lines(path) if line.strip())
    return names if "neutral" in names else (*names, "neutral")


def _lines(path: Path) -> list[str]:
    """Read lines without their ends; only a line feed ends one, since comments hold others."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing; GoEmotions is train.tsv, dev.tsv and test.tsv in one folder."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); save it as UTF-8.") from None
    return [line.rstrip("\r") for line in text.split("\n")]


def _checked(label: int, count: int) -> int:
    if not 0 <= label < count:
        raise ValueError(f"no label {label}")
    return label
