"""Targets: what a model is asked for, words (`EmotionSpace`) or values (`Values`).

Emotions are an argument, not a weight: a system is asked for the scores of a space, and zero-shot
recognition is the same system with another space.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np

from moodal.core.errors import SpaceError

WordTask = Literal["multi", "single"]
"""multi: any number of emotions at once; single: exactly one."""

Task = Literal["multi", "single", "regression"]
"""The tasks of words, and regression: a number for each value."""

RANGES: Mapping[str, tuple[float, float]] = {
    "valence": (-1.0, 1.0),
    "arousal": (-1.0, 1.0),
    "dominance": (-1.0, 1.0),
    "sentiment": (-3.0, 3.0),
}
"""The ranges that need not be given: name of a value -> its lowest and highest number."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
_DECLARED = re.compile(
    rf"(?P<name>[^\[\]]*[^\W\d][^\[\]]*?)\s*"
    rf"(?:\[\s*(?P<low>{_NUMBER})\s*(?:,|;|\.\.)\s*(?P<high>{_NUMBER})\s*\])?"
)


@dataclass(frozen=True, slots=True)
class Value:
    """A number that an utterance has, such as its valence, and the range in which it lies.

    Attributes:
        name: lower case.
        low, high: the ends of the range.

    Raises:
        SpaceError: the name is empty, or the range holds no two finite numbers in order.
    """

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if not self.name.strip():
            raise SpaceError("A value needs a name, such as valence.")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise SpaceError(
                f"The range of {self.name} must go from a lower to a higher number; "
                f"got {self.low:g} to {self.high:g}."
            )

    @classmethod
    def of(cls, name: str) -> Value:
        """Return a value with its built-in range.

        >>> Value.of("sentiment")
        Value(name='sentiment', low=-3.0, high=3.0)

        Raises:
            SpaceError: there is none for this name.
        """
        if name not in RANGES:
            raise SpaceError(
                f"The range of {name} is not known; say its lowest and highest number. "
                f"Known are those of {', '.join(RANGES)}."
            )
        return cls(name, *RANGES[name])

    @classmethod
    def parse(cls, text: str) -> Value:
        """Read a value's name and, in brackets behind it, its range, unless that is built in.

        >>> Value.parse("trust[0,4]") == Value.parse("Trust [0..4]") == Value("trust", 0, 4)
        True
        >>> Value.parse("valence").high
        1.0

        Raises:
            SpaceError: it is no such text, or the range is missing or in disorder.
        """
        match = _DECLARED.fullmatch(text.strip())
        if match is None:
            raise SpaceError(
                f"{text!r} is no value; write its name and range as in trust[0,4] or trust[0..4]."
            )
        name = " ".join(match["name"].lower().split())
        if match["low"] is None:
            return cls.of(name)
        return cls(name, float(match["low"]), float(match["high"]))

    @property
    def built_in(self) -> bool:
        """Whether the range is the one that its name stands for."""
        return RANGES.get(self.name) == (self.low, self.high)

    @property
    def is_sentiment(self) -> bool:
        """Whether it is sentiment from -3 to 3, of which the field counts steps and signs."""
        return self.name == "sentiment" and self.built_in

    @property
    def width(self) -> float:
        """The length of the range."""
        return self.high - self.low

    def __str__(self) -> str:
        return f"{self.name} ({self.low:g} to {self.high:g})"


