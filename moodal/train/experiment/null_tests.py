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

from moodal.core.emotions import EmotionSpace, Task
from moodal.core.errors import UsageError
from moodal.core.files import replacing
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.evaluation import metrics
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.report import null_tests
from moodal.modalities.build import build
from moodal.modalities.text.emotion_vectors import word_vectors

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
        auc = _auc(own, space, emotion, targets)
        found[emotion] = {"auc": auc}
        if auc is None:
            why = metrics.why_undefined("auc", targets)[0]
            found[emotion]["why"] = f"the test cannot tell: {why}"
            del truth[emotion]
    if recipe.protocol.null_draws:
        _other_words(recipe, experiment, scores, own, space, truth, found)
    if recipe.protocol.retrained_draws:
        _retrained(recipe, space, truth, folder, retrain, found)
    if recipe.report.cosine:
        _cosine(recipe, experiment, space, truth, found)
    return found


def require(recipe: Recipe, manifest: Manifest, space: EmotionSpace) -> None:
    """Refuse, before any training, a cosine baseline that could not be made after it.

    Raises:
        UsageError: no such text encoder, or features of another kind than the vectors.
    """
    cosine = recipe.report.cosine
    if recipe.protocol.name != "zero_shot" or not cosine:
        return
    if cosine != "features":
        build(f"{cosine}:pool=true")
        return
    text = manifest.features.get("text")
    if text is None or space.vectors is None or text.width != space.vectors.shape[1]:
        raise UsageError(
            'report.cosine = "features" needs text features as wide as the emotion vectors; '
            'set it to "" or to a text encoder.'
        )


def _auc(
    logits: np.ndarray, space: EmotionSpace, emotion: str, targets: np.ndarray
) -> float | None:
    """The AUC that the report shows for ``emotion``."""
    column = space.index(emotion)
    others = np.delete(logits, column, axis=1)
    shown = _against(logits[:, column : column + 1], others, space.task)
    return _number(metrics.measure("auc", targets, scores=shown[:, 0]))


def _against(logits: np.ndarray, others: np.ndarray, task: Task) -> np.ndarray:
    """Logits [n, K] of K candidates for one emotion, ordered as their probabilities are.

    With one emotion a row, a probability is a softmax over the candidate and the
    other emotions' logits [n, C - 1]; else it depends on the candidate alone.
    """
    if task != "single" or not others.shape[1]:
        return logits
    return logits - np.logaddexp.reduce(others.astype(np.float64), axis=1, keepdims=True)


def _other_words(
    recipe: Recipe,
    experiment: Experiment,
    scores: Scores,
    own: np.ndarray,
    space: EmotionSpace,
    truth: dict[str, np.ndarray],
    found: dict[str, Any],
) -> None:
    """The trained model, given other words' vectors in place of the unseen emotion's."""
    source = word_vectors(recipe.space.vectors)
    taken = {*space.labels, *chain(*recipe.space.synonyms.values())}
    for emotion, targets in truth.items():
        others = np.delete(own, space.index(emotion), axis=1)

        def score_of(vectors: np.ndarray, others: np.ndarray = others) -> np.ndarray:
            words = EmotionSpace([f"word {i}" for i in range(len(vectors))], space.task, vectors)
            return _against(scores(words.of_length(recipe.space.length)), others, space.task)

        # as many words to a vector as the emotion itself is the mean of
        each = len(recipe.space.synonyms.get(emotion, [emotion]))
        draws = recipe.protocol.null_draws
        words, vectors = source.vocabulary(
            draws * each, recipe.train.seed, tuple(taken), capitalised=recipe.space.capitalised
        )
        if len(words) < each:
            found[emotion]["why"] = f"{source.source} has no other words to draw from"
            continue
        vectors = vectors[: len(words) // each * each].reshape(-1, each, vectors.shape[1]).mean(1)
        found[emotion]["other_words"] = null_tests.other_words(
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
                emotion: _auc(logits, space, emotion, targets) for emotion, targets in truth.items()
            }
            with replacing(kept) as part:
                part.write_text(json.dumps(aucs) + "\n", encoding="utf-8")
        for emotion, auc in json.loads(kept.read_text(encoding="utf-8")).items():
            drawn[emotion].append(float("nan") if auc is None else auc)
    for emotion, drawn_aucs in drawn.items():
        found[emotion]["retrained"] = null_tests.retrained(drawn_aucs, found[emotion]["auc"])


def _cosine(
    recipe: Recipe,
    experiment: Experiment,
    space: EmotionSpace,
    truth: dict[str, np.ndarray],
    found: dict[str, Any],
) -> None:
    """The cosine of plain text embeddings and the emotion words, less its mean over them.

    Once with the labels' own words, once with the synonyms that the recipe gives EEA.
    """
    texts = _texts(recipe, experiment)
    if texts is None:
        for emotion in truth:
            found[emotion]["cosine"] = {"auc": None, "why": "test rows have no text"}
        return
    encoder = recipe.report.cosine
    source = word_vectors(recipe.space.vectors if encoder == "features" else encoder)
    capitalised = encoder == "features" and recipe.space.capitalised
    variants = {
        "auc": {},
        **({"auc_synonyms": recipe.space.synonyms} if recipe.space.synonyms else {}),
    }
    for key, words in variants.items():
        vectors = source.space(
            space.labels, space.task, synonyms=words, capitalised=capitalised
        ).vectors
        assert vectors is not None
        similar = null_tests.cosine(texts, vectors)
        for emotion, targets in truth.items():
            auc = metrics.measure("auc", targets, scores=similar[:, space.index(emotion)])
            told = found[emotion].setdefault("cosine", {"encoder": encoder})
            told[key] = _number(auc)


def _texts(recipe: Recipe, experiment: Experiment) -> np.ndarray | None:
    """One embedding of each test row's text [n, d]; zeros where it has no known word."""
    manifest, rows = experiment.manifest, experiment.test
    if recipe.report.cosine == "features":
        return np.stack([_mean(manifest.features["text"][row]) for row in rows])
    encoder = build(f"{recipe.report.cosine}:pool=true")
    if manifest.encoders.get("text", {}).get("fingerprint") == encoder.spec()["fingerprint"]:
        return np.stack([_mean(manifest.features["text"][row]) for row in rows])
    texts = [manifest.utterances[row].text for row in rows]
    if any(text is None for text in texts):
        return None
    return np.stack([_mean(encoder.encode(text or "")) for text in texts])


def _mean(frames: np.ndarray) -> np.ndarray:
    """The mean [d] of the steps that are not padding; zeros where there are none."""
    live = frames[(frames != 0).any(1)]
    return live.mean(0) if len(live) else np.zeros(frames.shape[1], np.float32)


def _number(value: np.ndarray) -> float | None:
    """A JSON number, or None for what is undefined."""
    return float(value) if np.isfinite(value) else None
