"""Slices: what is known of equal parts of an utterance, before it is fused.

A slice has the evidence of its own seconds: faces of its pictures, the voice of the window around
its middle, smoothed over time (`moodal.model.chain`). What has no time, such as the words, holds
for the whole utterance, and so for each of its slices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from moodal.core.face_action import FaceAction, mean_action
from moodal.core.records import Frames, ordered
from moodal.core.timeline import Prediction
from moodal.modalities.encoder import Encoder
from moodal.modalities.infos import info_of
from moodal.modalities.modality import Absent, Observed
from moodal.modalities.text.language import UNKNOWN
from moodal.model.chain import slice_edges
from moodal.model.languages import row_weights
from moodal.model.scorer import Evidence, Scorer
from moodal.model.vocabulary import Asked


@dataclass(frozen=True)
class Slices:
    """The slices of one person's utterance.

    Attributes:
        about: the predictions of T slices, without emotions.
        evidence: of the T slices, each by itself.
        counts: modality whose slices overlap -> [T], see `moodal.model.chain.smooth`.
        states: modality -> the mean state of each slice, none where it lacks the modality.
    """

    about: tuple[Prediction, ...]
    evidence: Evidence
    counts: Mapping[str, np.ndarray]
    states: Mapping[str, Frames]

    def smoothed(
        self, scorer: Scorer, asked: Asked, level: Mapping[str, np.ndarray] | None
    ) -> Evidence:
        """Smooth the evidence of the modalities whose slices overlap.

        Args:
            level: modality -> [T, basics]; what is joined over time is the evidence as it counts.
        """
        times = np.array([((p.start or 0.0) + (p.end or 0.0)) / 2 for p in self.about])
        evidence = self.evidence
        for m, counts in self.counts.items():
            evidence = scorer.smoothed(evidence, asked, m, counts, times, level)
        return evidence


@dataclass(frozen=True)
class Slicer:
    """Divides what was observed of an utterance, and its states, into parts of its time.

    Attributes:
        scorer: the scorer of the model.
        encoders: modality -> the encoder of its items.
        asked: the question.
    """

    scorer: Scorer
    encoders: Mapping[str, Encoder]
    asked: Asked

    def slices(
        self,
        about: Prediction,
        observed: Mapping[str, Observed],
        states: Mapping[str, np.ndarray],
        step: float,
    ) -> Slices | None:
        """Compute the evidence of the slices of an utterance; None where it has no times.

        Args:
            about: the utterance.
            observed: modality -> what was observed of it.
            states: modality -> its states [T', H].
            step: seconds of a slice.
        """
        if about.start is None or about.end is None:
            return None
        rows, kept = [], []
        for number, (start, end) in enumerate(slice_edges(about.start, about.end, step), 1):
            parts = {
                m: self.part(m, observed[m], states[m], start, end)
                for m in about.streams
                if m in observed
            }
            seen = {m: own for m, own in parts.items() if not isinstance(own, Absent) and len(own)}
            why = {m: own.reason for m, own in parts.items() if isinstance(own, Absent)}
            if not seen:
                continue
            rows.append({m: own.mean(0, keepdims=True) for m, own in seen.items()})
            kept.append(
                Prediction(
                    id=f"{about.id}.{number}",
                    probabilities={},
                    start=start,
                    end=end,
                    text=about.text,
                    speaker=about.speaker,
                    language=about.language,
                    untrained=tuple(m for m in about.untrained if m in seen),
                    streams=ordered(seen),
                    absent={**about.absent, **why},
                    track=about.track,
                    # words, and the intensity of a voice, hold for the whole utterance
                    intensity={m: n for m, n in about.intensity.items() if m in seen},
                    dimensions={
                        m: row
                        for m, row in about.dimensions.items()
                        if m in seen and info_of(m).medium == "text"
                    },
                    face=_mean_face(observed, start, end),
                )
            )
        if not rows:
            return None
        frames = _frames(rows, states)
        counts = {}
        for m in frames:
            present = np.array([m in p.streams for p in kept], float)
            if (windows := observed[m].windows) is not None:
                counts[m] = present * min(1.0, windows / present.sum())
        return self.of(kept, frames, counts)

    def of(
        self,
        about: Sequence[Prediction],
        states: Mapping[str, Frames],
        counts: Mapping[str, np.ndarray],
    ) -> Slices:
        """Compute the evidence of the slices of one utterance from their states.

        Args:
            about: the predictions of T slices, without emotions.
            states, counts: see `Slices`.
        """
        weights = row_weights(self.scorer.languages, [p.language or UNKNOWN for p in about])
        evidence = self.scorer.evidence(states, self.asked).weighed(weights)
        return Slices(tuple(about), evidence, counts, states)

    def part(
        self, modality: str, observed: Observed, states: np.ndarray, start: float, end: float
    ) -> np.ndarray | Absent:
        """Return the states [T', H] of a part of an utterance, or why there are none."""
        own = observed.during(start, end)
        if isinstance(own, Absent):
            return own
        if own is observed:
            return states
        places = observed.places(start, end, len(states))
        if places is not None:
            return states[places]
        return self.scorer.states(modality, self.encoders[modality].encode(own.item))

    def same_answers(
        self,
        observed: Mapping[str, Observed],
        states: Mapping[str, np.ndarray],
        start: float,
        end: float,
    ) -> list[tuple[float, float]]:
        """Divide a span where the answer of a second changes.

        A new part begins where the most probable emotion changes and is decided before or after,
        and where another emotion is decided than earlier in the part. The answers are those for
        the model's own words, so that they do not depend on the question. A second in which
        nothing is observed joins the one before it.
        """
        spans = slice_edges(start, end, SECOND)
        if len(spans) == 1:
            return spans
        rows: list[dict[str, np.ndarray]] = []
        for span in spans:
            parts = {m: self.part(m, observed[m], states[m], *span) for m in states}
            rows.append({m: own for m, own in parts.items() if not isinstance(own, Absent)})
        some = [i for i, row in enumerate(rows) if row]
        scores = self.scorer.score(_frames([rows[i] for i in some], states), self.scorer.ask())
        tops, sure = scores.probabilities.argmax(1), np.asarray(scores.decided.any(1))
        starts = [start]
        decided = set(tops[:1][sure[:1]])
        for before, row in pairwise(range(len(some))):
            changed = tops[before] != tops[row] and (sure[before] or sure[row])
            if changed or (sure[row] and decided - {tops[row]}):
                starts.append(spans[some[row]][0])
                decided = set()
            if sure[row]:
                decided.add(tops[row])
        return list(zip(starts, [*starts[1:], end], strict=True))


SECOND = 1.0
"""Seconds of the parts of a silent stretch whose answers are compared."""


def _mean_face(
    observed: Mapping[str, Observed], start: float, end: float
) -> tuple[FaceAction, ...]:
    """Return the mean of what the face does in a part of an utterance; nothing without a face."""
    parts = [own.during(start, end) for own in observed.values() if own.actions]
    actions = [a for part in parts if not isinstance(part, Absent) for a in part.actions]
    return (mean_action(actions, start),) if actions else ()


def _frames(
    rows: Sequence[Mapping[str, np.ndarray]], states: Mapping[str, np.ndarray]
) -> dict[str, Frames]:
    """Join the states of T rows for each modality; where one lacks it, its sequence is empty."""
    return {
        m: Frames.from_list([row.get(m, states[m][:0]) for row in rows])
        for m in states
        if any(m in row for row in rows)
    }