class _Columns:
    """What words and values have in common: C ordered names, and a vector for each, immutable."""

    __slots__ = ("labels", "vectors", "source", "_fingerprint")
    kind: ClassVar[str]
    task: Task

    def __init__(self, labels: Iterable[str], vectors: np.ndarray | None, source: str):
        self.labels = tuple(labels)
        self.source = source
        if len(set(self.labels)) != len(self.labels):
            twice = sorted({x for x in self.labels if self.labels.count(x) > 1})
            kind = _with_article(self.kind)
            raise SpaceError(f"{kind} stands twice in one space: {', '.join(twice)}.")
        if vectors is not None:
            vectors = np.ascontiguousarray(vectors, dtype=np.float32)
            if vectors.ndim != 2 or len(vectors) != len(self.labels):
                raise SpaceError(
                    f"{len(self.labels)} {self.kind}s need vectors [{len(self.labels)}, d]; "
                    f"got {tuple(vectors.shape)}."
                )
            if not np.isfinite(vectors).all():
                raise SpaceError(f"Emotion vectors hold NaN or infinity (source: {source or '?'}).")
        self.vectors = vectors
        self._fingerprint: str | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Columns) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """Hash of labels, task, ranges and vectors."""
        if self._fingerprint is None:
            digest = hashlib.sha256("\n".join(self.identity).encode())
            if self.vectors is not None:
                digest.update(self.vectors.tobytes())
            self._fingerprint = digest.hexdigest()[:16]
        return self._fingerprint

    @property
    def identity(self) -> tuple[str, ...]:
        """The task, the labels, and what else tells targets from others, but for the vectors."""
        return (self.task, *self.labels)

    def index(self, label: str) -> int:
        """Return the column of ``label``.

        Raises:
            SpaceError: this space has no such column.
        """
        try:
            return self.labels.index(label)
        except ValueError:
            raise SpaceError(
                f"No {self.kind} {label!r} in this space; it has {', '.join(self.labels)}."
            ) from None

    def select(self, labels: Sequence[str]) -> Self:
        """Return the space of ``labels`` alone, in that order."""
        columns = [self.index(label) for label in labels]
        vectors = None if self.vectors is None else self.vectors[columns]
        return self._like(columns, vectors, self.source)

    def with_vectors(self, vectors: np.ndarray | None, source: str = "") -> Self:
        """Return the same columns, known by other vectors [C, d]."""
        return self._like(range(len(self)), vectors, source)

    def of_length(self, length: float) -> Self:
        """Scale every vector to ``length``; 0 leaves them as they are.

        >>> EmotionSpace(["a"], vectors=np.array([[3.0, 4.0]])).of_length(10).vectors.tolist()
        [[6.0, 8.0]]
        """
        if self.vectors is None or not length:
            return self
        norms = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return self.with_vectors(self.vectors * (length / np.maximum(norms, 1e-12)), self.source)

    def _like(self, columns: Sequence[int], vectors: np.ndarray | None, source: str) -> Self:
        """Return some of the columns, with these vectors."""
        raise NotImplementedError


class EmotionSpace(_Columns):
    """An ordered set of emotion words, immutable: the words' side of `Targets`.

    Args:
        labels: C names, lower case, no two alike.
        task: see `WordTask`.
        vectors: [C, d] float32, the pre-trained vector of each emotion word, or None.
        source: where the vectors came from, in words (goes into artefacts).

    >>> space = EmotionSpace(["angry", "happy"], vectors=np.eye(2))
    >>> space.add("sad", np.array([1.0, 1.0])).labels
    ('angry', 'happy', 'sad')
    >>> space.remove("angry").vectors.tolist()
    [[0.0, 1.0]]
    """

    __slots__ = ("task",)
    kind = "emotion"
    task: WordTask

    def __init__(
        self,
        labels: Iterable[str],
        task: WordTask = "multi",
        vectors: np.ndarray | None = None,
        source: str = "",
    ):
        if task not in get_args(WordTask):
            raise SpaceError(f"Words are of the task multi or single, not {task}; see Values.")
        self.task = task
        super().__init__(labels, vectors, source)

    def __repr__(self) -> str:
        width = None if self.vectors is None else self.vectors.shape[1]
        return f"EmotionSpace({', '.join(self.labels)}; {self.task}, vectors={width})"

    def remove(self, label: str) -> EmotionSpace:
        """Return the space without ``label``."""
        self.index(label)
        return self.select([x for x in self.labels if x != label])

    def add(self, label: str, vector: np.ndarray | None = None) -> EmotionSpace:
        """Return the space with ``label`` as its last column; the others keep their scores."""
        vectors = self.vectors
        if vectors is not None:
            if vector is None:
                raise SpaceError(f"Emotion {label!r} needs a vector of width {vectors.shape[1]}.")
            vectors = np.concatenate([vectors, np.asarray(vector, np.float32).reshape(1, -1)])
        return EmotionSpace((*self.labels, label), self.task, vectors, self.source)

    def merged(self, merges: Mapping[str, str]) -> EmotionSpace:
        """Fold emotions into others, e.g. ``{"excited": "happy"}``; vectors are dropped."""
        for label in merges:
            self.index(label)
        labels = dict.fromkeys(merges.get(label, label) for label in self.labels)
        return EmotionSpace(labels, self.task)

    def merge_labels(self, labels: np.ndarray, merges: Mapping[str, str]) -> np.ndarray:
        """Turn label rows [N, C] of this space into rows [N, C'] of ``self.merged(merges)``.

        >>> space = EmotionSpace(["excited", "sad", "happy"])
        >>> space.merge_labels(np.eye(3), {"excited": "happy"}).tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
        """
        target = self.merged(merges)
        out = np.zeros((len(labels), len(target)), dtype=labels.dtype)
        for column, label in enumerate(self.labels):
            into = target.index(merges.get(label, label))
            out[:, into] = np.maximum(out[:, into], labels[:, column])
        return out

    def _like(
        self, columns: Sequence[int], vectors: np.ndarray | None, source: str
    ) -> EmotionSpace:
        return EmotionSpace([self.labels[c] for c in columns], self.task, vectors, source)


