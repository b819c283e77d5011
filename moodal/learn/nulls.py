"""What a zero-shot result is held against: other words, permuted vectors, plain cosine.

Measured on real data, an AUC of .63 for an unseen emotion can be chance; without
these a zero-shot figure says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from moodal import metrics
from moodal.config import Recipe
from moodal.emotions import EmotionSpace
from moodal.files import replacing
from moodal.protocols.experiment import Experiment
from moodal.report import nulls

Scores = Callable[[EmotionSpace], np.ndarray]
"""Logits [n, C'] of the test rows for any space."""


def of(
    recipe: Recipe,
    experiment: Experiment,
    scores: Scores,
    space: EmotionSpace,
    folder: Path,
    retrain: Callable[[EmotionSpace, Path], Scores],
) -> dict[str, Any]:
    """For each unseen emotion: its AUC, and the same figure where it means nothing.

    Args:
        scores: of the trained system.
        space: every emotion of the test, with vectors.
        folder: keeps the retrained models' figures, so that a killed run goes on.
        retrain: trains a system anew in a folder, its emotions known by other vectors.

    Returns:
        unseen emotion -> {"auc", "other_words", "retrained", "cosine"}; an empty
        object where the protocol has no unseen emotion or the space no vectors.
    """
    if not experiment.unseen or space.vectors is None:
        return {}
    manifest, rows = experiment.manifest, experiment.test
    truth = {e: manifest.labels[rows, manifest.space.index(e)] for e in experiment.unseen}
    own = scores(space)
    found: dict[str, Any] = {}
    for emotion, targets in list(truth.items()):
        auc = _number(metrics.measure("auc", targets, scores=own[:, space.index(emotion)]))
        found[emotion] = {"auc": auc}
        if auc is None:
            why = metrics.why_undefined("auc", targets)[0]
            found[emotion]["why"] = f"the test cannot tell: {why}"
            del truth[emotion]
    if recipe.protocol.null_draws:
        _other_words(recipe, experiment, scores, truth, found)
    if recipe.protocol.retrained_draws:
        _retrained(recipe, space, truth, folder, retrain, found)
    if recipe.report.cosine:
        _cosine(recipe, experiment, truth, found)
    return found


def _other_words(
    recipe: Recipe,
    experiment: Experiment,
    scores: Scores,
    truth: dict[str, np.ndarray],
    found: dict[str, Any],
) -> None:
    """The trained model, given other words' vectors in place of the unseen emotion's."""
    from moodal.encoders.words import word_vectors

    task = experiment.manifest.space.task

    def score_of(vectors: np.ndarray) -> np.ndarray:
        words = EmotionSpace([f"word {i}" for i in range(len(vectors))], task, vectors)
        return scores(words.of_length(recipe.space.length))

    source = word_vectors(recipe.space.vectors)
    taken = {*experiment.manifest.space.labels, *chain(*recipe.space.synonyms.values())}
    for emotion, targets in truth.items():
        # as many words to a vector as the emotion itself is the mean of
        each = len(recipe.space.synonyms.get(emotion, [emotion]))
        draws = recipe.protocol.null_draws
        words, vectors = source.vocabulary(draws * each, recipe.train.seed, exclude=tuple(taken))
        vectors = vectors[: len(words) // each * each].reshape(-1, each, vectors.shape[1]).mean(1)
        found[emotion]["other_words"] = nulls.other_words(
            score_of, vectors, targets, found[emotion]["auc"], draws=draws, seed=recipe.train.seed
        )


def _retrained(
    recipe: Recipe,
    space: EmotionSpace,
    truth: dict[str, np.ndarray],
    folder: Path,
    retrain: Callable[[EmotionSpace, Path], Scores],
    found: dict[str, Any],
) -> None:
    """Models trained anew with the emotions' vectors permuted among them."""
    assert space.vectors is not None
    drawn: dict[str, list[float]] = {emotion: [] for emotion in truth}
    for draw in range(recipe.protocol.retrained_draws):
        kept = folder / f"draw-{draw:02d}" / "auc.json"
        if not kept.exists():
            order = np.random.default_rng([recipe.train.seed, draw]).permutation(len(space))
            permuted = space.with_vectors(space.vectors[order], f"{space.source}, permuted")
            logits = retrain(permuted, kept.parent)(permuted)
            aucs = {
                emotion: _number(
                    metrics.measure("auc", targets, scores=logits[:, space.index(emotion)])
                )
                for emotion, targets in truth.items()
            }
            with replacing(kept) as part:
                part.write_text(json.dumps(aucs) + "\n", encoding="utf-8")
        for emotion, auc in json.loads(kept.read_text(encoding="utf-8")).items():
            drawn[emotion].append(float("nan") if auc is None else auc)
    for emotion, drawn_aucs in drawn.items():
        found[emotion]["retrained"] = nulls.retrained(drawn_aucs, found[emotion]["auc"])


def _cosine(
    recipe: Recipe, experiment: Experiment, truth: dict[str, np.ndarray], found: dict[str, Any]
) -> None:
    """The cosine of plain text embeddings and the emotion words, less its mean over them.

    Once with the labels' own words, once with the synonyms that the recipe gives EEA.
    """
    from moodal.encoders.encoder import build
    from moodal.encoders.words import word_vectors

    utterances = [experiment.manifest.utterances[row] for row in experiment.test]
    if any(u.text is None for u in utterances):
        for emotion in truth:
            found[emotion]["cosine"] = {"auc": None, "why": "the test rows have no text"}
        return
    encoder = build(f"{recipe.report.cosine}:pool=true")
    made = experiment.manifest.encoders.get("text", {}).get("fingerprint")
    if made == encoder.spec()["fingerprint"]:
        texts = np.stack([experiment.manifest.features["text"][i][0] for i in experiment.test])
    else:
        texts = np.concatenate([encoder.encode(u.text or "") for u in utterances])
    labels = experiment.manifest.space.labels
    source = word_vectors(recipe.report.cosine)
    synonyms = recipe.space.synonyms
    for key, words in {"auc": {}, "auc_synonyms": synonyms}.items():
        vectors = source.space(labels, "multi", synonyms=words).vectors
        assert vectors is not None
        similar = nulls.cosine(texts, vectors)
        for emotion, targets in truth.items():
            auc = metrics.measure("auc", targets, scores=similar[:, labels.index(emotion)])
            told = found[emotion].setdefault("cosine", {"encoder": recipe.report.cosine})
            told[key] = _number(auc)


def _number(value: np.ndarray) -> float | None:
    """A JSON number, or None for what is undefined."""
    return float(value) if np.isfinite(value) else None
