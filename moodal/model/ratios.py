"""Ratios: what the basic emotions' evidence of one modality is worth, apart from the prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from moodal.model.channel import ChannelFusion
from moodal.model.scorer import Evidence


class Ratios(NamedTuple):
    """The likelihood ratios of one modality.

    Attributes:
        values: [n, basics], log r; NaN in rows that lack the modality.
        learned: the columns of the emotions that it learned.
    """

    values: np.ndarray
    learned: np.ndarray


def ratios_of(
    fusion: ChannelFusion,
    modality: str,
    evidence: Evidence,
    sources: Mapping[str, Mapping[str, str]],
    basics: Sequence[str],
) -> Ratios:
    """Compute the likelihood ratios of the basic emotions, the first words of a question.

    Args:
        fusion: the channel model.
        modality: whose ratios are asked for.
        evidence: of n utterances.
        sources: word -> modality -> where its score comes from.
        basics: the basic emotions.
    """
    values = fusion.ratios(modality, evidence.logits[modality], sources)[:, : len(basics)]
    values[evidence.steps[modality].lengths == 0] = np.nan
    learned = [i for i, word in enumerate(basics) if sources[word][modality] == "learned"]
    return Ratios(values, np.array(learned))
