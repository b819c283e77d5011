"""ReportedArtefact: the facts about an artefact that the report of its test needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReportedArtefact:
    """An artefact that is tested, as its report names it.

    Attributes:
        name: of its system, or of the fused artefact.
        weights: sha256 of its weights.
        thresholds: label -> the probability above which it is decided.
        source: how those were chosen.
        trained: the labels that its training showed.
        rows: number of training rows; None where it is not known.
        counts: label -> how many of them showed it.
    """

    name: str
    weights: str
    thresholds: Mapping[str, float]
    source: str
    trained: Sequence[str]
    rows: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
