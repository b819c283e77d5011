"""fusing: how branches that were trained apart are added up, learned on rows that none has seen.

No corpus that may be shipped holds text, voice and face at once, so a set of several modalities
learns from made-up utterances: a voice, a text and a face of one emotion, from three corpora's
validation rows, as if the three were independent given the emotion. People often say neutral
words with feeling, and look on while they speak: half of the texts and a quarter of the faces
are neutral ones, whatever the emotion; and two thirds of the voices come with the words that they
really said. So the fusion learns that neutral words or a neutral face say little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from moodal.core.records import ordered
from moodal.evaluation.metrics.calibration import binned, calibration_error
from moodal.modalities.infos import info_of
from moodal.model.fusion import NEUTRAL, key, normaliser

NEUTRAL_SHARE = {"text": 0.5, "pictures": 0.25}
"""Medium -> share of made-up utterances in which it is neutral, whatever the emotion; of other
media none."""
REALLY_SAID = 2 / 3
"""Share of made-up utterances with a voice whose text is what that voice said."""
MADE = 6000
"""Made-up utterances for each set of modalities."""


@dataclass(frozen=True)
class EvidenceRows:
    """One modality's rows that training has not seen.

    Attributes:
        evidence: [n, K] for the basic emotions; 0 for one that the modality never learned.
        labels: [n] columns of the basic emotions.
        learned: [K] bool.
        texts: what was said in each, where the corpus tells.
        said: of speech, the text branch's evidence [n, K] for ``texts``; None where there is none.
    """

    evidence: np.ndarray
    labels: np.ndarray
    learned: np.ndarray
    texts: tuple[str | None, ...] = ()
    said: np.ndarray | None = None


def evidence(
    logits: np.ndarray,
    words: Sequence[str],
    shares: Mapping[str, float],
    basics: Sequence[str],
    wanted: Sequence[str] = (),
) -> np.ndarray:
    """A branch's raw logits [n, C] of ``words`` as evidence [n, K] for the basic emotions.

    See `moodal.model.fusion`; ``shares`` are those of the branch's training; ``wanted``: other
    words than the basic ones. Evidence for a word that the branch never learned is 0.
    """
    there = [words.index(b) for b in basics if b in words]
    own = logits - np.log([shares[w] for w in words])
    prior = np.array([shares[words[i]] for i in there])
    own = own - normaliser(own, np.array(there), prior / prior.sum())[:, None]
    out = np.zeros((len(logits), len(wanted or basics)))
    for column, word in enumerate(wanted or basics):
        if word in words:
            out[:, column] = own[:, words.index(word)]
    return out


def fit_other(
    every: tuple[np.ndarray, np.ndarray],
    words: Sequence[str],
    basics: Sequence[str],
    stream: str,
    fitted: Mapping[str, Any],
) -> float:
    """What makes words that are not basic as probable, on average, as they are frequent.

    Args:
        every: evidence and labels, [n, C] each, of rows with any number of ``words``.
        stream: the modality they are of, which alone is there.
        fitted: of `fit_set`, for that modality alone.
    """
    values, truth = every
    rest = [i for i, w in enumerate(words) if w not in basics]
    if not rest:
        return 0.0
    there = [i for i, w in enumerate(words) if w in basics]
    a = [fitted["neutral" if words[i] == NEUTRAL else "weights"][stream] for i in there]
    basic = values[:, there] * np.array(a) + np.array([fitted["bias"][words[i]] for i in there])
    below = np.log(np.exp(basic).sum(1))[:, None]
    own = values[:, rest] * fitted["weights"][stream] - below
    low, high = -20.0, 20.0
    for _ in range(60):  # the mean probability rises with what is added
        middle = (low + high) / 2
        told = 1 / (1 + np.exp(-own - middle))
        low, high = (middle, high) if told.mean() < truth[:, rest].mean() else (low, middle)
    return (low + high) / 2


def made_up(
    rows: Mapping[str, EvidenceRows], streams: Sequence[str], basics: Sequence[str], seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Utterances of one emotion each: modality -> evidence [MADE, K], and the emotions [MADE].

    A modality that never learned an emotion shows any row of its own there: it tells nothing.
    """
    rng = np.random.default_rng(seed)
    neutral = list(basics).index(NEUTRAL)
    labels = rng.integers(0, len(basics), MADE)
    values: dict[str, np.ndarray] = {}
    really, said = rng.random(MADE) < REALLY_SAID, None
    for stream in sorted(streams):
        own, share = rows[stream], NEUTRAL_SHARE.get(info_of(stream).medium, 0.0)
        shown = np.where(rng.random(MADE) < share, neutral, labels)
        chosen = np.zeros(MADE, np.int64)
        for k in range(len(basics)):
            places = np.flatnonzero(shown == k)
            pool = np.flatnonzero(own.labels == k)
            pool = pool if len(pool) else np.arange(len(own.labels))
            chosen[places] = rng.choice(pool, len(places))
        values[stream] = own.evidence[chosen]
        if own.said is not None:
            said = own.said[chosen]
    for stream in streams:
        if said is not None and info_of(stream).medium == "text":
            values[stream] = np.where(really[:, None], said, values[stream])
    return {s: values[s] for s in streams}, labels


def every_set(streams: Sequence[str]) -> list[tuple[str, ...]]:
    """All sets of one or more modalities, small ones first."""
    every = ordered(streams)
    return [some for n in range(1, len(every) + 1) for some in combinations(every, n)]


def utterances(
    rows: Mapping[str, EvidenceRows], streams: Sequence[str], basics: Sequence[str], seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What a set of modalities learns from: one modality's own rows, else made-up utterances."""
    if len(streams) == 1:
        return {streams[0]: rows[streams[0]].evidence}, rows[streams[0]].labels
    return made_up(rows, streams, basics, seed)


def fit_set(
    shown: Mapping[str, np.ndarray],
    labels: np.ndarray,
    basics: Sequence[str],
    *,
    decay: float = 0.01,
) -> dict[str, Any]:
    """Weights, neutral weights and biases of a set, by the least cross-entropy.

    Weights are above 0, and begin at 1: added up as they are, as Bayes' rule would have it of
    independent modalities. ``decay`` holds them there, and the biases at 0.

    Returns:
        "weights", "neutral" (modality -> a), "bias" (emotion -> b).
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
        apart = (a - 1).square().sum() + (neutral - 1).square().sum() + bias.square().sum()
        loss = F.cross_entropy(logits, target) + decay * apart
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


def added_up(
    shown: Mapping[str, np.ndarray], fitted: Mapping[str, Any], basics: Sequence[str]
) -> np.ndarray:
    """Probabilities [n, K] of a set."""
    logits = np.array([fitted["bias"][b] for b in basics])[None]
    for stream, values in shown.items():
        a = [fitted["neutral" if b == NEUTRAL else "weights"][stream] for b in basics]
        logits = logits + values * np.array(a)
    each = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(each / each.sum(1, keepdims=True))


def names(streams: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Name of a set (see `moodal.model.fusion.key`) -> its modalities."""
    return {key(some): some for some in every_set(streams)}


def measured(probabilities: np.ndarray, labels: np.ndarray, sure: float) -> dict[str, Any]:
    """How right and how well calibrated a set is on rows that were held out of everything.

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
