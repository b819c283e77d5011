"""Keeping: the evidence of a recording, so that other emotion words can be scored without it.

Every logit is linear in a branch's states, so for each word or second no more is kept than the sum
of its states. What does not depend on the question is taken from the timeline itself.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.files import replacing
from moodal.core.pseudonyms import without_quotes
from moodal.core.records import Frames, ordered
from moodal.core.timeline import Prediction, Timeline, Word
from moodal.modalities.modality import Division, Observed, Part
from moodal.model.answer import Answering
from moodal.model.pending import Pending
from moodal.model.question import Question
from moodal.model.slices import Slicer, Slices
from moodal.model.speakers import Speakers, with_persons

FORMAT = "moodal-kept/1"
_DAMAGE = (OSError, ValueError, KeyError, TypeError, StopIteration, RuntimeError)


@dataclass(frozen=True)
class KeptUtterance:
    """The evidence of one person's utterance.

    Attributes:
        flags: what a reader should know, without what depends on the emotions.
        parts: modality -> the words, seconds or pictures that its states belong to.
        states: modality -> [P + 1, H]: a state for each part and one for all others, whose mean is
            the mean state of the utterance; [1, H] where there are no parts.
        slices: modality -> the mean states of its slices; empty without slices.
        counts: see `moodal.model.slices.Slices`.
    """

    flags: tuple[str, ...]
    parts: Mapping[str, tuple[Part, ...]]
    states: Mapping[str, np.ndarray]
    slices: Mapping[str, Frames] = field(default_factory=dict)
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """The evidence of one recording.

    Attributes:
        digest: of the artefact that computed the states.
        notes: of the timeline, without what depends on the emotion words.
        utterances: in the order of the timeline.
    """

    digest: str
    notes: tuple[str, ...]
    utterances: tuple[KeptUtterance, ...]

    def write(self, path: Path) -> None:
        """Write the evidence to one file, which appears whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        arrays: dict[str, list[np.ndarray]] = {}
        lines = [_line(one, arrays) for one in self.utterances]
        about = {
            "format": FORMAT,
            "digest": self.digest,
            "notes": self.notes,
            "utterances": lines,
        }
        joined = {m: np.concatenate(own).astype(np.float32) for m, own in arrays.items()}
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        with replacing(path) as part, open(part, "wb") as file:
            np.savez(file, about=text, **joined)  # type: ignore[arg-type]

    def without_text(self) -> Kept:
        """Return the evidence without any word that was said or written, nor a state of one."""
        return replace(
            self,
            notes=tuple(map(without_quotes, self.notes)),
            utterances=tuple(map(_silenced, self.utterances)),
        )

    @classmethod
    def read(cls, path: Path) -> Kept:
        """Read evidence that was written.

        Raises:
            DataError: it is missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                rows = {m: iter(arrays[m]) for m in arrays.files if m != "about"}
            if about["format"] != FORMAT:
                raise ValueError(about["format"])
            utterances = tuple(_utterance(line, rows) for line in about["utterances"])
            return cls(about["digest"], tuple(about["notes"]), utterances)
        except (*_DAMAGE, zipfile.BadZipFile) as error:
            raise DataError(f"{path} holds no evidence that can be read: {error}.") from None


@dataclass
class Keeper:
    """Collects the evidence of a recording while it is answered.

    Args:
        digest: of the artefact.

    Attributes:
        kept: the evidence, when the recording has ended.
    """

    digest: str
    kept: Kept | None = None
    _about: list[Prediction] = field(default_factory=list)
    _utterances: list[KeptUtterance] = field(default_factory=list)

    def add(
        self,
        about: Prediction,
        divisions: Mapping[str, Division | None],
        states: Mapping[str, np.ndarray],
        slices: Slices | None,
    ) -> None:
        """Keep an utterance, see `moodal.model.answer.Keep`."""
        self._about.append(about)
        self._utterances.append(
            KeptUtterance(
                about.flags,
                {m: d.parts for m, d in divisions.items() if d is not None and m in states},
                {m: _reduced(own, divisions[m]) for m, own in states.items()},
                {} if slices is None else slices.states,
                {} if slices is None else slices.counts,
            )
        )

    def finish(self, speakers: Speakers, notes: tuple[str, ...]) -> None:
        """Complete the evidence when the recording has ended.

        Args:
            speakers: tell who spoke, which changes flags.
            notes: see `Kept`.
        """
        final = with_persons(speakers.final(self._about))
        utterances = (
            replace(one, flags=about.flags)
            for one, about in zip(self._utterances, final, strict=True)
        )
        self.kept = Kept(self.digest, notes, tuple(utterances))


@dataclass(frozen=True)
class _Parts(Observed):
    """An observation of which the parts are known, and nothing else."""

    division: Division | None = None

    def divide(self, steps: int, places: Sequence[int] | None = None) -> Division | None:
        """Return the division of the reduced states."""
        return self.division


def rejudged(question: Question, timeline: Timeline, kept: Kept) -> Timeline:
    """Answer a question from kept evidence, without a level.

    Raises:
        UsageError, DataError: see `reweighed`.
    """
    answering = question.answering(timeline.path)
    predictions = tuple(
        answering.judged(about, observed, one.states, slices)
        for about, observed, one, slices in _restored(question, answering, timeline, kept)
    )
    return replace(_frame(question, timeline, kept), predictions=predictions)


def reweighed(
    question: Question, timeline: Timeline, kept: Kept
) -> tuple[Timeline, tuple[Pending, ...]]:
    """Return a timeline without predictions, and the evidence to be levelled.

    Raises:
        UsageError: the model is no sum over states.
        DataError: the evidence is another model's, or another recording's.
    """
    answering = question.answering(timeline.path)
    pending = tuple(
        answering.weighed(about, observed, one.states, slices)
        for about, observed, one, slices in _restored(question, answering, timeline, kept)
    )
    return _frame(question, timeline, kept), pending


def _frame(question: Question, timeline: Timeline, kept: Kept) -> Timeline:
    asked = question.asked
    return replace(
        timeline,
        predictions=(),
        emotions=() if asked.values else tuple(asked.shown),
        values=asked.values,
        notes=(*asked.notes, *kept.notes),
    )


def _restored(
    question: Question, answering: Answering, timeline: Timeline, kept: Kept
) -> Iterator[tuple[Prediction, dict[str, Observed], KeptUtterance, Slices | None]]:
    """Yield the utterances as they were before they were answered."""
    if question.info.kind != "fused":
        raise UsageError(
            f"{question.info.name} answers for the words of its training; send the recording again."
        )
    if kept.digest != question.info.digest or len(kept.utterances) != len(timeline):
        raise DataError("The evidence that was kept is of another model or recording.")
    slicer = Slicer(question.scorer, question.encoders, question.asked)
    for one, prediction in zip(kept.utterances, timeline, strict=True):
        about = replace(_without_emotions(prediction), flags=one.flags)
        observed: dict[str, Observed] = {
            m: _Parts(about.text or "", division=_division(one.parts.get(m))) for m in one.states
        }
        slices = None
        if prediction.slices:
            rows = [_without_emotions(own) for own in prediction.slices]
            slices = slicer.of(rows, one.slices, one.counts)
        yield about, observed, one, slices


def _without_emotions(p: Prediction) -> Prediction:
    """Return a prediction that has everything but emotions, and what follows from them."""
    return replace(
        p,
        probabilities={},
        decided=(),
        shares={},
        bias={},
        sources={},
        words=tuple(Word(word.text, word.start, word.end) for word in p.words),
        moments=(),
        rest={},
        flags=(),
        values={},
        alone={},
        slices=(),
        dimensions={m: row for m, row in p.dimensions.items() if row.known == "learned"},
    )


def _silenced(one: KeptUtterance) -> KeptUtterance:
    """Return an utterance of which a modality that has words keeps its mean state alone."""
    spoken = {m for m, parts in one.parts.items() if any(part.text for part in parts)}
    return replace(
        one,
        flags=tuple(map(without_quotes, one.flags)),
        parts={m: parts for m, parts in one.parts.items() if m not in spoken},
        states={
            m: states.mean(0, keepdims=True) if m in spoken else states
            for m, states in one.states.items()
        },
    )


def _division(parts: tuple[Part, ...] | None) -> Division | None:
    """Return the division of reduced states: one for each part, and one of no part."""
    return None if parts is None else Division(parts, np.array([*range(len(parts)), -1]))


def _reduced(states: np.ndarray, division: Division | None) -> np.ndarray:
    """Sum states [T, H] part by part, so that their mean stays the same: [P + 1, H]."""
    if division is None:
        return np.asarray(states.mean(0, keepdims=True, dtype=np.float64), np.float32)
    count = len(division.parts) + 1
    sums = np.zeros((count, states.shape[1]))
    np.add.at(sums, division.places, states)  # -1 is the last row
    return np.asarray(sums * (count / len(states)), np.float32)


def _line(one: KeptUtterance, arrays: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    """Return what is no array of an utterance; its arrays are added to those of the recording."""
    for m, states in one.states.items():
        arrays.setdefault(m, []).append(states)
    for m, frames in one.slices.items():
        arrays.setdefault(m, []).append(frames.values)
    return {
        "flags": one.flags,
        "parts": {m: [[p.start, p.end, p.text] for p in own] for m, own in one.parts.items()},
        "states": {m: len(own) for m, own in one.states.items()},
        "slices": {m: frames.lengths.tolist() for m, frames in one.slices.items()},
        "counts": {m: own.tolist() for m, own in one.counts.items()},
    }


def _utterance(line: Mapping[str, Any], rows: Mapping[str, Iterator[np.ndarray]]) -> KeptUtterance:
    states = {m: _taken(rows[m], count) for m, count in line["states"].items()}
    slices = {
        m: Frames(_taken(rows[m], sum(lengths), states[m]), np.array(lengths))
        for m, lengths in line["slices"].items()
    }
    return KeptUtterance(
        tuple(line["flags"]),
        {m: tuple(Part(*part) for part in own) for m, own in line["parts"].items()},
        {m: states[m] for m in ordered(states)},
        {m: slices[m] for m in ordered(slices)},
        {m: np.array(own) for m, own in line["counts"].items()},
    )


def _taken(rows: Iterator[np.ndarray], count: int, like: np.ndarray | None = None) -> np.ndarray:
    """Take the next rows; of none, an array as wide as another."""
    if not count:
        assert like is not None
        return like[:0]
    return np.stack([next(rows) for _ in range(count)])