class Values(_Columns):
    """An ordered set of values, immutable: the numbers' side of `Targets`.

    Args:
        values: C of them, no two of one name; a name alone stands for its built-in range.
        vectors: [C, d] float32, the pre-trained vector of each value's name, or None.
        source: where the vectors came from, in words (goes into artefacts).

    >>> values = Values(["valence", Value("trust", 0, 4)])
    >>> values.labels, values.task
    (('valence', 'trust'), 'regression')
    >>> values.clip(np.array([[-1.5, 1.5]])).tolist()
    [[-1.0, 1.5]]
    """

    __slots__ = ("values",)
    kind = "value"
    task = "regression"

    def __init__(
        self,
        values: Iterable[Value | str],
        vectors: np.ndarray | None = None,
        source: str = "",
    ):
        self.values = tuple(v if isinstance(v, Value) else Value.of(v) for v in values)
        super().__init__([v.name for v in self.values], vectors, source)

    def __repr__(self) -> str:
        width = None if self.vectors is None else self.vectors.shape[1]
        return f"Values({', '.join(map(str, self.values))}; vectors={width})"

    @property
    def identity(self) -> tuple[str, ...]:
        """The task, the names, and the ranges that are not built in."""
        ranges = [f"{v.name} {v.low!r} {v.high!r}" for v in self.values if not v.built_in]
        return (self.task, *self.labels, *ranges)

    @property
    def low(self) -> np.ndarray:
        """[C], the lowest number of each value."""
        return np.array([v.low for v in self.values])

    @property
    def high(self) -> np.ndarray:
        """[C], the highest number of each value."""
        return np.array([v.high for v in self.values])

    def clip(self, numbers: np.ndarray) -> np.ndarray:
        """Bring numbers [..., C] into the values' ranges."""
        return np.clip(numbers, self.low, self.high)

    def merged(self, names: Mapping[str, str]) -> Values:
        """Give values other names, e.g. ``{"activation": "arousal"}``; vectors are dropped.

        Raises:
            SpaceError: there is no such value, or two would have one name.
        """
        for name in names:
            self.index(name)
        return Values([replace(v, name=names.get(v.name, v.name)) for v in self.values])

    def merge_labels(self, labels: np.ndarray, names: Mapping[str, str]) -> np.ndarray:
        """Return the numbers [N, C] unchanged: a value keeps them under another name."""
        return labels

    def ranges(self) -> list[dict[str, Any]]:
        """Return name, low and high of each value, as files keep them; see `targets`."""
        return [{"name": v.name, "low": v.low, "high": v.high} for v in self.values]

    def _like(self, columns: Sequence[int], vectors: np.ndarray | None, source: str) -> Values:
        return Values([self.values[c] for c in columns], vectors, source)


Targets = EmotionSpace | Values
"""What a corpus is labelled with and a model is asked for."""


def targets(
    labels: Sequence[str],
    task: Task,
    ranges: Sequence[Mapping[str, Any]] | None = None,
    *,
    vectors: np.ndarray | None = None,
    source: str = "",
) -> Targets:
    """Make the targets that a file names: words, or with the task "regression" values.

    Args:
        ranges: name, low and high of each label, see `Values.ranges`; None: the built-in ones.

    >>> targets(["sentiment"], "regression")
    Values(sentiment (-3 to 3); vectors=None)

    Raises:
        SpaceError: the ranges are of other names, or the range of a value is not known.
    """
    if task != "regression":
        return EmotionSpace(labels, task, vectors, source)
    if not ranges:
        return Values(labels, vectors, source)
    values = Values([Value(**r) for r in ranges], vectors, source)
    if values.labels != tuple(labels):
        raise SpaceError(
            f"The values {', '.join(labels)} have the ranges of {', '.join(values.labels)}."
        )
    return values


def _with_article(kind: str) -> str:
    return f"{'An' if kind[0] in 'aeiou' else 'A'} {kind}"
