"""Level: the constant of a recording channel, taken off the evidence.

A room, a microphone or a language shifts every answer of a modality by much the same amount, for
one emotion up and for another down. Where many utterances of one channel are at hand, the shift is
estimated without labels: it is the one that makes the mean probability of each emotion, over the
utterances, that of the prior. So a level presumes the prior; where the utterances are of one
emotion, it takes that for a shift of the channel. Therefore it is shrunk, and an utterance is
judged by a level that others of its channel gave.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

STRENGTH = 0.15
"""The part of the estimated shift that is taken off, where utterances are many: so little that on
CREMA-D, which has no shift, samples with 60% neutral clips lose about .02 (benchmarks/level.py)."""
HALF = 10
"""The number of utterances that give half of this part."""
LEAST = 8
"""The least number of other utterances; with fewer nothing is taken off."""
FOLDS = 10
"""The most groups of recordings, each of which is judged by a level of the others."""
STEPS = 200


def shift(values: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Estimate the shift [K] that makes the mean probabilities those of the prior.

    Args:
        values: [n, K] log likelihood ratios.
        prior: [K] probabilities that sum to 1.
    """
    offset = np.zeros(values.shape[1])
    logs = values + np.log(prior)
    for _ in range(STEPS):
        shifted = logs + offset
        each = np.exp(shifted - shifted.max(1, keepdims=True))
        means = (each / each.sum(1, keepdims=True)).mean(0)
        change = 0.5 * np.log(np.maximum(means, 1e-6) / prior)
        offset -= change
        if np.abs(change).max() < 1e-4:
            break
    return offset - offset.mean()


def shrunk(offset: np.ndarray, count: int, strength: float = STRENGTH) -> np.ndarray:
    """Shrink a shift towards none: the fewer utterances gave it, the more."""
    return np.asarray(strength * count / (count + HALF) * offset)


def cross_fitted(
    ratios: Mapping[str, np.ndarray],
    learned: Mapping[str, np.ndarray],
    prior: np.ndarray,
    recordings: Sequence[Hashable],
    channels: Sequence[Hashable] = (),
    strength: float = STRENGTH,
) -> dict[str, np.ndarray]:
    """Compute the level of each utterance from other recordings of its channel.

    Args:
        ratios: modality -> log r [n, K] of the basic emotions; NaN in rows that lack it.
        learned: modality -> columns of the basic emotions that it learned.
        prior: [K] probabilities of the basic emotions.
        recordings: n names; utterances of one recording are judged by other recordings, but
            where there is a single one, by its other utterances.
        channels: n names of channels; () where all are of one channel.
        strength: the part of the shift that is taken off where utterances are many, 0 to 1.

    Returns:
        Modality -> [n, K] to add to log r; 0 where there are too few others.
    """
    own = np.array([str(channel) for channel in channels or ["" for _ in recordings]])
    groups = _groups(recordings)
    levels = {m: np.zeros_like(values) for m, values in ratios.items()}
    for channel in np.unique(own):
        inside = own == channel
        if len(np.unique(groups[inside])) > 1:
            folds = _folds(groups, inside)
        else:
            folds = _folds(np.arange(len(groups)), inside)
        for fold in np.unique(folds[inside]):
            judged, others = inside & (folds == fold), inside & (folds != fold)
            for m, values in ratios.items():
                levels[m][judged] = level_of(values[others], learned[m], prior, strength).shift
    return levels


def with_stored(
    levels: Mapping[str, np.ndarray], stored: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return levels [n, K] with those that an artefact was adapted to where others gave none."""
    return {
        m: np.where(own.any(1, keepdims=True), own, stored[m]) if m in stored else own
        for m, own in levels.items()
    }


class Level(NamedTuple):
    """The level that utterances gave.

    Attributes:
        shift: [K], what is added to log r; 0 for emotions never learned, or of too few utterances.
        utterances: the number of utterances.
    """

    shift: np.ndarray
    utterances: int


def level_of(
    values: np.ndarray, columns: np.ndarray, prior: np.ndarray, strength: float = STRENGTH
) -> Level:
    """Compute the level that utterances give.

    Args:
        values: [n, K] log r; NaN in rows that lack the modality.
        columns: the basic emotions that the modality learned.
        prior: [K] probabilities.
        strength: the part of the shift that is taken off where utterances are many, 0 to 1.
    """
    level = np.zeros(values.shape[1])
    present = values[~np.isnan(values).any(1)]
    if len(present) >= LEAST:
        own = prior[columns] / prior[columns].sum()
        level[columns] = shrunk(shift(present[:, columns], own), len(present), strength)
    return Level(level, len(present))


def _groups(names: Sequence[Hashable]) -> np.ndarray:
    """Number the names in their order: [n]."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names])


def _folds(groups: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Divide the groups of a channel into at most `FOLDS` folds, in turn: [n]."""
    order = {group: place % FOLDS for place, group in enumerate(np.unique(groups[inside]))}
    return np.array([order.get(group, -1) for group in groups])
