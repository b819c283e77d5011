"""Finding: one sentence about a corpus; and what every check counts by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moodal.core.manifest import Manifest

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a corpus.

    Attributes:
        level: "ok", "note" (to be known), "warning" (to be looked into) or "error"
            (training on it would go wrong).
        what: the check, in a word or two.
        detail: the sentence.
    """

    level: Level
    what: str
    detail: str


def split_of(manifest: Manifest) -> list[str]:
    """The split of every utterance, "all" where it has none."""
    return [u.split or "all" for u in manifest.utterances]


def splits(manifest: Manifest) -> dict[str, np.ndarray]:
    """Split -> its rows, in the order of their first use; "all" where there are none."""
    rows: dict[str, list[int]] = defaultdict(list)
    for i, split in enumerate(split_of(manifest)):
        rows[split].append(i)
    return {split: np.array(at) for split, at in rows.items()}


def some(items: Sequence[str], between: str = ", ") -> str:
    """The first few, and how many more."""
    more = f"{between}and {len(items) - 4} more" if len(items) > 5 else ""
    return between.join(items[:4] if more else items) + more
