"""Channel fusion: an emotion shows in some modalities, and the others are plain.

People often say neutral words with feeling, or telling words without any. A sum of evidence
cannot follow both: to keep neutral words from speaking against a telling voice it must silence
all words. Here each modality is a channel that an utterance's emotion y may or may not use. Let z
be the set of modalities that tell, and x_m what modality m observes:

    p(y | x)  ~  p(y) sum over z of w_z(y) product over the present m of l_m(y, z)

    l_m(y, z) = (1 - f_m) r_m(y) + f_m        where m is in z: it tells
    l_m(y, z) = r_m(neutral)                  where it is not: it looks as if all were neutral
    r_m(y)    = K exp(s_m e_m(y)) / sum over its K learned basic emotions k of exp(s_m e_m(k))

e_m is the branch's logit less the logarithm of the word's share in its training, so r_m is how
much likelier the modality makes y under a level prior. f_m bounds what one modality can say
against an emotion. A modality that never learned y gives l_m(y) its mean over utterances where it
tells, not 1: where it knows nothing it expects what it usually sees. A modality that is absent
has l = 1, so one table of w serves all sets of modalities.

The share of a modality in an answer is its Shapley value (Shapley 1953) of the log odds, over the
sets of modalities that were present: with the prior the shares add up to the answer exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np

from moodal.core.records import Frames, ordered
from moodal.model.chain import smooth
from moodal.model.corrected import Corrected
from moodal.model.fusion import NEUTRAL, FusedScores, key, probabilities
from moodal.model.fusion_info import ChannelInfo

LARGEST = 100.0
"""The log ratio above which an adapted word counts no more: no product of modalities overflows."""
SMALLEST = 1e-300
"""The least likelihood, so that its logarithm is finite."""


@dataclass(frozen=True)
class Channel:
    """The parameters of the channel model, fitted on held-out rows.

    Attributes:
        sharpness: modality -> s, above 0.
        floor: modality -> f, 0 to 1.
        expected: modality -> the log of l for a basic emotion that it never learned.
        telling: name of a set z of modalities (see `moodal.model.fusion.key`; "" for none) ->
            w_z of an emotion, and of neutral; each column sums to 1.
        certainty: name of a set of present modalities -> the factor of its log likelihoods that
            calibrates its probabilities; 1 where it is not named.
    """

    sharpness: Mapping[str, float]
    floor: Mapping[str, float]
    expected: Mapping[str, float]
    telling: Mapping[str, tuple[float, float]]
    certainty: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, info: ChannelInfo) -> Channel:
        """Make the parameters from an artefact's description."""
        return cls(info.sharpness, info.floor, info.expected, info.telling, info.certainty)

    def log_likelihoods(
        self,
        ratios: Mapping[str, np.ndarray],
        known: Mapping[str, np.ndarray],
        neutral: int,
        present: Sequence[str],
    ) -> np.ndarray:
        """Compute log sum_z w_z(y) prod_m l_m(y, z) of n utterances: [n, C].

        Args:
            ratios: modality -> log r [n, C].
            known: modality -> [C] bool, whether it has a ratio of each word.
            neutral: the column of neutral.
            present: the modalities that are used, a subset of those of ``ratios``; at least one.
        """
        tells = {m: self._telling(m, ratios[m], known[m]) for m in present}
        plain = {
            m: np.exp(np.minimum(ratios[m][:, [neutral]] * known[m][neutral], LARGEST))
            for m in present
        }
        total = np.zeros_like(tells[present[0]])
        for pattern, weights in self._patterns(present):
            share = np.full(total.shape[1], weights[0])
            share[neutral] = weights[1]
            term: np.ndarray | float = share
            for m in present:
                term = term * (tells[m] if m in pattern else plain[m])
            total += term
        likelihood = np.log(np.maximum(total, SMALLEST))
        return np.asarray(self.certainty.get(key(present), 1.0) * likelihood)

    def _telling(self, modality: str, ratios: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return l of a modality that tells: [n, C]."""
        floor = self.floor[modality]
        bounded = (1 - floor) * np.exp(np.minimum(ratios, LARGEST)) + floor
        return np.where(known, bounded, np.exp(self.expected[modality]))

    def _patterns(self, present: Sequence[str]) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
        """Yield each set of present modalities that tell, with its weights [2]."""
        sums: dict[tuple[str, ...], np.ndarray] = {}
        for name, weights in self.telling.items():
            pattern = tuple(m for m in name.split("+") if m in present)
            sums[pattern] = sums.get(pattern, np.zeros(2)) + np.array(weights)
        yield from sums.items()


def log_ratios(evidence: np.ndarray, learned: np.ndarray, sharpness: float) -> np.ndarray:
    """Compute log r of evidence [n, C], see the equations above.

    Args:
        evidence: the branch's logits less the logarithms of the words' shares.
        learned: [k] columns of the basic emotions that the branch learned.
        sharpness: s.
    """
    values = sharpness * evidence
    basic = values[:, learned]
    top = basic.max(1, keepdims=True)
    return np.asarray(values - top - np.log(np.exp(basic - top).mean(1, keepdims=True)))


@dataclass(frozen=True)
class ChannelFusion:
    """The channel model of an artefact's modalities for the words of a question.

    Attributes:
        words: C words, the basic emotions first.
        basics: the number of basic emotions.
        channel: the parameters.
        prior: [C] log prior odds; those of the basic emotions are the logarithms of
            probabilities that sum to 1.
        threshold: the probability below which nothing is decided.
        corrected: the scales and offsets that corrections taught; None without any.
    """

    words: tuple[str, ...]
    basics: int
    channel: Channel
    prior: np.ndarray
    threshold: float
    corrected: Corrected | None = None

    def threshold_of(self, modalities: Sequence[str]) -> float:
        """Return the probability below which nothing is decided."""
        return self.threshold

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
            level: modality -> [n, basics], added to log r, see `moodal.model.level`.
        """
        present = ordered(logits)
        known = {m: np.array([sources[w][m] != "absent" for w in self.words]) for m in present}
        levels = level or {}
        ratios = {m: self.ratios(m, logits[m], sources, levels.get(m)) for m in present}
        values = {
            chosen: self._log_odds(ratios, known, chosen)
            for size in range(len(present) + 1)
            for chosen in combinations(present, size)
        }
        shares = {m: _shapley(m, present, values) for m in present}
        total = values[present]
        parts = {m: self._parts(own, logits[m], shares[m]) for m, own in (steps or {}).items()}
        alone = {m: probabilities(values[(m,)], self.basics) for m in present}
        bias = values[()][0]
        return FusedScores(total, probabilities(total, self.basics), shares, bias, parts, alone)

    def ratios(
        self,
        modality: str,
        logits: np.ndarray,
        sources: Mapping[str, Mapping[str, str]],
        level: np.ndarray | None = None,
    ) -> np.ndarray:
        """Compute log r [n, C] of one modality's logits; those of adapted words stay as they are.

        The evidence of an adapted word is a ratio already, by construction.
        """
        evidence = np.array(logits, float)
        learned = self._learned(modality, sources)
        if not len(learned):
            return evidence
        adapted = np.array([sources[word][modality] == "adapted" for word in self.words])
        ratios = log_ratios(evidence, learned, self.channel.sharpness[modality])
        if level is not None:
            ratios[:, : self.basics] += level
            ratios = log_ratios(ratios, learned, 1.0)
        return np.where(adapted, evidence, ratios)

    def smoothed(
        self,
        modality: str,
        logits: np.ndarray,
        sources: Mapping[str, Mapping[str, str]],
        counts: np.ndarray,
        times: np.ndarray,
        level: np.ndarray | None = None,
    ) -> np.ndarray:
        """Smooth the logits of T slices of an utterance over time, see `moodal.model.chain`.

        Args:
            logits: [T, C] of one modality.
            sources: word -> modality -> how it is known.
            counts, times: [T], see `moodal.model.chain.smooth`.
            level: [T, basics], see `ratios`; None for none.

        Returns:
            The logits [T, C] whose `ratios` with this level are the smoothed ones.
        """
        learned = self._learned(modality, sources)
        if len(learned) < 2:
            return logits
        ratios = smooth(self.ratios(modality, logits, sources, level), learned, counts, times)
        if level is not None:
            ratios[:, : self.basics] -= level
        adapted = np.array([sources[word][modality] == "adapted" for word in self.words])
        return np.where(adapted, ratios, ratios / self.channel.sharpness[modality])

    def _learned(self, modality: str, sources: Mapping[str, Mapping[str, str]]) -> np.ndarray:
        """Return the columns [k] of the basic emotions that a modality learned."""
        words = self.words[: self.basics]
        return np.array([i for i, w in enumerate(words) if sources[w][modality] == "learned"], int)

    def _log_odds(
        self,
        ratios: Mapping[str, np.ndarray],
        known: Mapping[str, np.ndarray],
        present: tuple[str, ...],
    ) -> np.ndarray:
        """Compute the log odds [n, C] given some of the modalities; their basics have mean 0."""
        prior = np.tile(self.prior, (len(next(iter(ratios.values()))), 1))
        likelihood = np.zeros_like(prior)
        if present:
            neutral = self.words.index(NEUTRAL)
            likelihood = self.channel.log_likelihoods(ratios, known, neutral, present)
        if self.corrected is not None:
            return _centred(self.corrected.log_odds(prior, likelihood), self.basics)
        return _centred(prior + likelihood, self.basics)

    def _parts(self, steps: Frames, logits: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Scale the parts of the steps to the share of their modality: [sum of T, C]; estimates.

        Each row has one factor, the least-squares fit of its shares by its evidence, so that the
        steps keep their proportions.
        """
        evidence, share = (_centred(values, self.basics) for values in (logits, shares))
        basic = (evidence[:, : self.basics], share[:, : self.basics])
        factors = (basic[0] * basic[1]).sum(1) / np.maximum((basic[0] ** 2).sum(1), 1e-9)
        each = np.repeat(np.clip(factors, 0.0, 2.0), steps.lengths)
        return np.asarray(each[:, None] * _centred(steps.values, self.basics))


def _centred(values: np.ndarray, basics: int) -> np.ndarray:
    """Subtract from each row [C] its mean over the basic emotions."""
    return np.asarray(values - values[:, :basics].mean(1, keepdims=True))


def _shapley(
    modality: str, present: Sequence[str], values: Mapping[tuple[str, ...], np.ndarray]
) -> np.ndarray:
    """Compute a modality's Shapley value [n, C] of the values of all subsets of the present."""
    others = [m for m in present if m != modality]
    share = np.zeros_like(values[()])
    for size in range(len(others) + 1):
        weight = 1 / (len(present) * comb(len(others), size))
        for chosen in combinations(others, size):
            share = share + weight * (values[ordered([*chosen, modality])] - values[chosen])
    return share
