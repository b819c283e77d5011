"""The text baseline: what the transcripts predict without voice, face or pre-training.

It uses TF-IDF of words and pairs of words (sublinear term frequency) and a multinomial logistic
regression with balanced classes, on the same rows that the system is trained on. Where actors
read a script this is the figure to know first: on IEMOCAP's transcripts, with four sessions for
training and one for testing, it reaches a UA of .66 over all turns, .53 on improvised ones, .75
on scripted ones, and .34 on scripted ones once their script is held out too. A multimodal system
that does not exceed it has learned nothing from the other modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import Manifest
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.report.measures import decisions
from moodal.evaluation.report.paired import Decided, paired
from moodal.evaluation.report.scores import Scored, join
from moodal.evaluation.report.subgroups import group_rows

INVERSE_PENALTY = 3.0
"""scikit-learn's C; fixed, so that no row chooses it. On IEMOCAP 1 to 10 differ by .01."""

FIGURES = ("balanced_accuracy", "accuracy", "macro_f1")
"""The figures of an entry: UA, WA, macro F1."""

WHAT = "TF-IDF of words and word pairs, logistic regression"

_NEVER = 1e-9  # the probability of an emotion that training does not show


def require_texts(manifest: Manifest) -> None:
    """Check, before any training, that the text baseline can be trained.

    Raises:
        UsageError: the corpus does not have one emotion a row.
        DataError: it has no transcripts.
    """
    if manifest.space.task != "single":
        raise UsageError(
            f"report.words = true needs one emotion a row; {manifest.corpus} is "
            f"{manifest.space.task}. Set it to false."
        )
    if not any(u.text for u in manifest.utterances):
        raise DataError(
            f"report.words = true needs transcripts; {manifest.corpus} has none. Set it to false."
        )


def text_logits(manifest: Manifest, experiment: Experiment, seed: int) -> np.ndarray:
    """Compute log-probabilities [n_test, C] of the test rows, trained on the training rows' texts.

    Rows without a text have an empty one.

    Raises:
        UsageError, DataError: see `require_texts`; or training shows one emotion only.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    require_texts(manifest)
    rows = experiment.shown
    classes = manifest.labels[rows].argmax(1)
    shown = np.unique(classes)
    if len(shown) < 2:
        raise DataError(
            f"{experiment.name}: training shows one emotion only, so a text predicts nothing."
        )
    vectoriser = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w[\w']*"
    )
    try:
        train = vectoriser.fit_transform(_texts(manifest, rows))
    except ValueError:  # scikit-learn's "empty vocabulary"
        prior = manifest.labels[rows].mean(0)
        return np.tile(np.log(np.maximum(prior, _NEVER)), (len(experiment.test), 1))
    model = LogisticRegression(
        C=INVERSE_PENALTY, class_weight="balanced", max_iter=1000, random_state=seed
    ).fit(train, classes)
    test = vectoriser.transform(_texts(manifest, experiment.test))
    logits = np.full((len(experiment.test), len(manifest.space)), np.log(_NEVER))
    logits[:, model.classes_] = model.predict_log_proba(test)
    return logits


def entry(test: Scored, logits: np.ndarray, draws: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Compute the baseline's figures on the rows of ``test``, and how far the system exceeds them.

    Args:
        test: the system's predictions.
        logits: [N, C] of `text_logits`, with columns in the order of ``test.labels``.

    Returns:
        JSON values: ``metrics`` (key of `FIGURES` -> value, low, high), ``difference`` (the
        system's less the baseline's, within the same resamples), ``groups`` (column -> value ->
        rows, metrics, difference), ``decided`` (the number of each row's label).
    """
    return classified(test, np.asarray(logits).argmax(1), WHAT, draws, seed)


def combine_entries(
    entries: Sequence[Mapping[str, Any]],
    tests: Sequence[Scored],
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute the entry of several folds' rows together, of this baseline or another.

    Args:
        entries: the entries of the folds.
        tests: the folds' predictions, in the same order.
    """
    decided = [int(x) for entry in entries for x in entry["decided"].split()]
    what = entries[0]["what"]
    return classified(join(tests), np.array(decided, np.int64), what, draws, seed)


def classified(
    test: Scored, decided: np.ndarray, what: str, draws: int, seed: int
) -> dict[str, Any]:
    """Compute the `entry` of any baseline that gives each row one emotion.

    Args:
        test: the system's predictions.
        decided: [N] the number of each row's label.
        what: the baseline, in words.
    """
    one_hot = np.eye(len(test.labels))[decided]
    both = (
        Decided(test, {"rows": one_hot}),
        Decided(test, decisions(test, np.full(len(test.labels), 0.5))),
    )
    groups = {
        column: {
            value: {"rows": len(rows), **_figures([s.rows(rows) for s in both], draws, seed)}
            for value, rows in group_rows(values).items()
        }
        for column, values in test.groups.items()
    }
    return {
        "what": what,
        **_figures(both, draws, seed),
        "groups": groups,
        "decided": " ".join(map(str, decided.tolist())),
    }


def _figures(both: Sequence[Decided], draws: int, seed: int) -> dict[str, Any]:
    text, system = paired([[one] for one in both], FIGURES, draws=draws, seed=seed)
    return {"metrics": text["metrics"], "difference": system["difference"]}


def _texts(manifest: Manifest, rows: np.ndarray) -> list[str]:
    return [manifest.utterances[row].text or "" for row in rows]
