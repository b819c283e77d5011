"""Branch scores: a trained branch on the rows that it was not trained on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.concatenation import CORPUS, origins
from moodal.core.errors import DataError
from moodal.core.files import replacing
from moodal.core.records import Frames, Utterance
from moodal.evaluation.metrics import accuracy, auc, balanced_accuracy, decide, macro_f1, top
from moodal.evaluation.report.thresholds import best_threshold
from moodal.modalities.build import build
from moodal.model.fusion import NEUTRAL
from moodal.model.languages import COLUMN
from moodal.train.encoders import ENCODERS
from moodal.train.fuse.fit_languages import language_weights, weighed
from moodal.train.fuse.fit_weights import EvidenceRows, evidence
from moodal.train.fuse.train_branch import FusedBranch

BACKGROUND = 2500
"""The most training rows whose mean states are computed, for `moodal adapt` and unseen words."""


@dataclass(frozen=True)
class BranchScores:
    """The evidence and figures of a branch on its validation and test rows.

    Attributes:
        shares: word -> its share in training, for every word that the artefact keeps.
        valid, test: the rows whose one label is a basic emotion.
        mean, covariance: [H] and [H, H] of the pooled states of training rows; the covariance
            is that within the words.
        multilabel: the validation rows' evidence [n, C] for all words of a multi-label branch,
            and their labels [n, C]; None for a branch of one label a row.
        thresholds: word -> the probability above which it is decided (multi-label corpora).
        tested: the figures on all test rows of the branch.
        groups: column -> value -> the figures on the test rows of these people.
        words: the W words that it learned and that are not basic.
        every: [n, K + W], the validation rows' evidence for the basic emotions and ``words``.
        truth: [n, W], the share of each of ``words`` in the labels of these rows.
        states: "train", "valid" and "test" -> mean states [n, H] of ``rows``.
        rows: "train", "valid" and "test" -> [n] rows of the corpus; a sample of the training.
        languages: language -> how much its evidence counts, as in ``valid`` and ``test`` already.
    """

    shares: dict[str, float]
    valid: EvidenceRows
    test: EvidenceRows
    mean: np.ndarray
    covariance: np.ndarray
    multilabel: tuple[np.ndarray, np.ndarray] | None
    thresholds: dict[str, float]
    tested: dict[str, Any]
    groups: dict[str, dict[str, dict[str, float]]]
    words: tuple[str, ...]
    every: np.ndarray
    truth: np.ndarray
    states: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    languages: dict[str, float]


def score_branch(
    learned: FusedBranch,
    basics: Sequence[str],
    prefix: str = "",
    telling: Collection[str] = (),
) -> BranchScores:
    """Score a branch's held-out rows.

    Args:
        basics: the artefact's basic emotions.
        prefix: words with this prefix are a second set of labels for the same rows, such as
            another annotator's; they are kept with equal shares and tested separately.
        telling: of several corpora those whose rows the fusion is fitted to and measured on;
            default: all.
    """
    experiment, words = learned.experiment, list(learned.space.labels)
    targets = experiment.manifest.labels.astype(np.float64)
    origin = np.array([corpus for corpus, _ in origins(experiment.manifest)])
    own = [i for i, w in enumerate(words) if not (prefix and w.startswith(prefix))]
    second = [i for i in range(len(words)) if i not in own]
    names = [words[i] for i in own]
    rng = np.random.default_rng(0)
    background = np.sort(rng.permutation(experiment.train)[:BACKGROUND])
    parts = {"valid": _distinct_valid(learned), "test": experiment.test}
    states = {
        p: _stored_states(learned, p, rows) for p, rows in {**parts, "train": background}.items()
    }
    logits = {p: learned.logits(states[p]) for p in ("valid", "test")}
    shares = _shares(targets[experiment.train], words, own, learned.space.task)
    rows = {
        part: _rows(
            logits[part][:, own],
            targets[parts[part]][:, own],
            names,
            shares,
            basics,
            [experiment.manifest.utterances[i] for i in parts[part]],
            experiment.manifest.corpus,
        )
        for part in ("valid", "test")
    }
    languages = language_weights(rows["valid"])
    rows = {part: weighed(own, languages).of_corpora(telling) for part, own in rows.items()}
    truth = targets[experiment.test]
    multilabel, thresholds = None, {}
    if learned.space.task == "multi":
        valid = targets[parts["valid"]]
        probabilities = {p: 1 / (1 + np.exp(-logits[p])) for p in parts}
        first = {p: origin[rows] == origin[0] for p, rows in parts.items()}
        thresholds = _thresholds(words, valid, probabilities["valid"], first["valid"])
        best = np.array([thresholds[word] for word in words])
        own_rows = truth[first["test"]]
        named = ~np.isnan(own_rows).any(0)  # the words that the first corpus has
        tested = _multilabel_figures(
            probabilities["test"][first["test"]][:, named], own_rows[:, named], best[named]
        )
        if not first["test"].all():
            tested["sets"] = _by_language(learned, probabilities, parts)
        multilabel = evidence(logits["valid"], words, shares, basics, words), valid
    else:
        tested = _single_label_figures(logits["test"][:, own], truth[:, own])
        if second:
            figures = _single_label_figures(logits["test"][:, second], truth[:, second])
            tested[prefix.strip()] = figures
    others = tuple(w for w in names if w not in basics)
    every = evidence(logits["valid"][:, own], names, shares, basics, (*basics, *others))
    labels = targets[parts["valid"]][:, own]
    if learned.space.task != "multi":
        labels = labels / np.maximum(labels.sum(1, keepdims=True), 1e-9)
    mean, covariance = _spread(
        states["train"], np.nan_to_num(targets[background][:, own]).argmax(1)
    )
    groups = _groups(learned, logits["test"][:, own], truth[:, own])
    return BranchScores(
        shares,
        rows["valid"],
        rows["test"],
        mean,
        covariance,
        multilabel,
        thresholds,
        tested,
        groups,
        others,
        every,
        labels[:, [names.index(w) for w in others]],
        states,
        {**parts, "train": background},
        languages,
    )


def _thresholds(
    words: Sequence[str], truth: np.ndarray, probabilities: np.ndarray, first: np.ndarray
) -> dict[str, float]:
    """Choose the threshold of each word on validation rows of the first corpus that has it."""
    chosen = {}
    for word, has, scores in zip(words, truth.T, probabilities.T, strict=True):
        rows = ~np.isnan(has)
        if (rows & first).any():
            rows &= first
        chosen[word] = best_threshold(has[rows] > 0, scores[rows], "expected_f1")
    return chosen


def _by_language(
    learned: FusedBranch, probabilities: Mapping[str, np.ndarray], parts: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Compute the figures of each corpus and language: "corpus language" -> figures.

    Thresholds are chosen on the validation rows of the same corpus and language.
    """
    manifest = learned.experiment.manifest
    languages = manifest.column(COLUMN)
    names = np.array(
        [f"{c} {languages[i] or ''}".strip() for i, (c, _) in enumerate(origins(manifest))]
    )
    figures = {}
    for name in dict.fromkeys(names[parts["test"]].tolist()):
        own = {p: names[rows] == name for p, rows in parts.items()}
        truth = {p: manifest.labels[rows][own[p]] for p, rows in parts.items()}
        scores = {p: probabilities[p][own[p]] for p in parts}
        # neutral is the absence of the others there, and no word of the published figures
        columns = [
            c
            for c, word in enumerate(learned.space.labels)
            if word != NEUTRAL and all((truth[p][:, c] > 0).any() for p in parts)
        ]
        if len(columns) < 2:
            continue
        rows = {p: ~np.isnan(truth[p][:, columns]).any(1) for p in parts}
        best = [
            best_threshold(
                truth["valid"][rows["valid"], c] > 0,
                scores["valid"][rows["valid"], c],
                "expected_f1",
            )
            for c in columns
        ]
        figures[name] = _multilabel_figures(
            scores["test"][rows["test"]][:, columns],
            truth["test"][rows["test"]][:, columns],
            np.array(best),
        )
    return figures


