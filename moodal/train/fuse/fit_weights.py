"""Fusion weights: fit the weights of separately trained branches on rows held out from all.

No corpus that may be shipped holds text, voice and face at once, so a set of several modalities
is fitted on composed utterances: a voice, a text and a face of one emotion, from three corpora's
validation rows, as if the three were independent given the emotion. People often speak neutral
words with feeling, or with a neutral face: so half of the texts and a quarter of the faces are
neutral, whatever the emotion, and two thirds of the voices come with the words that they actually
spoke. From this the fusion learns that neutral words or a neutral face carry little evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from moodal.core.records import ordered
from moodal.evaluation.metrics.calibration import binned, calibration_error
from moodal.modalities.infos import info_of
from moodal.model.fusion import NEUTRAL, key, normaliser

NEUTRAL_SHARE = {"text": 0.5, "pictures": 0.25}
"""Medium -> share of composed utterances in which it is neutral whatever the emotion; 0 for
other media."""
SPOKEN_SHARE = 2 / 3
"""The share of composed utterances with speech whose text is what that voice spoke."""
COMPOSED = 6000
"""The number of composed utterances for each set of modalities."""


_T = TypeVar("_T")


@dataclass(frozen=True)
class EvidenceRows:
    """The evidence of one modality for rows that its training has not seen.

    Attributes:
        evidence: [n, K] for the basic emotions; 0 for one that the modality never learned.
        labels: [n] columns of the basic emotions.
        learned: [K] bool, whether the modality learned each basic emotion.
        texts: the transcript of each row, where the corpus has them.
        speakers: who speaks in each row, where the corpus names them.
        languages: the language of each row, where the corpus names it.
        corpora: the corpus of each row.
        spoken: the text branch's evidence [n, K] for the transcripts of speech; None for other
            modalities, and where the corpus has no transcripts.
    """

    evidence: np.ndarray
    labels: np.ndarray
    learned: np.ndarray
    texts: tuple[str | None, ...] = ()
    speakers: tuple[str | None, ...] = ()
    languages: tuple[str | None, ...] = ()
    corpora: tuple[str, ...] = ()
    spoken: np.ndarray | None = None

    def of_corpora(self, names: Collection[str]) -> EvidenceRows:
        """Return the rows of these corpora; all of them where none is named."""
        if not names:
            return self
        kept = [i for i, corpus in enumerate(self.corpora) if corpus in names]

        def chosen(values: tuple[_T, ...]) -> tuple[_T, ...]:
            return tuple(values[i] for i in kept) if values else ()

        return EvidenceRows(
            self.evidence[kept],
            self.labels[kept],
            self.learned,
            chosen(self.texts),
            chosen(self.speakers),
            chosen(self.languages),
            chosen(self.corpora),
            None if self.spoken is None else self.spoken[kept],
        )


def evidence(
    logits: np.ndarray,
    words: Sequence[str],
    shares: Mapping[str, float],
    basics: Sequence[str],
    wanted: Sequence[str] = (),
) -> np.ndarray:
    """Convert a branch's raw logits [n, C] into evidence [n, K] for the basic emotions.

    Evidence for a word that the branch never learned is 0; see `moodal.model.fusion`.

    Args:
        words: the words of the logits.
        shares: word -> its share in the branch's training.
        wanted: the words to return evidence for, instead of the basic emotions.
    """
    known = [words.index(b) for b in basics if b in words]
    own = logits - np.log([shares[w] for w in words])
    prior = np.array([shares[words[i]] for i in known])
    own = own - normaliser(own, np.array(known), prior / prior.sum())[:, None]
    out = np.zeros((len(logits), len(wanted or basics)))
    for column, word in enumerate(wanted or basics):
        if word in words:
            out[:, column] = own[:, words.index(word)]
    return out


def fit_other(
    multilabel: tuple[np.ndarray, np.ndarray],
    words: Sequence[str],
    basics: Sequence[str],
    stream: str,
    fitted: Mapping[str, Any],
) -> float:
    """Fit the bias that makes the mean probability of non-basic words equal to their frequency.

    Args:
        multilabel: evidence and labels, [n, C] each, of rows with any number of ``words``.
        stream: the one modality of these rows.
        fitted: the result of `fit_set` for that modality alone.
    """
    values, truth = multilabel
    rest = [i for i, w in enumerate(words) if w not in basics]
    if not rest:
        return 0.0
    known = [i for i, w in enumerate(words) if w in basics]
    a = [fitted["neutral" if words[i] == NEUTRAL else "weights"][stream] for i in known]
    basic = values[:, known] * np.array(a) + np.array([fitted["bias"][words[i]] for i in known])
    below = np.log(np.exp(basic).sum(1))[:, None]
    own = values[:, rest] * fitted["weights"][stream] - below
    said = ~np.isnan(truth[:, rest])  # a corpus may say nothing of a word
    return prior_odds(own[said], float(truth[:, rest][said].mean()))


def prior_odds(values: np.ndarray, frequency: float) -> float:
    """Find the number that, added to log odds, makes their mean probability a frequency."""
    low, high = -20.0, 20.0
    for _ in range(60):  # bisection: the mean probability rises with the number
        middle = (low + high) / 2
        mean = (1 / (1 + np.exp(-values - middle))).mean()
        low, high = (middle, high) if mean < frequency else (low, middle)
    return (low + high) / 2


def compose_utterances(
    rows: Mapping[str, EvidenceRows], streams: Sequence[str], basics: Sequence[str], seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Compose utterances of one emotion each from the rows of several modalities.

    A modality that has no row of an emotion gets a random one, which carries no evidence.

    Returns:
        Modality -> evidence [COMPOSED, K], and the emotions [COMPOSED].
    """
    rng = np.random.default_rng(seed)
    neutral = list(basics).index(NEUTRAL)
    labels = rng.integers(0, len(basics), COMPOSED)
    values: dict[str, np.ndarray] = {}
    is_spoken, spoken = rng.random(COMPOSED) < SPOKEN_SHARE, None
    for stream in sorted(streams):
        own, share = rows[stream], NEUTRAL_SHARE.get(info_of(stream).medium, 0.0)
        shown = np.where(rng.random(COMPOSED) < share, neutral, labels)
        chosen = np.zeros(COMPOSED, np.int64)
        for k in range(len(basics)):
            places = np.flatnonzero(shown == k)
            pool = np.flatnonzero(own.labels == k)
            pool = pool if len(pool) else np.arange(len(own.labels))
            chosen[places] = rng.choice(pool, len(places))
        values[stream] = own.evidence[chosen]
        if own.spoken is not None:
            spoken = own.spoken[chosen]
    for stream in streams:
        if spoken is not None and info_of(stream).medium == "text":
            values[stream] = np.where(is_spoken[:, None], spoken, values[stream])
    return {s: values[s] for s in streams}, labels


