"""Metric: the function of a metric and the facts about it that reports need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from moodal.core.emotions import Task
from moodal.core.errors import UsageError

Needs = Literal["decisions", "scores", "values", "shares"]

_REQUIREMENTS: dict[str, tuple[Callable[..., Any], str]] = {
    "positives": (lambda t, p: (t > 0).any(0), "no row has this emotion"),
    "negatives": (lambda t, p: (t <= 0).any(0), "every row has this emotion"),
    "nonzero": (lambda t, p: (t != 0).any(0), "every true value is 0"),
    "spread": (lambda t, p: np.ptp(t, axis=0) > 0, "the true values are all equal"),
    "spread of predictions": (
        lambda t, p: np.ptp(p, axis=0) > 0,
        "the predictions are all equal",
    ),
}
"""Requirement -> (truth, predictions [N, C] -> [C] bool; the reason where it is not met)."""


class Metric(NamedTuple):
    """A metric: how it is computed, for which tasks, and how its values are read.

    Attributes:
        function: (targets, predictions, weights=None) -> one value or [C].
        needs: the predictions that it takes; "shares" are probabilities that are compared with the
            shares of raters, [N, C].
        per_emotion: it has a value for each emotion; otherwise one for all of them.
        tasks: the tasks that it is defined for.
        chance: its expectation for predictions without information: a number, "1/C", or
            "prevalence" (the share of rows with the emotion); None where no single number
            describes it.
        requires: what truth and predictions must contain for it to be defined, see
            `Metric.why_undefined`.
        title: its name in tables.
        alias: its names in papers.
        lower_is_better: it is an error, not a score.
        sentiment: it counts the steps or the signs of sentiment from -3 to 3, and is defined for
            no other value.
    """

    function: Callable[..., np.ndarray]
    needs: Needs
    per_emotion: bool
    tasks: tuple[Task, ...]
    chance: float | Literal["1/C", "prevalence"] | None
    requires: tuple[str, ...]
    title: str
    alias: str = ""
    lower_is_better: bool = False
    sentiment: bool = False

    def measure(
        self,
        targets: np.ndarray,
        *,
        scores: np.ndarray | None = None,
        decisions: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> np.ndarray:
        """Compute the metric from the scores (or values) or the decisions, whichever it needs.

        Args:
            targets, scores, decisions: [N] or [N, C].
            weights: [N] or [R, N], see `moodal.evaluation.metrics`.

        Raises:
            UsageError: the predictions that it needs are missing.
            DataError: the shapes differ, or a number is NaN or infinite.

        >>> from moodal.evaluation.metrics import METRICS
        >>> targets = np.array([[1, 0], [0, 0]])
        >>> METRICS["weighted_accuracy"].measure(targets, decisions=targets).tolist()
        [1.0, nan]
        """
        predictions = decisions if self.needs == "decisions" else scores
        if predictions is None:
            raise UsageError(f"The metric {self.title!r} needs {self.needs}; none were given.")
        return self.function(targets, predictions, weights)

    def why_undefined(
        self, targets: np.ndarray, predictions: np.ndarray | None = None
    ) -> list[str | None]:
        """Explain, for each column of targets [N, C], why the metric is NaN; None where it is not.

        Args:
            targets: [N] or [N, C].
            predictions: of the same shape; None: only the targets are examined.

        >>> from moodal.evaluation.metrics import METRICS
        >>> METRICS["auc"].why_undefined(np.array([[1, 0], [0, 0]]))
        [None, 'no row has this emotion']
        """
        targets = np.asarray(targets)
        targets = targets.reshape(len(targets), -1)
        predicted = targets if predictions is None else np.asarray(predictions)
        predicted = predicted.reshape(targets.shape)
        reasons: list[str | None] = [None] * targets.shape[1]
        for requirement in self.requires:
            is_met, reason = _REQUIREMENTS[requirement]
            for column in np.flatnonzero(~is_met(targets, predicted)):
                reasons[column] = reasons[column] or reason
        return reasons

    def chance_level(self, prevalence: np.ndarray) -> np.ndarray | None:
        """Return the metric's expectation for predictions without information.

        Args:
            prevalence: [C], the share of test rows with each emotion.

        Returns:
            [C], or one value for a metric of all rows; None where no single number describes it
            (the baseline prior-random does).
        """
        if self.chance is None:
            return None
        if self.chance == "prevalence":
            return np.where(prevalence > 0, prevalence, np.nan)
        classes = max(int((prevalence > 0).sum()), 1)
        level = 1 / classes if self.chance == "1/C" else self.chance
        shape = prevalence.shape if self.per_emotion else ()
        return np.full(shape, float(level))
