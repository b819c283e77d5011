"""Selection: the validation figure that chooses the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from moodal.core.emotions import Targets, Values
from moodal.core.errors import UsageError
from moodal.core.targets import JointTargets
from moodal.core.votes import HardRule, is_soft
from moodal.evaluation import metrics
from moodal.evaluation.report.scores import softmax
from moodal.train.layers.losses import VALUES


def figure(name: str, logits: np.ndarray, targets: np.ndarray, space: Targets) -> float:
    """Compute a metric on validation, as a mean over the emotions or values that it is for.

    Shares of raters are compared as they are by the metrics that are for shares; for the others
    the true emotion is the one with the most votes, and rows with ties do not count. Decisions are
    one-of-C for metrics over all rows of a single-label corpus, and probability above 0.5 (logit
    above 0) elsewhere. Where the rows define a correlation and the predictions do not, being all
    the same, it is 0.

    Args:
        logits, targets: [n, C].

    Raises:
        UsageError: the metric is defined for no emotion or value of these rows.
    """
    metric = metrics.METRICS[name]
    space, columns = _part(metric, space)
    logits, targets = logits[:, columns], targets[:, columns]
    if metric.sentiment and isinstance(space, Values):
        own = [i for i, value in enumerate(space.values) if value.is_sentiment]
        logits, targets = logits[:, own], targets[:, own]
    if metric.needs == "shares":
        return float(metric.measure(targets, scores=softmax(logits)))
    if space.task == "single" and is_soft(targets):
        logits, targets = _hardened(logits, targets)
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
    space, columns = _part(metrics.METRICS[name], space)
    logits, targets = logits[:, columns], targets[:, columns]
    decisions = (logits > 0).astype(np.float32)
    if metrics.METRICS[name].needs == "shares":
        return {f"valid/{name}": figure(name, logits, targets, space)}
    if space.task == "single" and is_soft(targets):
        logits, targets = _hardened(logits, targets)
        decisions = (logits > 0).astype(np.float32)
    values = metrics.METRICS[name].measure(targets, scores=logits, decisions=decisions)
    if np.ndim(values) == 0:
        keys = [f"valid/{name}"]
    else:
        keys = [f"valid/{name}/{label}" for label in space.labels]
    pairs = zip(keys, np.atleast_1d(values), strict=True)
    return {key: float(value) for key, value in pairs if np.isfinite(value)}


def _hardened(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with an emotion that has the most votes, and that emotion: [n, C] each.

    If all rows have ties, the first of the tied emotions counts.
    """
    emotions, clear = HardRule().decide(targets, ())
    if clear.any():
        return logits[clear], emotions[clear]
    return logits, HardRule(ties="first").decide(targets, ())[0]


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
    if loss == "kl" and space.task != "single":
        raise UsageError(
            "train.loss = 'kl' compares with shares that sum to 1, in a corpus of one emotion a "
            "row; a corpus of several emotions a row takes bce."
        )


def _part(metric: metrics.Metric, space: Targets) -> tuple[Targets, slice]:
    """Return the targets that a metric is for, and their columns: all, or one part of both."""
    if not isinstance(space, JointTargets):
        return space, slice(None)
    count = len(space.words)
    if "regression" in metric.tasks:
        return space.values, slice(count, None)
    return space.words, slice(count)


def _is_for(metric: metrics.Metric, space: Targets) -> bool:
    """Check whether a metric is for these emotions, or for one of these values."""
    space, _ = _part(metric, space)
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
