"""Targets of both kinds at once, and the targets that a file describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moodal.core.emotions import EmotionSpace, Targets, Task, Value, Values
from moodal.core.errors import SpaceError


class JointTargets(EmotionSpace):
    """Emotion words followed by values: what one system learns at once.

    To a system they are W + V columns alike, and the first W are an emotion space. Losses, metrics
    and reports take the two parts separately, as `words` and `values`.

    >>> both = JointTargets(EmotionSpace(["angry", "sad"], "single"), Values(["valence"]))
    >>> both.labels, both.task, both.select(["sad", "valence"]).words.labels
    (('angry', 'sad', 'valence'), 'single', ('sad',))

    Raises:
        SpaceError: an emotion and a value have the same name.
    """

    __slots__ = ("words", "values")

    def __init__(self, words: EmotionSpace, values: Values):
        self.words, self.values = words, values
        vectors = None
        if words.vectors is not None and values.vectors is not None:
            vectors = np.concatenate([words.vectors, values.vectors])
        super().__init__((*words.labels, *values.labels), words.task, vectors, words.source)

    @property
    def identity(self) -> tuple[str, ...]:
        """The identities of both parts."""
        return (*self.words.identity, *self.values.identity)

    def _like(
        self, columns: Sequence[int], vectors: np.ndarray | None, source: str
    ) -> JointTargets:
        words = [c for c in columns if c < len(self.words)]
        values = [c - len(self.words) for c in columns if c >= len(self.words)]
        of_words, of_values = (
            (None, None) if vectors is None else (vectors[: len(words)], vectors[len(words) :])
        )
        return JointTargets(
            self.words._like(words, of_words, source),
            self.values._like(values, of_values, source),
        )


def targets(
    labels: Sequence[str],
    task: Task,
    ranges: Sequence[Mapping[str, Any]] | None = None,
    *,
    vectors: np.ndarray | None = None,
    source: str = "",
) -> Targets:
    """Build the targets that a file describes: words, or values for the task "regression".

    Args:
        ranges: name, low and high of each value, see `Values.ranges`; None: the built-in ones.
            Emotions with ranges are followed by these values in ``labels``: `JointTargets`.

    >>> targets(["sentiment"], "regression")
    Values(sentiment (-3 to 3); vectors=None)

    Raises:
        SpaceError: the ranges have other names, or the range of a value is not known.
    """
    if task != "regression" and ranges:
        count = len(labels) - len(ranges)
        own, others = (None, None) if vectors is None else (vectors[:count], vectors[count:])
        words = EmotionSpace(labels[:count], task, own, source)
        return JointTargets(words, Values([Value(**r) for r in ranges], others, source))
    if task != "regression":
        return EmotionSpace(labels, task, vectors, source)
    if not ranges:
        return Values(labels, vectors, source)
    values = Values([Value(**r) for r in ranges], vectors, source)
    if values.labels != tuple(labels):
        raise SpaceError(
            f"The values are {', '.join(labels)}, but the ranges are those of "
            f"{', '.join(values.labels)}."
        )
    return values
