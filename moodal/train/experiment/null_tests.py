"""Null tests of a zero-shot result: other words, permuted vectors, and plain cosine.

On real data an AUC of .63 for an unseen emotion can be chance; without these tests a zero-shot
figure cannot be interpreted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.emotions import EmotionSpace, Targets, Task
from moodal.core.errors import UsageError
from moodal.core.files import load_json, replacing
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.core.votes import is_soft
from moodal.evaluation import metrics
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.report import null_tests as nulls
from moodal.modalities.build import build
from moodal.modalities.encoder import Encoder
from moodal.modalities.text.emotion_vectors import word_vectors
from moodal.train.experiment.run import Run, Trained

Entries = dict[str, dict[str, Any]]
"""Unseen emotion -> its entry in the report, or a part of it."""


@dataclass(frozen=True)
class UnseenTest:
    """The scores and labels of the unseen emotions whose AUC is defined.

    Attributes:
        trained: the system.
        space: every emotion of the test, with vectors.
        logits: [n, C] of the test rows for ``space``.
        targets: unseen emotion -> [n] its labels.
        aucs: unseen emotion -> the AUC that the report shows.
    """

    trained: Trained
    space: EmotionSpace
    logits: np.ndarray
    targets: Mapping[str, np.ndarray]
    aucs: Mapping[str, float]

    @property
    def run(self) -> Run:
        """The run that trained it: the recipe, and the experiment whose test rows are scored."""
        return self.trained.run


@dataclass(frozen=True)
class CosineSource:
    """The vectors that the cosine baseline compares: of texts and of words, from one source.

    Attributes:
        words: the source of the words' vectors.
        capitalised: whether that source is asked for capitalised words, too.
        encoder: what encodes the texts; None where the corpus's own text features are compared.
    """

    words: str
    capitalised: bool = False
    encoder: Encoder | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> CosineSource:
        """Return the source that ``report.cosine`` names.

        Raises:
            UsageError: no text encoder has this name.
        """
        if recipe.report.cosine == "features":
            return cls(recipe.space.vectors, recipe.space.capitalised)
        return cls(recipe.report.cosine, encoder=build(f"{recipe.report.cosine}:pool=true"))


def null_tests(trained: Trained) -> Entries:
    """Compute each unseen emotion's AUC, and its null distributions and baseline.

    The figures of retrained models are kept in the folder ``null`` of the run, so that a killed
    run resumes.

    Returns:
        unseen emotion -> {"auc", "other_words", "retrained", "cosine"}; an empty
        object where the protocol has no unseen emotion or the space no vectors.
    """
    run = trained.run
    experiment, space, recipe = run.experiment, run.space, run.recipe
    if not experiment.unseen or not isinstance(space, EmotionSpace) or space.vectors is None:
        return {}
    manifest, rows = experiment.manifest, experiment.test
    logits = trained.scores(rows)
    emotions = manifest.labels[rows]
    if space.task == "single" and is_soft(manifest.labels):  # ranks need rows with or without it
        rule = recipe.votes.rule(recipe.votes.truth)
        emotions = rule.decide(emotions, [manifest.utterances[row].id for row in rows])[0]
    entries: Entries = {}
    targets, aucs = {}, {}
    for emotion in experiment.unseen:
        labels = emotions[:, manifest.space.index(emotion)]
        auc = _auc(logits, space, emotion, labels)
        entries[emotion] = {"auc": auc}
        if auc is None:
            why = metrics.METRICS["auc"].why_undefined(labels)[0]
            entries[emotion]["why"] = f"the test cannot tell: {why}"
        else:
            targets[emotion], aucs[emotion] = labels, auc
    test = UnseenTest(trained, space, logits, targets, aucs)
    parts = []
    if recipe.protocol.null_draws:
        parts.append(_other_words(test))
    if recipe.protocol.retrained_draws:
        parts.append(_retrained(test, run.folder / "null"))
    if recipe.report.cosine:
        parts.append(_cosine(test))
    for part in parts:
        for emotion, entry in part.items():
            entries[emotion] |= entry
    return entries


def require_cosine(recipe: Recipe, manifest: Manifest, space: Targets) -> None:
    """Check, before any training, that the recipe's cosine baseline can be computed after it.

    Raises:
        UsageError: no text encoder has this name, or the width of the features is not that of
            the vectors.
    """
    if recipe.protocol.name != "zero_shot" or not recipe.report.cosine:
        return
    if CosineSource.of(recipe).encoder is not None:
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
    """Compute the AUC that the report shows for ``emotion``."""
    column = space.index(emotion)
    others = np.delete(logits, column, axis=1)
    shown = _against(logits[:, column : column + 1], others, space.task)
    return _number(metrics.METRICS["auc"].measure(targets, scores=shown[:, 0]))


def _against(logits: np.ndarray, others: np.ndarray, task: Task) -> np.ndarray:
    """Convert logits [n, K] of K candidates for one emotion to the order of their probabilities.

    With one emotion a row, a probability is a softmax over the candidate and the
    other emotions' logits [n, C - 1]; else it depends on the candidate alone.
    """
    if task != "single" or not others.shape[1]:
        return logits
    return logits - np.logaddexp.reduce(others.astype(np.float64), axis=1, keepdims=True)


def _other_words(test: UnseenTest) -> Entries:
    """Score the trained model with other words' vectors in place of the unseen emotion's."""
    recipe, space = test.run.recipe, test.space
    draws, seed = recipe.protocol.null_draws, recipe.train.seed
    source = word_vectors(recipe.space.vectors)
    taken = {*space.labels, *chain(*recipe.space.synonyms.values())}
    entries: Entries = {}
    for emotion, targets in test.targets.items():
        others = np.delete(test.logits, space.index(emotion), axis=1)

        def score_of(vectors: np.ndarray, others: np.ndarray = others) -> np.ndarray:
            words = EmotionSpace([f"word {i}" for i in range(len(vectors))], space.task, vectors)
            scores = test.trained.scores(
                test.run.experiment.test, words.of_length(recipe.space.length)
            )
            return _against(scores, others, space.task)

        # each drawn vector is the mean of as many words as the emotion's own vector
        each = len(recipe.space.synonyms.get(emotion, [emotion]))
        words, vectors = source.vocabulary(
            draws * each, seed, tuple(taken), capitalised=recipe.space.capitalised
        )
        if len(words) < each:
            entries[emotion] = {"why": f"{source.source} has no other words to draw from"}
            continue
        vectors = vectors[: len(words) // each * each].reshape(-1, each, vectors.shape[1]).mean(1)
        null = nulls.other_words(
            score_of, vectors, targets, test.aucs[emotion], draws=draws, seed=seed
        )
        entries[emotion] = {"other_words": null}
    return entries


def _retrained(test: UnseenTest, folder: Path) -> Entries:
    """Train models whose emotions' vectors are permuted among them, and compute their AUCs."""
    recipe, space = test.run.recipe, test.space
    assert space.vectors is not None
    drawn: dict[str, list[float]] = {emotion: [] for emotion in test.targets}
    for draw in range(recipe.protocol.retrained_draws):
        kept = folder / f"draw-{draw:02d}" / "auc.json"
        if not kept.exists():
            order = np.random.default_rng([recipe.train.seed, draw]).permutation(len(space))
            permuted = space.with_vectors(space.vectors[order], f"{space.source}, permuted")
            other = test.run.with_space(permuted, kept.parent).train()
            logits = other.scores(test.run.experiment.test)
            aucs = {e: _auc(logits, space, e, targets) for e, targets in test.targets.items()}
            with replacing(kept) as part:
                part.write_text(json.dumps(aucs) + "\n", encoding="utf-8")
        for emotion, auc in load_json(kept).items():
            drawn[emotion].append(float("nan") if auc is None else auc)
    return {
        emotion: {"retrained": nulls.retrained(aucs_drawn, test.aucs[emotion])}
        for emotion, aucs_drawn in drawn.items()
    }


