"""Metrics, named by their formula; the papers' names for them are the aliases in `METRICS`.

Everywhere: N rows, C emotions, R bootstrap draws. Targets and decisions are 0/1, scores any real
number, values the target's unit. ``weights`` [N] weigh the rows as scikit-learn's
``sample_weight`` does; weights [R, N] give R results in one call, with the sorting done once.

A metric per emotion of one column [N] gives one value, of [N, C] it gives [C]; a metric of all
rows takes [N, C] and gives one value. With weights [R, N] there is an R in front. What the truth
leaves undefined is NaN, never 0; `why_undefined` has the reason in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from moodal.core.emotions import Task
from moodal.core.errors import UsageError
from moodal.evaluation.metrics.decisions import (
    accuracy,
    balanced_accuracy,
    binary_accuracy,
    binary_f1,
    decide,
    exact_match,
    intersect_match,
    intersect_match_published,
    macro_f1,
    precision,
    recall,
    subset_match,
    support_weighted_f1,
    top,
    weighted_accuracy,
    weighted_f1,
)
from moodal.evaluation.metrics.ranks import auc, average_precision
from moodal.evaluation.metrics.rows import mean_defined
from moodal.evaluation.metrics.spelling import character_error_rate, edit_distances
from moodal.evaluation.metrics.values import (
    acc2,
    acc2_nonzero,
    acc5,
    acc7,
    ccc,
    mae,
    pearson,
    rmse,
    sign_f1,
    sign_f1_nonzero,
)

__all__ = [
    "METRICS",
    "Metric",
    "acc2",
    "acc2_nonzero",
    "acc5",
    "acc7",
    "accuracy",
    "auc",
    "average_precision",
    "balanced_accuracy",
    "binary_accuracy",
    "binary_f1",
    "ccc",
    "character_error_rate",
    "chance",
    "decide",
    "edit_distances",
    "exact_match",
    "intersect_match",
    "intersect_match_published",
    "macro_f1",
    "mae",
    "mean_defined",
    "measure",
    "named",
    "pearson",
    "precision",
    "recall",
    "rmse",
    "sign_f1",
    "sign_f1_nonzero",
    "subset_match",
    "support_weighted_f1",
    "top",
    "weighted_accuracy",
    "weighted_f1",
    "why_undefined",
]

Needs = Literal["decisions", "scores", "values"]


class Metric(NamedTuple):
    """A line of `METRICS`.

    Attributes:
        function: (targets, predictions, weights=None) -> value or [C].
        needs: what its predictions are.
        per_emotion: a value for each emotion; else one for all of them.
        tasks: where it makes sense.
        chance: its expectation for predictions that know nothing, where one number says it:
            a number, "1/C", or "prevalence" (the share of rows with the emotion).
        truth: what of the truth it cannot be without, see `why_undefined`.
        title: its name in tables; alias: what papers call it.
        lower_is_better: an error, not a score.
        sentiment: it counts the steps or the signs of sentiment from -3 to 3, and is for no
            other value.
    """

    function: Callable[..., np.ndarray]
    needs: Needs
    per_emotion: bool
    tasks: tuple[Task, ...]
    chance: float | Literal["1/C", "prevalence"] | None
    truth: tuple[str, ...]
    title: str
    alias: str = ""
    lower_is_better: bool = False
    sentiment: bool = False


_BOTH: tuple[Task, ...] = ("multi", "single")
_SINGLE: tuple[Task, ...] = ("single",)
_MULTI: tuple[Task, ...] = ("multi",)
_VALUE: tuple[Task, ...] = ("regression",)
_P, _PN, _SPREAD = ("positives",), ("positives", "negatives"), ("spread",)

METRICS: dict[str, Metric] = {
    # all rows together, one class a row
    "accuracy": Metric(
        accuracy,
        "decisions",
        False,
        _SINGLE,
        None,
        (),
        "Accuracy (WA)",
        "weighted accuracy; MMER's code prints it as UA",
    ),
    "balanced_accuracy": Metric(
        balanced_accuracy,
        "decisions",
        False,
        _SINGLE,
        "1/C",
        (),
        "Balanced accuracy (UA)",
        "unweighted accuracy, UAR, mean recall; MMER's code prints it as WA",
    ),
    "macro_f1": Metric(
        macro_f1,
        "decisions",
        False,
        _BOTH,
        None,
        (),
        "Macro F1",
        "mean of binary F1",
    ),
    "support_weighted_f1": Metric(
        support_weighted_f1,
        "decisions",
        False,
        _BOTH,
        None,
        (),
        "Support-weighted F1",
        "weighted F1 (scikit-learn)",
    ),
    # all rows together, any number of emotions a row
    "exact_match": Metric(
        exact_match,
        "decisions",
        False,
        _MULTI,
        None,
        (),
        "Exact match",
        "subset accuracy",
    ),
    "subset_match": Metric(subset_match, "decisions", False, _MULTI, None, (), "Subset match"),
    "intersect_match": Metric(
        intersect_match,
        "decisions",
        False,
        _MULTI,
        None,
        (),
        "Intersect match",
    ),
    "intersect_match_published": Metric(
        intersect_match_published,
        "decisions",
        False,
        _MULTI,
        None,
        (),
        "Intersect match, as published",
        "intersect in EEA's code (depends on column order)",
    ),
    # each emotion by itself
    "weighted_accuracy": Metric(
        weighted_accuracy,
        "decisions",
        True,
        _BOTH,
        0.5,
        _PN,
        "Weighted accuracy",
        "W-Acc (EEA); balanced accuracy of the binary decision",
    ),
    "binary_accuracy": Metric(
        binary_accuracy,
        "decisions",
        True,
        _BOTH,
        None,
        (),
        "Binary accuracy",
        "Acc (EEA on IEMOCAP); the share of absent rows already scores high",
    ),
    "weighted_f1": Metric(
        weighted_f1,
        "decisions",
        True,
        _BOTH,
        None,
        (),
        "Weighted F1",
        "F1 (EEA); both classes of the binary decision",
    ),
    "binary_f1": Metric(
        binary_f1,
        "decisions",
        True,
        _BOTH,
        None,
        _P,
        "Binary F1",
        "F1 (NAACL 2021 re-run)",
    ),
    "precision": Metric(precision, "decisions", True, _BOTH, "prevalence", _P, "Precision"),
    "recall": Metric(
        recall,
        "decisions",
        True,
        _BOTH,
        None,
        _P,
        "Recall",
        "accuracy of one class",
    ),
    "auc": Metric(auc, "scores", True, _BOTH, 0.5, _PN, "AUC", "area under the ROC curve"),
    "average_precision": Metric(
        average_precision,
        "scores",
        True,
        _BOTH,
        "prevalence",
        _P,
        "Average precision",
        "AP",
    ),
    # values
    "ccc": Metric(
        ccc,
        "values",
        True,
        _VALUE,
        0.0,
        _SPREAD,
        "Concordance correlation",
        "CCC",
    ),
    "pearson": Metric(pearson, "values", True, _VALUE, 0.0, _SPREAD, "Correlation", "Corr, PCC"),
    "mae": Metric(
        mae,
        "values",
        True,
        _VALUE,
        None,
        (),
        "Mean absolute error",
        "MAE",
        lower_is_better=True,
    ),
    "rmse": Metric(
        rmse,
        "values",
        True,
        _VALUE,
        None,
        (),
        "Root mean squared error",
        "RMSE",
        lower_is_better=True,
    ),
    # sentiment
    "acc7": Metric(
        acc7, "values", True, _VALUE, None, (), "Accuracy of 7 steps", "Acc-7", sentiment=True
    ),
    "acc5": Metric(
        acc5, "values", True, _VALUE, None, (), "Accuracy of 5 steps", "Acc-5", sentiment=True
    ),
    "acc2": Metric(
        acc2,
        "values",
        True,
        _VALUE,
        None,
        (),
        "Accuracy of the sign",
        "Acc-2, zeros not positive",
        sentiment=True,
    ),
    "acc2_nonzero": Metric(
        acc2_nonzero,
        "values",
        True,
        _VALUE,
        None,
        ("nonzero",),
        "Accuracy of the sign, without zeros",
        "Acc-2, zeros left out",
        sentiment=True,
    ),
    "sign_f1": Metric(
        sign_f1,
        "values",
        True,
        _VALUE,
        None,
        (),
        "Weighted F1 of the sign",
        "F1 of sentiment",
        sentiment=True,
    ),
    "sign_f1_nonzero": Metric(
        sign_f1_nonzero,
        "values",
        True,
        _VALUE,
        None,
        ("nonzero",),
        "Weighted F1 of the sign, without zeros",
        "F1 of sentiment, zeros left out",
        sentiment=True,
    ),
}
"""Name -> `Metric`, in the order of reports. A new metric: a function, a line here, a test."""

_UNDEFINED = {
    "positives": (lambda t: (t > 0).any(0), "no row of the truth has it"),
    "negatives": (lambda t: (t <= 0).any(0), "every row of the truth has it"),
    "nonzero": (lambda t: (t != 0).any(0), "every row of the truth is 0"),
    "spread": (lambda t: np.ptp(t, axis=0) > 0, "the truth is the same in every row"),
}


def named(name: str) -> Metric:
    """The line of ``name``.

    Raises:
        UsageError: there is no such metric.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise UsageError(f"No metric {name!r}; there are {', '.join(METRICS)}.") from None


