"""Selection: the validation figure that chooses the epoch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from moodal.core.emotions import Task
from moodal.core.errors import UsageError
from moodal.evaluation import metrics


def figure(name: str, logits: np.ndarray, targets: np.ndarray, task: Task) -> float:
    """Compute a metric on validation, as a mean over the emotions for which it is defined.

    Decisions are one-of-C for metrics over all rows of a single-label corpus, and
    probability above 0.5 (logit above 0) elsewhere.

    Args:
        logits, targets: [n, C].

    Raises:
        UsageError: the metric is defined for no emotion of these rows.
    """
    metric = metrics.named(name)
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
    return float(defined.mean())


def require(select: str, loss: str, task: Task) -> None:
    """Check, before any training, that a metric and a loss are for this task.

    Raises:
        UsageError: one is not; the message lists those that are.
    """
    if select not in ("loss", "last") and task not in metrics.named(select).tasks:
        known = ", ".join(k for k, m in metrics.METRICS.items() if task in m.tasks)
        raise UsageError(f"train.select = {select!r} is not for a {task} corpus; choose: {known}.")
    if task == "regression" and loss not in ("l1", "mse"):
        raise UsageError(f"train.loss = {loss!r} is for emotions; a sentiment takes l1 or mse.")


def merit(select: str, row: Mapping[str, float]) -> float:
    """Rank an epoch by its row in the learning curves; higher is better."""
    if select == "last":
        return row["epoch"]
    if select == "loss":
        return -row["valid_loss"]
    value = row[f"valid_{select}"]
    return -value if metrics.named(select).lower_is_better else value
