"""Experiment: what one training may see, and what it is tested on.

Every protocol is a function that makes these from a manifest; no flag of a
protocol ever reaches a system or the training loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moodal.core.manifest import Manifest


@dataclass(frozen=True)
class Experiment:
    """Rows and emotions of one training and its test.

    Attributes:
        name: e.g. "official" or "fold 2".
        manifest: the corpus, its label columns being the emotions of the test.
        train, valid, test: [n] rows of the manifest, disjoint (but for
            `moodal.evaluation.protocols.select_on_test`).
        seen: the emotions that are trained; the others of the manifest are not.
        shots: [k] rows that show an unseen emotion in a few-shot protocol.
        stamps: words that must stand beside every number this makes.
        split: which groups are on which side, JSON values for the report: "by" and "test",
            "valid_by" and "valid" (a column and its values), "apart" (column -> value).
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
    def held_out(self) -> tuple[str, ...]:
        """The emotions of the test that the (first) training does not show."""
        return tuple(x for x in self.manifest.space.labels if x not in self.seen)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The emotions of the test that no training shows: those held out, without shots."""
        return () if len(self.shots) else self.held_out

    @property
    def shown(self) -> np.ndarray:
        """[n] every row that any training sees: ``train`` and ``shots``."""
        return np.union1d(self.train, self.shots)

    @property
    def seen_columns(self) -> list[int]:
        """Label columns of the seen emotions."""
        return [self.manifest.space.index(label) for label in self.seen]