def _shares(
    train: np.ndarray, words: Sequence[str], own: Sequence[int], task: str
) -> dict[str, float]:
    """Return the share of each word in training; words outside ``own`` get their mean share."""
    # a word that training never showed is rare, not impossible
    mean = np.maximum(np.nanmean(train, 0), 0.5 / len(train))
    if task == "single":
        mean = mean / mean[list(own)].sum()
    equal = float(np.mean(mean[list(own)]))
    return {w: float(mean[i]) if i in own else equal for i, w in enumerate(words)}


def _rows(
    logits: np.ndarray,
    targets: np.ndarray,
    names: Sequence[str],
    shares: Mapping[str, float],
    basics: Sequence[str],
    utterances: Sequence[Utterance],
    corpus: str,
) -> EvidenceRows:
    """Select the rows in which one basic emotion has more than half of the labels."""
    targets = np.nan_to_num(targets)
    clear = (targets > 0.5 * targets.sum(1, keepdims=True)).any(1) & (targets.sum(1) > 0)
    best = targets.argmax(1)
    clear &= np.array([names[k] in basics for k in best])
    labels = np.array([list(basics).index(names[k]) for k in best[clear]], np.int64)
    learned = np.array([b in names for b in basics])
    kept = [utterances[int(i)] for i in np.flatnonzero(clear)]
    return EvidenceRows(
        evidence(logits[clear], names, shares, basics),
        labels,
        learned,
        tuple(utterance.text for utterance in kept),
        tuple(utterance.speaker for utterance in kept),
        tuple(utterance.extra.get(COLUMN) for utterance in kept),
        tuple(utterance.extra.get(CORPUS, corpus) for utterance in kept),
    )