def measure(
    name: str,
    targets: np.ndarray,
    *,
    scores: np.ndarray | None = None,
    decisions: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Metric ``name`` of whichever of scores (or values) and decisions [N, C] it needs.

    >>> targets = np.array([[1, 0], [0, 0]])
    >>> measure("weighted_accuracy", targets, decisions=targets).tolist()
    [1.0, nan]
    """
    metric = named(name)
    predictions = decisions if metric.needs == "decisions" else scores
    if predictions is None:
        raise UsageError(f"The metric {name} needs {metric.needs}; none were given.")
    return metric.function(targets, predictions, weights)


def why_undefined(
    name: str, targets: np.ndarray, predictions: np.ndarray | None = None
) -> list[str | None]:
    """Why metric ``name`` is NaN, for each column of targets [N, C]; None where it is not.

    >>> why_undefined("auc", np.array([[1, 0], [0, 0]]))
    [None, 'no row of the truth has it']
    """
    targets = np.asarray(targets)
    targets = targets.reshape(len(targets), -1)
    reasons: list[str | None] = [None] * targets.shape[1]
    for need in named(name).truth:
        has, reason = _UNDEFINED[need]
        for column in np.flatnonzero(~has(targets)):
            reasons[column] = reasons[column] or reason
    if name == "pearson" and predictions is not None:
        still = np.ptp(np.asarray(predictions).reshape(len(targets), -1), axis=0) == 0
        for column in np.flatnonzero(still):
            reasons[column] = reasons[column] or "the prediction is the same in every row"
    return reasons


def chance(name: str, prevalence: np.ndarray) -> np.ndarray | None:
    """What metric ``name`` is expected to be for predictions that know nothing.

    Args:
        prevalence: [C], the share of test rows with each emotion.

    Returns:
        [C], or one value for a metric of all rows; None where no single number says it (see
        the prior-random baseline then).
    """
    metric = named(name)
    if metric.chance is None:
        return None
    if metric.chance == "prevalence":
        return np.where(prevalence > 0, prevalence, np.nan)
    level = 1 / max(int((prevalence > 0).sum()), 1) if metric.chance == "1/C" else metric.chance
    return np.full(len(prevalence), float(level)) if metric.per_emotion else np.array(float(level))
