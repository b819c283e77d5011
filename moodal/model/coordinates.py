"""Coordinates: valence, arousal and dominance mapped from the probabilities of basic emotions.

    d(x) = sum over the basic emotions y of p(y | x) c(y)

c(y) are the published coordinates of the emotion words in coordinates.toml (Russell and Mehrabian
1977). So the dimensions say no more than the probabilities do; nothing is learned, and no
correlation with people's ratings is claimed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from moodal.core.dimensions import Dimensions

TABLE = Path(__file__).with_name("coordinates.toml")


@cache
def coordinates() -> dict[str, np.ndarray]:
    """Return the coordinates [3] of each emotion that has some, by all its names."""
    content = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    own = {emotion: np.array(numbers) for emotion, numbers in content["coordinates"].items()}
    return own | {name: own[emotion] for name, emotion in content["names"].items()}


def unmapped(emotions: Sequence[str]) -> tuple[str, ...]:
    """Return the emotions that have no coordinates."""
    return tuple(emotion for emotion in emotions if emotion not in coordinates())


def mapped(probabilities: Mapping[str, float]) -> Dimensions:
    """Map the probabilities of emotions, which add up to 1, to dimensions from -1 to 1.

    >>> mapped({"anger": 0.5, "neutral": 0.5})
    Dimensions(valence=-0.255, arousal=0.295, dominance=0.125, known='mapped')

    Raises:
        KeyError: an emotion has no coordinates, see `unmapped`.
    """
    table = coordinates()
    total = sum((p * table[emotion] for emotion, p in probabilities.items()), np.zeros(3))
    valence, arousal, dominance = (float(number) for number in total)
    return Dimensions(valence, arousal, dominance, "mapped")
