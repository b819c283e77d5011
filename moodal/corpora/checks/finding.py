"""The result of a check of a corpus, and the splits by which checks count."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moodal.core.manifest import Manifest

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of a corpus.

    Attributes:
        level: "ok", "note" (worth knowing), "warning" (worth a look) or "error" (training would go
            wrong).
        what: name of the check, in a word or two.
        detail: the result in one sentence.
    """

    level: Level
    what: str
    detail: str


def split_of(manifest: Manifest) -> list[str]:
    """Return the split of every utterance, "all" where it has none."""
    return [u.split or "all" for u in manifest.utterances]


def splits(manifest: Manifest) -> dict[str, np.ndarray]:
    """Return split -> its rows, in order of appearance; "all" holds rows without a split."""
    rows: dict[str, list[int]] = defaultdict(list)
    for i, split in enumerate(split_of(manifest)):
        rows[split].append(i)
    return {split: np.array(at) for split, at in rows.items()}
