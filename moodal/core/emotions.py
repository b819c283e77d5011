"""EmotionSpace: which emotions there are, and the vector each is known by.

Emotions are an argument, not a weight: a system is asked for the scores of a
space, and zero-shot recognition is the same system with another space.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from moodal.core.errors import SpaceError

Task = Literal["multi", "single", "regression"]
"""multi: any number of emotions at once; single: exactly one; regression: a value."""


class EmotionSpace:
    """An ordered set of emotions, immutable.

    Args:
        labels: C names, lower case, no two alike.
        task: see `Task`.
        vectors: [C, d] float32, the pre-trained vector of each emotion word, or None.
        source: where the vectors came from, in words (goes into artefacts).

    >>> space = EmotionSpace(["angry", "happy"], vectors=np.eye(2))
    >>> space.add("sad", np.array([1.0, 1.0])).labels
    ('angry', 'happy', 'sad')
    >>> space.remove("angry").vectors.tolist()
    [[0.0, 1.0]]
    """

    __slots__ = ("labels", "task", "vectors", "source", "_fingerprint")

    def __init__(
        self,
        labels: Iterable[str],
        task: Task = "multi",
        vectors: np.ndarray | None = None,
        source: str = "",
    ):
        self.labels = tuple(labels)
        self.task: Task = task
        self.source = source
        if len(set(self.labels)) != len(self.labels):
            twice = sorted({x for x in self.labels if self.labels.count(x) > 1})
            raise SpaceError(f"An emotion stands twice in one space: {', '.join(twice)}.")
        if vectors is not None:
            vectors = np.ascontiguousarray(vectors, dtype=np.float32)
            if vectors.ndim != 2 or len(vectors) != len(self.labels):
                raise SpaceError(
                    f"{len(self.labels)} emotions need vectors [{len(self.labels)}, d]; "
                    f"got {tuple(vectors.shape)}."
                )
            if not np.isfinite(vectors).all():
                raise SpaceError(f"Emotion vectors hold NaN or infinity (source: {source or '?'}).")
        self.vectors = vectors
        self._fingerprint: str | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        width = None if self.vectors is None else self.vectors.shape[1]
        return f"EmotionSpace({', '.join(self.labels)}; {self.task}, vectors={width})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EmotionSpace) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """Hash of labels, task and vectors."""
        if self._fingerprint is None:
            digest = hashlib.sha256("\n".join((self.task, *self.labels)).encode())
            if self.vectors is not None:
                digest.update(self.vectors.tobytes())
            self._fingerprint = digest.hexdigest()[:16]
        return self._fingerprint

    def index(self, label: str) -> int:
        """The column of ``label``.

        Raises:
            SpaceError: this space has no such emotion.
        """
        try:
            return self.labels.index(label)
        except ValueError:
            raise SpaceError(
                f"No emotion {label!r} in this space; it has {', '.join(self.labels)}."
            ) from None

    def select(self, labels: Sequence[str]) -> EmotionSpace:
        """Only ``labels``, in that order."""
        columns = [self.index(label) for label in labels]
        vectors = None if self.vectors is None else self.vectors[columns]
        return EmotionSpace(labels, self.task, vectors, self.source)

    def remove(self, label: str) -> EmotionSpace:
        """Without ``label``."""
        self.index(label)
        return self.select([x for x in self.labels if x != label])

    def add(self, label: str, vector: np.ndarray | None = None) -> EmotionSpace:
        """With ``label`` appended as the last column; the others keep their scores."""
        vectors = self.vectors
        if vectors is not None:
            if vector is None:
                raise SpaceError(f"Emotion {label!r} needs a vector of width {vectors.shape[1]}.")
            vectors = np.concatenate([vectors, np.asarray(vector, np.float32).reshape(1, -1)])
        return EmotionSpace((*self.labels, label), self.task, vectors, self.source)

    def with_vectors(self, vectors: np.ndarray | None, source: str = "") -> EmotionSpace:
        """The same emotions, known by other vectors [C, d]."""
        return EmotionSpace(self.labels, self.task, vectors, source)

    def of_length(self, length: float) -> EmotionSpace:
        """Every vector scaled to ``length``; 0 leaves them as they are.

        >>> EmotionSpace(["a"], vectors=np.array([[3.0, 4.0]])).of_length(10).vectors.tolist()
        [[6.0, 8.0]]
        """
        if self.vectors is None or not length:
            return self
        norms = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return self.with_vectors(self.vectors * (length / np.maximum(norms, 1e-12)), self.source)

    def merged(self, merges: Mapping[str, str]) -> EmotionSpace:
        """With emotions folded into others, e.g. ``{"excited": "happy"}``; vectors are dropped."""
        for label in merges:
            self.index(label)
        labels = dict.fromkeys(merges.get(label, label) for label in self.labels)
        return EmotionSpace(labels, self.task)

    def merge_labels(self, labels: np.ndarray, merges: Mapping[str, str]) -> np.ndarray:
        """Label rows [N, C] of this space as rows [N, C'] of ``self.merged(merges)``.

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
