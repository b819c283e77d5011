"""Levelled predictions: recordings of one channel, each judged by the level of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moodal.core.records import Frames, ordered
from moodal.core.timeline import Prediction, Timeline
from moodal.modalities.encoder import Encoder
from moodal.model.answer import Answering
from moodal.model.fusion_info import LevelInfo
from moodal.model.level import STRENGTH
from moodal.model.pending import Pending
from moodal.model.scorer import Evidence, Scorer
from moodal.model.vocabulary import Asked

NONE = "Too few utterances to level: nothing was taken off."


@dataclass(frozen=True)
class Weighed:
    """A recording whose evidence is known, and not its level.

    Attributes:
        timeline: without predictions.
        pending: the evidence for each utterance.
        asked: the question.
    """

    timeline: Timeline
    pending: tuple[Pending, ...]
    asked: Asked


def level_all(
    scorer: Scorer,
    encoders: Mapping[str, Encoder],
    recordings: Sequence[Weighed],
    strength: float = STRENGTH,
    stored: LevelInfo | None = None,
) -> Iterator[tuple[Weighed, tuple[Prediction, ...], str]]:
    """Yield each recording with its levelled predictions and a sentence about its level.

    Args:
        scorer, encoders: the model.
        recordings: the recordings of one channel.
        strength: the part of the shift that is taken off.
        stored: the level of the artefact, which remains where there are too few utterances.
    """
    every = [pending for one in recordings for pending in one.pending]
    names = [str(number) for number, one in enumerate(recordings) for _ in one.pending]
    levels: dict[str, np.ndarray] = {}
    if every:
        asked = recordings[0].asked
        evidence = joined([one.evidence for one in every])
        levels = scorer.levels(evidence, asked, names, strength=strength)
    reached = 0
    for one in recordings:
        rows = range(reached, reached + len(one.pending))
        answering = Answering(scorer, encoders, one.asked, "")
        predictions = tuple(
            answering.finish(pending, {m: own[[row]] for m, own in levels.items()})
            for row, pending in zip(rows, one.pending, strict=True)
        )
        own = {m: level[list(rows)] for m, level in levels.items()}
        yield one, predictions, _note(own, one, stored)
        reached = rows.stop


def joined(parts: Sequence[Evidence]) -> Evidence:
    """Join the evidence of single utterances; where one lacks a modality, its steps are none."""
    modalities = ordered(m for part in parts for m in part.logits)
    width = next(iter(parts[0].logits.values())).shape[1]
    none = np.zeros((0, width))
    logits = {
        m: np.concatenate([p.logits.get(m, np.zeros((1, width))) for p in parts])
        for m in modalities
    }
    steps = {
        m: Frames.from_list([p.steps[m].values if m in p.steps else none for p in parts])
        for m in modalities
    }
    return Evidence(logits, steps)


def _note(levels: Mapping[str, np.ndarray], one: Weighed, stored: LevelInfo | None) -> str:
    """Say what was taken off, on average over the utterances of a recording."""
    basics = one.asked.words[: next((v.shape[1] for v in levels.values()), 0)]
    shifts = {
        modality: dict(zip(basics, values.mean(0).tolist(), strict=True))
        for modality, values in levels.items()
        if len(values) and np.abs(values).max()
    }
    if stored is not None and all(
        _is_stored(own, stored.shifts.get(m)) for m, own in shifts.items()
    ):
        return level_note(stored)
    if not shifts:
        return NONE
    return f"Levelled by other utterances of the channel (nats): {_shown(shifts)}."


def _is_stored(shifts: Mapping[str, float], stored: Mapping[str, float] | None) -> bool:
    """Return whether shifts are those that an artefact was adapted to."""
    return stored is not None and all(abs(shifts[e] - stored[e]) < 1e-9 for e in shifts)


def level_note(level: LevelInfo, prior: str | None = None) -> str:
    """Say what the level that an artefact was adapted to takes off.

    Args:
        level: the level.
        prior: that of the answers; where it is another than the level presumes, this is said.
    """
    counts = " and ".join(f"{n} utterances of {m}" for m, n in level.utterances.items())
    source = f" in {level.source}" if level.source else ""
    other = f" It presumes the prior {level.prior}." if prior not in (None, level.prior) else ""
    return f"Levelled by {counts}{source} (nats): {_shown(level.shifts)}.{other}"


def _shown(shifts: Mapping[str, Mapping[str, float]]) -> str:
    """Write shifts, modality -> emotion -> nats, without those that round to 0."""
    return "; ".join(
        f"{modality} {', '.join(f'{e} {v:+.2f}' for e, v in own.items() if abs(v) >= 0.005)}"
        for modality, own in shifts.items()
    )
