"""The figure of merit that chooses the epoch, always higher is better."""

from __future__ import annotations

import numpy as np

from moodal import metrics
from moodal.emotions import Task
from moodal.errors import UsageError


def figure(name: str, logits: np.ndarray, targets: np.ndarray, task: Task) -> float:
    """Metric ``name`` of validation, its mean over the emotions for which it is defined.

    Decisions are one-of-C for metrics over all rows of a single-label corpus, and
    probability above 0.5 (logit above 0) elsewhere. Errors are negated.

    Args:
        logits, targets: [n, C].

    Raises:
        UsageError: no such metric, or not one for this task.
    """
    metric = metrics.named(name)
    if task not in metric.tasks:
        known = ", ".join(k for k, m in metrics.METRICS.items() if task in m.tasks)
        raise UsageError(f"train.select = {name!r} is not for a {task} corpus; choose: {known}.")
    if task == "single" and not metric.per_emotion:
        decisions = metrics.top(logits)
    else:
        decisions = (logits > 0).astype(np.float32)
    values = metrics.measure(name, targets, scores=logits, decisions=decisions)
    defined = np.atleast_1d(values)[np.isfinite(np.atleast_1d(values))]
    if not len(defined):
        raise UsageError(
            f"train.select = {name!r} is undefined on the validation rows (an emotion is absent "
            "from them, or is in all); choose another metric or another split."
        )
    mean = float(defined.mean())
    return -mean if metric.lower_is_better else mean
