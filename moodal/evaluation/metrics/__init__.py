"""Metrics, named by their formula; the names that papers use are the aliases in `METRICS`.

Shapes: N rows, C emotions, R bootstrap samples. Targets and decisions are 0 or 1, scores are any
real numbers, values have the unit of the target. ``weights`` [N] have the meaning of
scikit-learn's ``sample_weight``; weights [R, N] compute R results in one call and sort only once.

A metric per emotion returns one value for columns [N], and [C] for [N, C]. A metric of all rows
takes [N, C] and returns one value. With weights [R, N] the result has a leading axis R. A metric
that is undefined for the targets is NaN, never 0; `Metric.why_undefined` gives the reason.
"""

from __future__ import annotations

from moodal.core.emotions import Task
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
from moodal.evaluation.metrics.distributions import (
    cross_entropy,
    jsd,
    mode_accuracy,
    top2_accuracy,
)
from moodal.evaluation.metrics.metric import Metric
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
    "cross_entropy",
    "decide",
    "edit_distances",
    "exact_match",
    "intersect_match",
    "intersect_match_published",
    "jsd",
    "macro_f1",
    "mae",
    "mean_defined",
    "mode_accuracy",
    "pearson",
    "precision",
    "recall",
    "rmse",
    "sign_f1",
    "sign_f1_nonzero",
    "subset_match",
    "support_weighted_f1",
    "top",
    "top2_accuracy",
    "weighted_accuracy",
    "weighted_f1",
]

_BOTH: tuple[Task, ...] = ("multi", "single")
_SINGLE: tuple[Task, ...] = ("single",)
_MULTI: tuple[Task, ...] = ("multi",)
_VALUE: tuple[Task, ...] = ("regression",)
_P, _PN, _SPREAD = ("positives",), ("positives", "negatives"), ("spread",)
_CORRELATION = ("spread", "spread of predictions")

METRICS: dict[str, Metric] = {
    # all rows together, one class per row
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
    # the shares of raters
    "jsd": Metric(
        jsd,
        "shares",
        False,
        _SINGLE,
        None,
        (),
        "Jensen-Shannon divergence",
        "JSD, in bits, against the shares of raters",
        lower_is_better=True,
    ),
    "cross_entropy": Metric(
        cross_entropy,
        "shares",
        False,
        _SINGLE,
        None,
        (),
        "Cross-entropy",
        "soft cross-entropy, in nats, against the shares of raters",
        lower_is_better=True,
    ),
    "mode_accuracy": Metric(
        mode_accuracy,
        "shares",
        False,
        _SINGLE,
        None,
        (),
        "Accuracy of the mode",
        "an emotion with the most votes is the most probable",
    ),
    "top2_accuracy": Metric(
        top2_accuracy,
        "shares",
        False,
        _SINGLE,
        None,
        (),
        "Top-2 accuracy",
        "an emotion with the most votes is among the two most probable",
    ),
    # all rows together, any number of emotions per row
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
    # each emotion separately
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
    "pearson": Metric(
        pearson, "values", True, _VALUE, 0.0, _CORRELATION, "Correlation", "Corr, PCC"
    ),
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
"""Name -> `Metric`, in the order of reports. A new metric is a function, a line here and a test."""