def _cosine(test: UnseenTest) -> Entries:
    """Compute the AUC of the cosine of text embeddings and emotion words, less its mean over words.

    The labels themselves are tested, and the synonyms of a recipe that has any.
    """
    recipe, space = test.run.recipe, test.space
    chosen = CosineSource.of(recipe)
    texts = _texts(chosen.encoder, test.run.experiment)
    if texts is None:
        absent = {"auc": None, "why": "test rows have no text"}
        return {emotion: {"cosine": dict(absent)} for emotion in test.targets}
    source, name = word_vectors(chosen.words), recipe.report.cosine
    variants: dict[str, dict[str, list[str]]] = {"auc": {}}
    if recipe.space.synonyms:
        variants["auc_synonyms"] = recipe.space.synonyms
    entries: Entries = {emotion: {"cosine": {"encoder": name}} for emotion in test.targets}
    for key, synonyms in variants.items():
        vectors = source.vectors(space.labels, synonyms=synonyms, capitalised=chosen.capitalised)
        similar = nulls.cosine(texts, vectors)
        for emotion, targets in test.targets.items():
            auc = metrics.METRICS["auc"].measure(targets, scores=similar[:, space.index(emotion)])
            entries[emotion]["cosine"][key] = _number(auc)
    return entries


def _texts(encoder: Encoder | None, experiment: Experiment) -> np.ndarray | None:
    """Embed each test row's text [n, d]; zeros where no word of it has a vector."""
    manifest, rows = experiment.manifest, experiment.test
    stored = manifest.encoders.get("text", {}).get("fingerprint")
    if encoder is None or encoder.spec()["fingerprint"] == stored:
        return np.stack([_mean(manifest.features["text"][row]) for row in rows])
    texts = [manifest.utterances[row].text for row in rows]
    if any(text is None for text in texts):
        return None
    return np.stack([_mean(encoder.encode(text or "")) for text in texts])


def _mean(frames: np.ndarray) -> np.ndarray:
    """Average the steps that are not padding: [d]; zeros if all are padding."""
    live = frames[(frames != 0).any(1)]
    return live.mean(0) if len(live) else np.zeros(frames.shape[1], np.float32)


def _number(value: np.ndarray) -> float | None:
    """Convert a figure to a JSON number, or None where it is undefined."""
    return float(value) if np.isfinite(value) else None
