"""Fusion of a batch whose utterances have different sets of modalities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from moodal.core.records import Frames
from moodal.evaluation.report.scores import sigmoid
from moodal.model.channel import ChannelFusion
from moodal.model.fusion import Fusion, key
from moodal.model.scorer import Evidence, Scores
from moodal.model.vocabulary import Asked, is_known


def fused_by_set(
    fusion: Fusion | ChannelFusion,
    evidence: Evidence,
    asked: Asked,
    sources_of: Callable[[Sequence[str]], Mapping[str, Mapping[str, str]]],
    level: Mapping[str, np.ndarray],
) -> Scores:
    """Fuse the evidence of n utterances, once for each set of modalities that occurs.

    Args:
        fusion: of the words of the question.
        evidence: of each modality; an utterance without steps lacks it.
        asked: the question.
        sources_of: returns, for a set of modalities, how each of them knows each word.
        level: modality -> [n, basics], taken off the evidence.
    """
    logits, names = evidence.logits, list(evidence.logits)
    count, words = len(next(iter(logits.values()))), len(asked.words)
    lengths = {m: evidence.steps[m].lengths for m in names}
    steps = {m: evidence.steps[m].values for m in names}
    present = np.array([lengths[m] > 0 for m in names]).T
    total, bias = np.zeros((count, words)), np.zeros((count, words))
    probabilities, thresholds = np.zeros((count, words)), np.ones((count, words))
    shares = {m: np.zeros((count, words)) for m in names}
    parts = {m: np.zeros_like(steps[m], dtype=float) for m in names}
    alone: dict[str, np.ndarray] = {}
    guessed = np.zeros((count, words), dtype=bool)
    sets = [""] * count
    for pattern in np.unique(present, axis=0):
        chosen = [m for m, is_present in zip(names, pattern, strict=True) if is_present]
        rows = np.flatnonzero((present == pattern).all(1))
        if not chosen:
            continue
        own_steps = {m: np.repeat(np.isin(np.arange(count), rows), lengths[m]) for m in chosen}
        sources = sources_of(chosen)
        fused = fusion.fuse(
            {m: logits[m][rows] for m in chosen},
            sources,
            {m: Frames(steps[m][own_steps[m]], lengths[m][rows]) for m in chosen},
            {m: level[m][rows] for m in chosen if m in level},
        )
        guessed[rows] = [not is_known(sources[word]) for word in asked.words]
        total[rows], bias[rows] = fused.logits, fused.bias
        probabilities[rows] = fused.probabilities
        thresholds[rows] = fusion.threshold_of(chosen)
        for m in chosen:
            shares[m][rows] = fused.shares[m]
            parts[m][own_steps[m]] = fused.steps[m]
        for m, own in fused.alone.items():
            alone.setdefault(m, np.zeros((count, words)))[rows] = own
        for row in rows:
            sets[row] = key(chosen)
    best = np.eye(words, dtype=bool)[_best(probabilities, asked)]
    decided = best & (probabilities >= thresholds) & ~guessed
    return Scores(
        total, probabilities, decided, thresholds, shares, bias, parts, tuple(sets), alone
    )


def _best(probabilities: np.ndarray, asked: Asked) -> np.ndarray:
    """Return the columns [n] of the most probable of the words that were asked for."""
    columns = np.array([asked.words.index(word) for word in asked.shown.values()])
    return np.asarray(columns[probabilities[:, columns].argmax(1)])


def scores_by_word(
    totals: np.ndarray,
    words: Sequence[str],
    thresholds: Mapping[str, float],
    sets: tuple[str, ...],
) -> Scores:
    """Score each word by itself, as one modality was trained to answer.

    Args:
        totals: [n, C] logits, the words' shares in training included.
        words: C words.
        thresholds: word -> the least probability with which it is decided; .5 for others.
        sets: n names of the sets of modalities that were present.
    """
    probabilities = sigmoid(totals)
    least = np.array([thresholds.get(word, 0.5) for word in words])
    decided = probabilities >= least
    return Scores(totals, probabilities, decided, np.broadcast_to(least, totals.shape), sets=sets)
