"""Numbers of utterances in the published files of each corpus, to check a copy against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class PublishedCounts(NamedTuple):
    """The published totals of a corpus; the split "all" is the whole corpus.

    Attributes:
        utterances: split -> number of utterances.
        labels: split -> label -> number of utterances.
    """

    utterances: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]] = {}


def _table(labels: str, **rows: tuple[int, ...]) -> dict[str, dict[str, int]]:
    return {split: dict(zip(labels.split(), row, strict=True)) for split, row in rows.items()}


_IEMOCAP = _table(
    "neutral happy sad angry",
    train=(954, 338, 690, 735),
    valid=(358, 116, 188, 136),
    test=(383, 135, 193, 227),
)
_IEMOCAP9 = _table(
    "angry excited fear sad surprised frustrated happy neutral disgust",
    train=(735, 686, 19, 690, 65, 1235, 338, 954, 1),
    valid=(136, 206, 9, 188, 17, 319, 116, 358, 0),
    test=(227, 141, 12, 193, 25, 278, 135, 383, 1),
)
_CREMA_D = _table(
    "anger disgust fear happiness neutral sadness", all=(1271, 1271, 1271, 1271, 1087, 1271)
)

_RELEASE = _table(
    "angry happy excited sad neutral frustrated fear surprised disgust other undecided",
    all=(1103, 595, 1041, 1084, 1708, 1849, 40, 107, 2, 3, 2507),
)
_MMER = _table("happy excited angry neutral sad", all=(595, 1041, 1103, 1708, 1084))
_MELD = _table(
    "anger disgust fear joy neutral sadness surprise",
    train=(1109, 271, 268, 1743, 4710, 683, 1205),
    valid=(153, 22, 40, 163, 470, 111, 150),
    test=(345, 68, 50, 402, 1256, 208, 281),
)


def _single(labels: Mapping[str, Mapping[str, int]]) -> PublishedCounts:
    return PublishedCounts({split: sum(row.values()) for split, row in labels.items()}, labels)


PUBLISHED: dict[str, PublishedCounts] = {
    "mosei": PublishedCounts({"train": 15290, "valid": 2291}),
    "iemocap": _single(_IEMOCAP),
    "iemocap-noalign": _single(_IEMOCAP),
    "iemocap9": _single(_IEMOCAP9),
    "iemocap-release": _single(_RELEASE),
    "mmer": _single(_MMER),
    "meld": _single(_MELD),
    "crema-d": _single(_CREMA_D),
    "ravdess": PublishedCounts({"all": 1440}),
    "goemotions": PublishedCounts({"train": 43410, "valid": 5426, "test": 5427}),
}
"""Corpus -> its totals, where published.

MOSEI and IEMOCAP as in the files of Dai et al., AACL-IJCNLP 2020; IEMOCAP's release, MELD,
CREMA-D, RAVDESS (speech) and GoEmotions as released; MMER's csv as its authors published it.
"""
