"""Priors: how probable each basic emotion is before anything is observed.

A model learns from corpora whose shares of emotions are those of a film set or of a forum, not of
the recordings that it meets. So its evidence is kept apart from its prior, and the prior is an
argument.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from moodal.core.errors import UsageError
from moodal.core.files import load_toml

LEVEL, TALK, TRAINING = "level", "talk", "training"

MELD_TRAIN = {
    "neutral": 4710,
    "happiness": 1743,
    "surprise": 1205,
    "anger": 1109,
    "sadness": 683,
    "disgust": 271,
    "fear": 268,
}
"""The utterances of each emotion in MELD's training set of 9,989, dialogues of a comedy series
(Poria et al., ACL 2019), whose joy is called happiness here: the prior "talk"."""


def prior_of(
    name: str | Path | Mapping[str, float], basics: Sequence[str], trained: Mapping[str, float]
) -> dict[str, float]:
    """Return the probability of each basic emotion.

    Args:
        name: "level" (all alike), "talk" (MELD's dialogues), "training" (the shares of the
            model's trainings), a TOML file of emotion = share, or such a table.
        basics: the basic emotions of the model.
        trained: their shares in training.

    Raises:
        UsageError: there is no such prior, or it does not give a share above 0 to each emotion.

    >>> prior_of({"anger": 1, "neutral": 3}, ["anger", "neutral"], {})
    {'anger': 0.25, 'neutral': 0.75}
    """
    where = "The prior"
    if isinstance(name, Mapping):
        shares = dict(name)
    elif str(name) == LEVEL:
        shares = dict.fromkeys(basics, 1.0)
    elif str(name) == TALK:
        shares = {b: float(MELD_TRAIN[b]) for b in basics if b in MELD_TRAIN}
    elif str(name) == TRAINING:
        shares = dict(trained)
    else:
        shares, where = _read(Path(name)), str(name)
    if unknown := [word for word in shares if word not in basics]:
        raise UsageError(
            f"{where} names {', '.join(map(str, unknown))}; the basic emotions of the model are "
            f"{', '.join(basics)}."
        )
    wrong = [b for b in basics if not _is_share(shares.get(b))]
    if wrong:
        raise UsageError(f"{where} needs a share above 0 for {', '.join(wrong)}.")
    total = math.fsum(shares.values())
    return {b: float(shares[b]) / total for b in basics}


def _is_share(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 < float(value) < math.inf  # type: ignore[arg-type]


def _read(path: Path) -> dict[str, float]:
    if path.suffix.lower() != ".toml":
        raise UsageError(
            f"There is no prior {str(path)!r}; there are {LEVEL}, {TALK}, {TRAINING}, and a .toml "
            "file of emotion = share."
        )
    try:
        return load_toml(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read the prior {path}: {error}.") from None
