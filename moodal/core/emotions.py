"""Targets of a model: emotion words (`EmotionSpace`) or numbers such as valence (`Values`).

The emotions are an argument of a system, not part of its weights: the system scores a given
space, and zero-shot recognition is the same system with another space.
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
"""The tasks of emotion words, and regression, which predicts a number for each value."""

RANGES: Mapping[str, tuple[float, float]] = {
    "valence": (-1.0, 1.0),
    "arousal": (-1.0, 1.0),
    "dominance": (-1.0, 1.0),
    "sentiment": (-3.0, 3.0),
}
"""The built-in ranges: name of a value -> its lowest and highest number."""

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
_RANGE = re.compile(rf"\[\s*(?P<low>{_NUMBER})\s*(?:,|;|\.\.)\s*(?P<high>{_NUMBER})\s*\]")


@dataclass(frozen=True, slots=True)
class Value:
    """A quantity of utterances, such as valence, and the range of its numbers.

    Attributes:
        name: lower case.
        low, high: the ends of the range.

    Raises:
        SpaceError: the name is empty, or the ends are not two finite numbers in ascending order.
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
            SpaceError: there is no built-in range for this name.
        """
        if name not in RANGES:
            raise SpaceError(
                f"The range of {name} is not known; give its lowest and highest number. "
                f"Ranges are known for {', '.join(RANGES)}."
            )
        return cls(name, *RANGES[name])

    @classmethod
    def parse(cls, text: str) -> Value:
        """Parse a value such as "trust[0,4]"; the range may be omitted if it is built in.

        >>> Value.parse("trust[0,4]") == Value.parse("Trust [0..4]") == Value("trust", 0, 4)
        True
        >>> Value.parse("valence").high
        1.0

        Raises:
            SpaceError: the text does not have this form, or the range is missing or invalid.
        """
        before, bracket, after = text.strip().partition("[")
        match = _RANGE.fullmatch(bracket + after) if bracket else None
        named = "]" not in before and any(c.isalpha() or c == "_" for c in before)
        if not named or (bracket and match is None):
            raise SpaceError(
                f"{text!r} is not a value; write name and range as in trust[0,4] or trust[0..4]."
            )
        name = " ".join(before.lower().split())
        if match is None:
            return cls.of(name)
        return cls(name, float(match["low"]), float(match["high"]))

    @property
    def built_in(self) -> bool:
        """True if the range is the built-in one of the name."""
        return RANGES.get(self.name) == (self.low, self.high)

    @property
    def is_sentiment(self) -> bool:
        """True for sentiment from -3 to 3, which has metrics of its classes and signs."""
        return self.name == "sentiment" and self.built_in

    @property
    def width(self) -> float:
        """The length of the range."""
        return self.high - self.low

    def __str__(self) -> str:
        return f"{self.name} ({self.low:g} to {self.high:g})"


class _Columns:
    """The common base of words and values: C ordered names with a vector each, immutable."""

    __slots__ = ("labels", "vectors", "source", "_fingerprint")
    kind: ClassVar[str]
    task: Task

    def __init__(self, labels: Iterable[str], vectors: np.ndarray | None, source: str):
        self.labels = tuple(labels)
        self.source = source
        if len(set(self.labels)) != len(self.labels):
            repeated = sorted({x for x in self.labels if self.labels.count(x) > 1})
            kind = _with_article(self.kind)
            raise SpaceError(f"{kind} occurs twice in one space: {', '.join(repeated)}.")
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
        """The task, the labels, and all else that identifies the targets except the vectors."""
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
                f"There is no {self.kind} {label!r} in this space; it has {', '.join(self.labels)}."
            ) from None

    def select(self, labels: Sequence[str]) -> Self:
        """Return the space of only ``labels``, in that order."""
        columns = [self.index(label) for label in labels]
        vectors = None if self.vectors is None else self.vectors[columns]
        return self._like(columns, vectors, self.source)

    def with_vectors(self, vectors: np.ndarray | None, source: str = "") -> Self:
        """Return the same columns with other vectors [C, d]."""
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
        """Return the space of some columns, with these vectors."""
        raise NotImplementedError


class EmotionSpace(_Columns):
    """An ordered set of emotion words, immutable; one of the two kinds of `Targets`.

    Args:
        labels: C distinct names in lower case.
        task: see `WordTask`.
        vectors: [C, d] float32, the pre-trained vector of each emotion word, or None.
        source: where the vectors came from, in words (goes into artefacts).

    >>> space = EmotionSpace(["angry", "happy"], vectors=np.eye(2))
    >>> space.add("sad", np.array([1.0, 1.0])).labels
    ('angry', 'happy', 'sad')
    >>> space.select(["happy"]).vectors.tolist()
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
            raise SpaceError(
                f"Emotion words need the task multi or single, not {task}; see Values."
            )
        self.task = task
        super().__init__(labels, vectors, source)

    def __repr__(self) -> str:
        width = None if self.vectors is None else self.vectors.shape[1]
        return f"EmotionSpace({', '.join(self.labels)}; {self.task}, vectors={width})"

    def add(self, label: str, vector: np.ndarray | None = None) -> EmotionSpace:
        """Return the space with ``label`` as its last column; the others keep their scores."""
        vectors = self.vectors
        if vectors is not None:
            if vector is None:
                raise SpaceError(f"Emotion {label!r} needs a vector of width {vectors.shape[1]}.")
            vectors = np.concatenate([vectors, np.asarray(vector, np.float32).reshape(1, -1)])
        return EmotionSpace((*self.labels, label), self.task, vectors, self.source)

    def merged(self, merges: Mapping[str, str]) -> EmotionSpace:
        """Merge emotions into others, e.g. ``{"excited": "happy"}``; vectors are dropped."""
        for label in merges:
            self.index(label)
        labels = dict.fromkeys(merges.get(label, label) for label in self.labels)
        return EmotionSpace(labels, self.task)

    def merge_labels(self, labels: np.ndarray, merges: Mapping[str, str]) -> np.ndarray:
        """Turn label rows [N, C] of this space into rows [N, C'] of ``self.merged(merges)``.

        With one emotion a row, shares of raters add up.

        >>> space = EmotionSpace(["excited", "sad", "happy"])
        >>> space.merge_labels(np.eye(3), {"excited": "happy"}).tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
        """
        target = self.merged(merges)
        out = np.full((len(labels), len(target)), np.nan, dtype=labels.dtype)
        # shares of raters add up; NaN: nothing is said of it
        join = np.fmax if self.task == "multi" else lambda a, b: np.nan_to_num(a) + b
        for column, label in enumerate(self.labels):
            into = target.index(merges.get(label, label))
            out[:, into] = join(out[:, into], labels[:, column])
        return out

    def _like(
        self, columns: Sequence[int], vectors: np.ndarray | None, source: str
    ) -> EmotionSpace:
        return EmotionSpace([self.labels[c] for c in columns], self.task, vectors, source)


