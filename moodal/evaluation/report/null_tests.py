"""Null distributions for the AUC of an unseen emotion, and an untrained baseline.

The AUC of an unseen emotion can be far from .5 by chance: the vectors of emotions are similar, and
a vector near that of a trained emotion inherits its score. Therefore the AUC is compared with that
of the same model for the vectors of other words (without retraining) and, for published figures,
with models that were retrained on permuted emotion vectors. The untrained baseline is the cosine
of text and label embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.evaluation.metrics import auc

_BLOCK = 50  # vectors scored at once


def p_value(observed: float, null_draws: Sequence[float] | np.ndarray) -> float:
    """Compute the one-sided p-value, (1 + #{null >= observed}) / (1 + draws), of defined draws.

    Phipson and Smyth, "Permutation p-values should never be zero", 2010.

    >>> p_value(0.9, [0.5, 0.6, 0.95])
    0.5
    """
    known = np.asarray(null_draws, np.float64)
    known = known[~np.isnan(known)]
    return float((1 + np.sum(known >= observed)) / (1 + len(known)))


def other_words(
    score_of_vector: Callable[[np.ndarray], np.ndarray],
    vocabulary: np.ndarray,
    targets: np.ndarray,
    observed: float,
    *,
    draws: int = 200,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute the null distribution of an unseen emotion's AUC from the vectors of other words.

    Args:
        score_of_vector: the trained model: vectors [K, d] -> scores [N, K].
        vocabulary: [V, d], vectors of words that are neither this emotion nor its synonyms.
        targets: [N], 0 or 1, the truth of the unseen emotion.
        observed: the AUC with the emotion's own vector.
        draws: number of words drawn without replacement; at most all of them.
        seed: of the draw.

    Returns:
        JSON values: what, observed, mean, percentile_95, p, draws, aucs (of the drawn words).

    Raises:
        DataError: the vocabulary is empty, the scores have the wrong shape, or no AUC is defined.
    """
    if not len(vocabulary):
        raise DataError("The null of other words needs word vectors; the vocabulary is empty.")
    count = min(draws, len(vocabulary))
    chosen = np.random.default_rng(seed).choice(len(vocabulary), size=count, replace=False)
    truth = np.asarray(targets, np.float64)
    aucs: list[float] = []
    for start in range(0, count, _BLOCK):
        vectors = vocabulary[chosen[start : start + _BLOCK]]
        scores = np.asarray(score_of_vector(vectors))
        if scores.shape != (len(truth), len(vectors)):
            raise DataError(
                f"The model gave scores {scores.shape} for {len(vectors)} vectors and "
                f"{len(truth)} rows; expected {(len(truth), len(vectors))}."
            )
        aucs += auc(np.broadcast_to(truth[:, None], scores.shape), scores).tolist()
    return _summary("the trained model, given other words' vectors", observed, aucs)


def retrained(aucs: Sequence[float], observed: float) -> dict[str, Any]:
    """Summarise the AUCs of models retrained with permuted vectors, as `other_words` does."""
    return _summary("models retrained with permuted vectors", observed, list(aucs))


def cosine(
    text_embeddings: np.ndarray, label_vectors: np.ndarray, centre: bool = True
) -> np.ndarray:
    """Compute the cosine of each text and each label, an untrained score.

    Args:
        text_embeddings: [N, d].
        label_vectors: [C, d].
        centre: subtract each text's mean over the labels, as some texts are near every label.

    Returns:
        [N, C]; a text or a label of zeros scores 0 before centring.

    >>> cosine(np.array([[1.0, 0.0]]), np.eye(2)).tolist()
    [[0.5, -0.5]]
    """
    if text_embeddings.ndim != 2 or text_embeddings.shape[1:] != label_vectors.shape[1:]:
        raise DataError(
            f"Texts and labels need embeddings of the same width; "
            f"got {text_embeddings.shape} and {label_vectors.shape}."
        )
    scores = _unit(text_embeddings) @ _unit(label_vectors).T
    return scores - scores.mean(1, keepdims=True) if centre else scores


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale each vector [., d] to length 1, as float64; zeros stay zeros."""
    v = np.asarray(vectors, np.float64)
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return v / np.where(length > 0, length, 1)


def _summary(what: str, observed: float, aucs: list[float]) -> dict[str, Any]:
    """Describe a null distribution as JSON values."""
    known = [a for a in aucs if not np.isnan(a)]
    if not known or np.isnan(observed):
        raise DataError(
            "A null needs an AUC, which needs test rows with the emotion and without it."
        )
    return {
        "what": what,
        "observed": float(observed),
        "mean": float(np.mean(known)),
        "percentile_95": float(np.percentile(known, 95)),
        "p": p_value(observed, known),
        "draws": len(known),
        "aucs": [float(a) for a in known],
    }
