"""Weights of languages: how much a branch's evidence counts in each of its languages.

Texts in some languages are understood less well than in others, and the evidence for them is too
sure. So the evidence of a language is multiplied by the factor that makes the probabilities of its
validation rows most likely, relative to that of English and at most 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from moodal.model.languages import MEANT
from moodal.train.fuse.fit_weights import EvidenceRows

LEAST = 60
"""The rows from which a language gets a factor of its own; the others share one."""
FACTORS = np.geomspace(0.05, 2.0, 120)
"""The factors that are tried."""


def language_weights(rows: EvidenceRows) -> dict[str, float]:
    """Fit the weight of each language to validation rows: language -> weight, above 0 to 1.

    A language is compared with English, or with all rows where there is none, within each corpus
    that has both: the corpora differ in how much a text shows. Languages with few rows share a
    weight. Empty where the corpus does not name the languages.
    """
    names = np.array([language or "" for language in rows.languages])
    languages = [name for name in dict.fromkeys(names.tolist()) if name]
    ratios: dict[str, list[tuple[int, float]]] = {name: [] for name in languages}
    corpora = np.array(rows.corpora or [""] * len(names))
    for corpus in dict.fromkeys(corpora.tolist()) if languages else ():
        own = corpora == corpus
        best = _factor(rows, own & (names == MEANT)) or _factor(rows, own)
        few = own.copy()
        counts = {name: int((own & (names == name)).sum()) for name in languages}
        for name, count in counts.items():
            if count >= LEAST:
                few &= names != name
        shared = _factor(rows, few)
        for name, count in counts.items():
            factor = _factor(rows, own & (names == name)) or shared
            if best and factor and count:
                ratios[name].append((count, min(1.0, factor / best)))
    return {
        name: sum(count * ratio for count, ratio in each) / sum(count for count, _ in each)
        if each
        else 1.0
        for name, each in ratios.items()
    }


def _factor(rows: EvidenceRows, chosen: np.ndarray) -> float:
    """Return the best factor of some rows; 0 for too few of them."""
    if chosen.sum() < LEAST:
        return 0.0
    return best_factor(rows.evidence[chosen], rows.labels[chosen])


def best_factor(evidence: np.ndarray, labels: np.ndarray) -> float:
    """Return the factor of evidence [n, K] under which labels [n] are most likely.

    Each emotion counts alike, as under the level prior.
    """
    counts = np.bincount(labels, minlength=evidence.shape[1])
    weights = 1 / counts[labels]
    losses = []
    for factor in FACTORS:
        logits = factor * evidence
        top = logits.max(1, keepdims=True)
        log_total = top[:, 0] + np.log(np.exp(logits - top).sum(1))
        losses.append(float(weights @ (log_total - logits[np.arange(len(labels)), labels])))
    return float(FACTORS[int(np.argmin(losses))])


def weighed(rows: EvidenceRows, weights: Mapping[str, float]) -> EvidenceRows:
    """Return rows whose evidence counts as that of their language does."""
    if not weights:
        return rows
    own = np.array([weights.get(language or "", 1.0) for language in rows.languages])
    return dataclasses.replace(rows, evidence=rows.evidence * own[:, None])