def modality_sets(streams: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """List every set of modalities, small ones first: its key in the artefact -> its modalities."""
    sizes, every = range(1, len(streams) + 1), ordered(streams)
    return {key(chosen): chosen for size in sizes for chosen in combinations(every, size)}


def utterances(
    rows: Mapping[str, EvidenceRows], streams: Sequence[str], basics: Sequence[str], seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the utterances of a set: one modality's rows as they are, several ones composed."""
    if len(streams) == 1:
        return {streams[0]: rows[streams[0]].evidence}, rows[streams[0]].labels
    return compose_utterances(rows, streams, basics, seed)


def fit_set(
    shown: Mapping[str, np.ndarray],
    labels: np.ndarray,
    basics: Sequence[str],
    *,
    decay: float = 0.01,
) -> dict[str, Any]:
    """Fit the weights, neutral weights and biases of a set by minimising the cross-entropy.

    Weights are positive and start at 1, the sum that Bayes' rule gives for independent
    modalities. ``decay`` pulls them towards 1, and the biases towards 0.

    Returns:
        "weights" and "neutral" (modality -> a), "bias" (emotion -> b).
    """
    streams = list(shown)
    values = torch.tensor(np.stack([shown[s] for s in streams]), dtype=torch.float64)
    target = torch.as_tensor(labels)
    is_neutral = torch.tensor([b == NEUTRAL for b in basics])
    free = torch.zeros(2 * len(streams) + len(basics), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

    def parts() -> tuple[Tensor, Tensor, Tensor]:
        a, neutral, bias = free.split([len(streams), len(streams), len(basics)])
        return a.exp(), neutral.exp(), bias

    def closure() -> Tensor:
        optimiser.zero_grad()
        a, neutral, bias = parts()
        each = torch.where(is_neutral, neutral[:, None], a[:, None])
        logits = (each[:, None] * values).sum(0) + bias
        penalty = (a - 1).square().sum() + (neutral - 1).square().sum() + bias.square().sum()
        loss = F.cross_entropy(logits, target) + decay * penalty
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        a, neutral, bias = parts()
    return {
        "weights": dict(zip(streams, a.tolist(), strict=True)),
        "neutral": dict(zip(streams, neutral.tolist(), strict=True)),
        "bias": dict(zip(basics, bias.tolist(), strict=True)),
    }


def fused_probabilities(
    shown: Mapping[str, np.ndarray], fitted: Mapping[str, Any], basics: Sequence[str]
) -> np.ndarray:
    """Compute the probabilities [n, K] of a set from its modalities' evidence."""
    logits = np.array([fitted["bias"][b] for b in basics])[None]
    for stream, values in shown.items():
        a = [fitted["neutral" if b == NEUTRAL else "weights"][stream] for b in basics]
        logits = logits + values * np.array(a)
    each = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(each / each.sum(1, keepdims=True))


def figures(probabilities: np.ndarray, labels: np.ndarray, sure: float) -> dict[str, Any]:
    """Compute the accuracy and calibration of a set on rows that were held out from all fitting.

    Returns:
        "rows", "accuracy", "ece" (of the most probable emotion),
        "reliability" (rows of [mean probability, share right, count], one for each bin that is
        not empty), and of those decided at ``sure``: "decided" (share) and "decided_accuracy".
    """
    best, hit = probabilities.max(1), probabilities.argmax(1) == labels
    bins = binned(best, hit)
    decided = best >= sure
    return {
        "rows": len(labels),
        "accuracy": float(hit.mean()),
        "ece": calibration_error(bins),
        "reliability": tuple((b.confidence, b.accuracy, b.cases) for b in bins if b.cases),
        "decided": float(decided.mean()),
        "decided_accuracy": float(hit[decided].mean()) if decided.any() else None,
    }
