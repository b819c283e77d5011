"""Experiment: the rows and emotions of one training and of its test.

A protocol is a function from a manifest or an experiment to experiments. No option of a protocol
reaches a system or the training loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moodal.core.manifest import Manifest


@dataclass(frozen=True)
class Experiment:
    """The rows and emotions of one training and of its test.

    Attributes:
        name: e.g. "official" or "fold 2".
        manifest: the corpus, its label columns being the emotions of the test.
        train, valid, test: [n] rows of the manifest, disjoint (except under
            `moodal.evaluation.protocols.select_on_test`).
        seen: the emotions that are trained; the others of the manifest are not.
        shots: [k] rows of an emotion that only these rows train, in a few-shot protocol.
        stamps: caveats in words that accompany every number of the experiment.
        split: the groups of each side, JSON values for the report: "by" and "test", "valid_by" and
            "valid" (a column and its values), "apart" (column -> value held out of training).
    """

    name: str
    manifest: Manifest
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    seen: tuple[str, ...]
    shots: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    stamps: tuple[str, ...] = ()
    split: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """The rows [n] of "train", "valid" and "test"."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @property
    def held_out(self) -> tuple[str, ...]:
        """The tested emotions that the (first) training does not contain."""
        return tuple(x for x in self.manifest.space.labels if x not in self.seen)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The tested emotions that no training contains: those held out, without shots."""
        return () if len(self.shots) else self.held_out

    @property
    def shown(self) -> np.ndarray:
        """Every row of any training: ``train`` and ``shots``, [n]."""
        return np.union1d(self.train, self.shots)

    @property
    def seen_columns(self) -> list[int]:
        """The label columns of the seen emotions."""
        return [self.manifest.space.index(label) for label in self.seen]
