"""Selection: the validation figure that chooses the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from moodal.core.emotions import Targets, Values
from moodal.core.errors import UsageError
from moodal.evaluation import metrics
from moodal.train.layers.losses import VALUES


def figure(name: str, logits: np.ndarray, targets: np.ndarray, space: Targets) -> float:
    """Compute a metric on validation, as a mean over the emotions or values that it is for.

    Decisions are one-of-C for metrics over all rows of a single-label corpus, and
    probability above 0.5 (logit above 0) elsewhere. Where the rows define a correlation and the
    predictions do not, being all the same, it is 0.

    Args:
        logits, targets: [n, C].

    Raises:
        UsageError: the metric is defined for no emotion or value of these rows.
    """
    metric = metrics.METRICS[name]
    if metric.sentiment and isinstance(space, Values):
        columns = [i for i, value in enumerate(space.values) if value.is_sentiment]
        logits, targets = logits[:, columns], targets[:, columns]
    if space.task == "single" and not metric.per_emotion:
        decisions = metrics.top(logits)
    else:
        decisions = (logits > 0).astype(np.float32)
    values = np.atleast_1d(metric.measure(targets, scores=logits, decisions=decisions))
    if isinstance(space, Values):
        in_truth = [why is None for why in metric.why_undefined(targets)]
        values = np.where(np.isnan(values) & in_truth, 0.0, values)
    defined = values[np.isfinite(values)]
    if not len(defined):
        raise UsageError(
            f"train.select = {name!r} is undefined on the validation rows (an emotion is absent "
            "from them, or is in all; or a value is the same in all); choose another metric or "
            "another split."
        )
    return float(defined.mean())


def recorded(
    name: str, logits: np.ndarray, targets: np.ndarray, space: Targets
) -> dict[str, float]:
    """Compute a metric on validation of each emotion or value, without those that are undefined.

    Each emotion is decided by itself: probability above 0.5 (logit above 0).

    Args:
        logits, targets: [n, C].

    Returns:
        "valid/{metric}/{label}" -> value; of a metric over all rows, "valid/{metric}" -> value.
    """
    decisions = (logits > 0).astype(np.float32)
    values = metrics.METRICS[name].measure(targets, scores=logits, decisions=decisions)
    if np.ndim(values) == 0:
        keys = [f"valid/{name}"]
    else:
        keys = [f"valid/{name}/{label}" for label in space.labels]
    pairs = zip(keys, np.atleast_1d(values), strict=True)
    return {key: float(value) for key, value in pairs if np.isfinite(value)}


def require(select: str, loss: str, space: Targets, record: Sequence[str] = ()) -> None:
    """Check, before any training, that metrics and a loss are for this corpus.

    Raises:
        UsageError: one is not; the message lists those that are.
    """
    if select not in ("loss", "last"):
        known = [name for name, metric in metrics.METRICS.items() if _is_for(metric, space)]
        if select not in known:
            values = isinstance(space, Values)
            corpus = f"corpus of {', '.join(space.labels)}" if values else f"{space.task} corpus"
            raise UsageError(
                f"train.select = {select!r} is not for a {corpus}; choose: {', '.join(known)}."
            )
    if unknown := [name for name in record if name not in metrics.METRICS]:
        raise UsageError(
            f"train.record names {unknown[0]!r}; choose from {', '.join(metrics.METRICS)}."
        )
    if isinstance(space, Values) and loss not in VALUES:
        raise UsageError(f"train.loss = {loss!r} is for emotions; values take {', '.join(VALUES)}.")
    if not isinstance(space, Values) and loss == "ccc":
        raise UsageError("train.loss = 'ccc' is for values, such as valence; emotions take bce.")


def _is_for(metric: metrics.Metric, space: Targets) -> bool:
    """Check whether a metric is for these emotions, or for one of these values."""
    if metric.sentiment:
        return isinstance(space, Values) and any(v.is_sentiment for v in space.values)
    return space.task in metric.tasks


def merit(select: str, row: Mapping[str, float]) -> float:
    """Rank an epoch by its row in the learning curves; higher is better."""
    if select == "last":
        return row["epoch"]
    if select == "loss":
        return -row["valid_loss"]
    value = row[f"valid_{select}"]
    return -value if metrics.METRICS[select].lower_is_better else value