class Values(_Columns):
    """An ordered set of numeric values, immutable; one of the two kinds of `Targets`.

    Args:
        values: C values with distinct names; a plain name implies its built-in range.
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
        """The lowest number of each value, [C]."""
        return np.array([v.low for v in self.values])

    @property
    def high(self) -> np.ndarray:
        """The highest number of each value, [C]."""
        return np.array([v.high for v in self.values])

    @property
    def middle(self) -> np.ndarray:
        """The middle [C] of each range: the number that an output of 0 stands for."""
        return (self.low + self.high) / 2

    @property
    def unit(self) -> np.ndarray:
        """The half [C] of each range: what an output of 1 adds to the middle.

        So a network learns any scale alike. Sentiment from -3 to 3 has the unit 1, as in published
        systems: an output is the number itself.
        """
        return np.array([1.0 if v.is_sentiment else v.width / 2 for v in self.values])

    def clip(self, numbers: np.ndarray) -> np.ndarray:
        """Limit numbers [..., C] to the ranges of the values."""
        return np.clip(numbers, self.low, self.high)

    def merged(self, names: Mapping[str, str]) -> Values:
        """Rename values, e.g. ``{"activation": "arousal"}``; vectors are dropped.

        Raises:
            SpaceError: there is no such value, or two values would have the same name.
        """
        for name in names:
            self.index(name)
        return Values([replace(v, name=names.get(v.name, v.name)) for v in self.values])

    def merge_labels(self, labels: np.ndarray, names: Mapping[str, str]) -> np.ndarray:
        """Return the numbers [N, C] unchanged, since renaming does not affect them."""
        return labels

    def ranges(self) -> list[dict[str, Any]]:
        """Return name, low and high of each value, as files keep them."""
        return [{"name": v.name, "low": v.low, "high": v.high} for v in self.values]

    def _like(self, columns: Sequence[int], vectors: np.ndarray | None, source: str) -> Values:
        return Values([self.values[c] for c in columns], vectors, source)


Targets = EmotionSpace | Values
"""The labels of a corpus and the output of a model; emotions may be followed by values, see
`moodal.core.targets.JointTargets`."""


def _with_article(kind: str) -> str:
    return f"{'An' if kind[0] in 'aeiou' else 'A'} {kind}"
