"""Fusion: the sum of the evidence of all modalities for each word, as in EEA.

Dai et al. 2020, equation of the logits: s_c = sum over modalities m of x_m . W_m v_c. Here a
branch's logit is turned into evidence, how much likelier it makes a word than its training's
prior did, so that branches of different corpora are comparable, and a branch without
knowledge of a word adds nothing:

    l_m(w)  the branch's logit less the logarithm of the word's share p_m(w) in its training
    e_m(w) = l_m(w) - log sum_k p_m(k) exp l_m(k), over the basic emotions k that m learned
    L(w)    = sum_m a_m(w) e_m(w) + b(w)
    P(w)    = exp L(w) / (sum over the basic emotions and w of exp L)

A word that `moodal adapt` taught a branch has l_m(w) = log p(h | w) / p(h) by construction: it is
evidence already, so nothing is subtracted from it, and it is not among the k.

a and b are learned and calibrated on held-out rows, for each set of modalities that can be
present. P(w) does not depend on the other words of the question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.records import Frames, ordered
from moodal.modalities.infos import info_of
from moodal.model.fusion_info import FusionWeights

NEUTRAL = "neutral"
"""The word with separate weights: neutral words do not imply a neutral voice or face."""


@dataclass(frozen=True)
class Weights:
    """The weights by which one set of modalities is summed.

    Attributes:
        weights: modality -> a.
        neutral: modality -> a for the word neutral.
        bias: basic emotion -> b.
        other: b of any other word.
        threshold: the highest probability below which nothing is decided.
    """

    weights: Mapping[str, float]
    neutral: Mapping[str, float]
    bias: Mapping[str, float]
    other: float
    threshold: float

    @classmethod
    def of(cls, info: FusionWeights) -> Weights:
        """Make the weights from an artefact's description."""
        return cls(info.weights, info.neutral, info.bias, info.other, info.threshold)

    def of_word(self, stream: str, word: str) -> float:
        """Return the weight a of a modality for a word."""
        return float((self.neutral if word == NEUTRAL else self.weights)[stream])


def key(streams: Sequence[str]) -> str:
    """Name a set of modalities by its members in order.

    >>> key(["speech", "text"])
    'text+speech'
    """
    return "+".join(ordered(streams))


def normaliser(logits: np.ndarray, learned: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Compute log sum p exp l over the learned basic emotions: [..., C] -> [...].

    Args:
        logits: [..., C], less their log priors.
        learned: [k] columns of the learned basic emotions.
        prior: [k] their shares, which sum to 1.
    """
    basic = logits[..., learned]
    top = basic.max(-1, keepdims=True)
    total: np.ndarray = (np.exp(basic - top) * prior).sum(-1)
    return np.log(total) + top[..., 0]


def probabilities(logits: np.ndarray, basics: int) -> np.ndarray:
    """Convert logits L [..., C] to probabilities P [..., C], the basic emotions first.

    The basic ones sum to 1; any other word is compared with the basic ones alone.

    >>> probabilities(np.log([1.0, 3.0, 4.0]), 2).round(3).tolist()
    [0.25, 0.75, 0.5]
    """
    top = logits[..., :basics].max(-1, keepdims=True)
    each = np.exp(logits[..., :basics] - top)
    total = each.sum(-1, keepdims=True)
    # 1 / (1 + total / exp L), in which no power overflows
    above = np.log(total) + top - logits[..., basics:]
    others = np.exp(-np.logaddexp(0, above))
    return np.concatenate([each / total, others], -1)


@dataclass(frozen=True)
class FusedScores:
    """The scores of n utterances with the same modalities, for C words, the basic ones first.

    Attributes:
        logits, probabilities: [n, C].
        shares: modality -> [n, C]; with ``bias`` [C] they add up to the logits.
        steps: modality -> [T, C], each step's part of the shares, as the difference from the
            average basic emotion that the modality learned (of adapted words as they are).
        alone: modality -> [n, C], the probabilities from that modality alone; empty for a sum.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    shares: Mapping[str, np.ndarray]
    bias: np.ndarray
    steps: Mapping[str, np.ndarray]
    alone: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Fusion:
    """The sum of the evidence of an artefact's modalities for the words of a question.

    Attributes:
        words: C words, the basic emotions first.
        basics: how many of them are basic.
        learned: modality -> basic emotion -> its share in training, of those it learned.
        sets: name of a set of modalities (see `key`) -> `Weights`.
    """

    words: tuple[str, ...]
    basics: int
    learned: Mapping[str, Mapping[str, float]]
    sets: Mapping[str, Weights]

    def threshold_of(self, modalities: Sequence[str]) -> float:
        """Return the probability below which nothing is decided from these modalities."""
        return self.sets[key(modalities)].threshold

    def fuse(
        self,
        logits: Mapping[str, np.ndarray],
        sources: Mapping[str, Mapping[str, str]],
        steps: Mapping[str, Frames] | None = None,
        level: Mapping[str, np.ndarray] | None = None,
    ) -> FusedScores:
        """Fuse the logits of the modalities that are present.

        Args:
            logits: modality -> [n, C], each word's constant less its log share included.
            sources: word -> modality -> how it is known, for the modalities that are present.
            steps: modality -> the parts [T, C] of each row's logits without their constants.
            level: not for a sum.

        Raises:
            UsageError: a level is given.
        """
        if level:
            raise UsageError(
                "Evidence that is fused by a sum cannot be levelled; compose it with fusion = "
                '"channel".'
            )
        weights = self.sets[key(list(logits))]
        shares: dict[str, np.ndarray] = {}
        parts: dict[str, np.ndarray] = {}
        for modality, values in logits.items():
            own_scale = np.array([sources[w].get(modality) != "adapted" for w in self.words])
            columns, prior = self._prior(modality, own_scale)
            a = np.array(
                [
                    0.0 if sources[word][modality] == "absent" else weights.of_word(modality, word)
                    for word in self.words
                ]
            )
            if len(columns):
                values = values - own_scale * normaliser(values, columns, prior)[..., None]
            shares[modality] = a * values
            if steps is not None:
                own = steps[modality].values
                parts[modality] = a * (own - own_scale * (own[:, columns] @ prior)[:, None])
        bias = np.array([weights.bias.get(word, weights.other) for word in self.words])
        total = bias + sum(shares.values())
        return FusedScores(total, probabilities(total, self.basics), shares, bias, parts)

    def _prior(self, modality: str, own_scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns [k] and shares [k] of the basic emotions that a modality learned."""
        learned = self.learned[modality]
        columns = [i for i in range(self.basics) if own_scale[i] and self.words[i] in learned]
        shares = np.array([learned[self.words[i]] for i in columns])
        return np.array(columns, np.intp), shares / max(shares.sum(), 1e-12)


def disagreements(alone: Mapping[str, Mapping[str, float]], least: float) -> Iterator[str]:
    """Yield a sentence for each pair of modalities that are sure of different emotions.

    Args:
        alone: modality -> the probability of each emotion by that modality alone.
        least: the probability from which on a modality is sure.
    """
    tops = {}
    for modality, own in alone.items():
        emotion = max(own, key=lambda e: own[e])
        if own[emotion] >= least:
            tops[modality] = (emotion, own[emotion])
    for first, second in combinations(tops, 2):
        (one, p), (other, q) = tops[first], tops[second]
        if one != other:
            kind = "disagreement" if NEUTRAL in (one, other) else "contradiction"
            answer = f"{info_of(first).label}: {one} ({p:.0%})"
            yield f"{kind} of modalities: {answer}, {info_of(second).label}: {other} ({q:.0%})"