def with_spoken_evidence(
    rows: EvidenceRows, learned: FusedBranch, scores: BranchScores, basics: Sequence[str]
) -> EvidenceRows:
    """Add the text branch's evidence for the words that were spoken in each row of speech."""
    if not rows.texts or any(not text for text in rows.texts):
        return rows
    different = list(dict.fromkeys(str(text) for text in rows.texts))
    encoder = build(learned.experiment.manifest.encoders[learned.stream], ENCODERS)
    frames = Frames.from_list(encoder.encode_many(different))
    logits = learned.logits(learned.states_of(frames))
    each = evidence(logits, list(learned.space.labels), scores.shares, basics)
    places = [different.index(str(text)) for text in rows.texts]
    return dataclasses.replace(rows, spoken=each[places])


def _multilabel_figures(
    probabilities: np.ndarray, truth: np.ndarray, thresholds: np.ndarray
) -> dict[str, Any]:
    """Compute multi-label figures; a word is predicted when its score exceeds its threshold."""
    decided = decide(probabilities, thresholds)
    areas = np.asarray(auc(truth, probabilities))  # NaN for a word that no row, or every row, has
    return {
        "macro_f1": float(macro_f1(truth, decided)),
        "mean_auc": None if np.isnan(areas).all() else float(np.nanmean(areas)),
        "words": truth.shape[1],
        "rows": len(truth),
    }


def _single_label_figures(logits: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Compute single-label figures of the rows in which one word has more than half."""
    clear = (truth > 0.5 * truth.sum(1, keepdims=True)).any(1) & (truth.sum(1) > 0)
    if not clear.any():
        return {"rows": 0}
    expected, predicted = np.eye(truth.shape[1])[truth[clear].argmax(1)], top(logits[clear])
    return {
        "accuracy": float(accuracy(expected, predicted)),
        "balanced_accuracy": float(balanced_accuracy(expected, predicted)),
        "rows": int(clear.sum()),
    }


def _distinct_valid(learned: FusedBranch) -> np.ndarray:
    """Return the validation rows whose input differs from that of every test row.

    Raises:
        DataError: no such row is left.
    """
    frames, e = learned.experiment.manifest.features[learned.stream], learned.experiment
    tested = {frames[i].tobytes() for i in e.test.tolist()}
    rows = [i for i in e.valid.tolist() if frames[i].tobytes() not in tested]
    if not rows:
        raise DataError(
            f"{e.manifest.corpus}: every validation row has the same {learned.stream} as a test "
            "row; choose another split."
        )
    return np.array(rows, np.int64)


def _spread(states: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean [H] of states [n, H] and their covariance [H, H] within labels [n]."""
    inside = states.copy()
    for k in np.unique(labels):
        inside[labels == k] -= states[labels == k].mean(0)
    covariance = inside.T @ inside / max(1, len(states) - len(np.unique(labels)))
    return states.mean(0).astype(np.float32), covariance.astype(np.float32)


def _stored_states(learned: FusedBranch, part: str, rows: np.ndarray) -> np.ndarray:
    """Return the mean states of rows, computed once and stored in the folder of the training."""
    key = learned.digest + rows.tobytes()
    return kept_array(learned.folder, f"states-{part}", key, lambda: learned.row_states(rows))


def kept_array(
    folder: Path, name: str, key: bytes, compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """Return an array that is computed once and kept in a folder.

    Args:
        name: the beginning of its file's name.
        key: all that determines it; its hash ends the name.
    """
    path = folder / f"{name}-{hashlib.sha256(key).hexdigest()[:16]}.npy"
    if path.exists():
        return np.asarray(np.load(path, allow_pickle=False))
    values = compute()
    with replacing(path) as new:
        np.save(new, values)
    return values


def _groups(
    learned: FusedBranch, logits: np.ndarray, truth: np.ndarray
) -> dict[str, dict[str, dict[str, float]]]:
    """Compute figures by sex and age group, where the corpus has them."""
    manifest = learned.experiment.manifest.select(learned.experiment.test)
    speakers = manifest.column("speaker")
    columns = {"sex": manifest.column("sex"), "age group": _decades(manifest.column("age"))}
    out: dict[str, dict[str, dict[str, float]]] = {}
    for column, values in columns.items():
        for value in sorted({v for v in values if v}):
            rows = np.array([i for i, v in enumerate(values) if v == value])
            persons = len({speakers[i] for i in rows})
            tested = _single_label_figures(logits[rows], truth[rows])
            out.setdefault(column, {})[value] = {**tested, "persons": persons}
    return out


def _decades(ages: Sequence[str | None]) -> list[str | None]:
    """Group ages into under 30, 30 to 49, and 50 and over."""
    names = ("under 30", "30 to 49", "50 and over")
    return [
        None if not (a or "").isdigit() else names[(int(a or 0) >= 30) + (int(a or 0) >= 50)]
        for a in ages
    ]
