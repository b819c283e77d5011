"""Answer: turn the observations of an utterance into a prediction."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from moodal.core.dimensions import ANSWER, Dimensions
from moodal.core.records import Frames, ordered
from moodal.core.timeline import Moment, Prediction, Word
from moodal.modalities.encoder import Encoder
from moodal.modalities.modality import Absent, Division, Observed, Part
from moodal.modalities.text.language import UNKNOWN
from moodal.model.coordinates import mapped, unmapped
from moodal.model.fusion import disagreements
from moodal.model.languages import flags, row_weights, untrained
from moodal.model.observation import Observation
from moodal.model.pending import Pending
from moodal.model.persons import LISTENS, ObservedPerson, persons_in
from moodal.model.scorer import Readout, Scorer, Scores
from moodal.model.slices import Slicer, Slices
from moodal.model.vocabulary import Asked

Keep = Callable[
    [Prediction, Mapping[str, Division | None], Mapping[str, np.ndarray], Slices | None], None
]
"""Takes an utterance: the prediction without emotions, modality -> the parts of its steps,
modality -> states [T, H], and its slices."""

UNASKED = "not asked for"
"""Why a modality that a model reads was not used."""


@dataclass(frozen=True)
class _Person:
    """One person's utterance.

    Attributes:
        observation: the utterance.
        person: what was observed of the person.
        states: modality -> states [T, H].
        readouts: modality -> what was read, from all of the utterance.
    """

    observation: Observation
    person: ObservedPerson
    states: dict[str, np.ndarray]
    readouts: dict[str, Readout]


@dataclass
class Answering:
    """The predictions for the utterances of one recording and the words of one question.

    Attributes:
        scorer: the scorer of the model.
        encoders: modality -> the encoder of its items.
        asked: the question.
        name: the name of the recording, from which its utterances are numbered.
        unasked: modalities of the model that the question excludes.
        step: seconds of the slices of each utterance; None for none.
        language: the language of the recording, where it is stated.
        count: the number of utterances answered so far.
        incomplete: the number of utterances that lack a modality which the model requires.
        keep: is given each person's utterance as it is answered, see `moodal.model.keeping`.
    """

    scorer: Scorer
    encoders: Mapping[str, Encoder]
    asked: Asked
    name: str
    unasked: Sequence[str] = ()
    step: float | None = None
    language: str | None = None
    count: int = 0
    incomplete: int = 0
    keep: Keep | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on utterances that were not answered, one sentence each."""
        if not self.incomplete:
            return ()
        needed = " and ".join(self.scorer.modalities)
        times = "1 utterance was" if self.incomplete == 1 else f"{self.incomplete} utterances were"
        return (f"{times} left out: the model needs {needed} in each.",)

    def answer(self, observation: Observation) -> Iterator[Prediction]:
        """Yield a prediction for each person of an utterance; none where nothing was observed."""
        for about, observed, states in self._persons(observation):
            slices = self._kept(about, observed, states)
            yield self.judged(about, observed, states, slices)

    def weigh(self, observation: Observation) -> Iterator[Pending]:
        """Yield the evidence for each person of an utterance, to be fused when its level is known.

        Raises:
            UsageError: the scorer has no separate evidence.
        """
        for about, observed, states in self._persons(observation):
            slices = self._kept(about, observed, states)
            yield self.weighed(about, observed, states, slices)

    def judged(
        self,
        about: Prediction,
        observed: Mapping[str, Observed],
        states: Mapping[str, np.ndarray],
        slices: Slices | None = None,
    ) -> Prediction:
        """Return the prediction for one person of an utterance.

        Args:
            about: everything but emotions or values.
            observed: modality -> what was observed.
            states: modality -> states [T, H].
            slices: of the utterance, where they are asked for.
        """
        scores = self.scorer.score(_one(states), self.asked, weights=self._weights(about))
        return self._with_slices(self._completed(about, observed, scores), slices)

    def weighed(
        self,
        about: Prediction,
        observed: Mapping[str, Observed],
        states: Mapping[str, np.ndarray],
        slices: Slices | None = None,
    ) -> Pending:
        """Return the evidence for one person of an utterance; arguments are those of `judged`.

        Raises:
            UsageError: the scorer has no separate evidence.
        """
        light = {m: _light(o) for m, o in observed.items()}
        evidence = self.scorer.evidence(_one(states), self.asked).weighed(self._weights(about))
        return Pending(about, light, evidence, slices)

    def _kept(
        self,
        about: Prediction,
        observed: Mapping[str, Observed],
        states: Mapping[str, np.ndarray],
    ) -> Slices | None:
        """Compute the slices of an utterance, and hand everything to whoever keeps evidence."""
        slices = self._slices(about, observed, states)
        if self.keep is not None:
            divisions = {m: self._division(o, m, len(states[m])) for m, o in observed.items()}
            self.keep(about, divisions, states, slices)
        return slices

    def finish(self, pending: Pending, level: Mapping[str, np.ndarray]) -> Prediction:
        """Fuse the evidence for one person; ``level`` is modality -> [1, basics]."""
        scores = self.scorer.fused(pending.evidence, self.asked, level=level)
        answer = self._completed(pending.about, pending.observed, scores)
        return self._with_slices(answer, pending.slices, level)

    def _weights(self, about: Prediction) -> dict[str, np.ndarray]:
        """Return how much the evidence of an utterance counts in its language."""
        return row_weights(self.scorer.languages, [about.language or UNKNOWN])

    @cached_property
    def _slicer(self) -> Slicer:
        return Slicer(self.scorer, self.encoders, self.asked)

    def _slices(
        self,
        about: Prediction,
        observed: Mapping[str, Observed],
        states: Mapping[str, np.ndarray],
    ) -> Slices | None:
        if self.step is None:
            return None
        return self._slicer.slices(about, observed, states, self.step)

    def _with_slices(
        self,
        answer: Prediction,
        slices: Slices | None,
        level: Mapping[str, np.ndarray] | None = None,
    ) -> Prediction:
        """Return a prediction with the emotions of its slices, if there are any."""
        if slices is None:
            return answer
        levels = None  # the artefact's own
        if level is not None:
            levels = {m: np.repeat(own, len(slices.about), 0) for m, own in level.items()}
        evidence = slices.smoothed(self.scorer, self.asked, levels)
        scores = self.scorer.fused(evidence, self.asked, level=levels)
        rows = (
            self._with_emotions(about, {}, scores.row(i)) for i, about in enumerate(slices.about)
        )
        return dataclasses.replace(answer, slices=tuple(rows))

    def _persons(
        self, observation: Observation
    ) -> Iterator[tuple[Prediction, dict[str, Observed], dict[str, np.ndarray]]]:
        """Yield what is known of each person's utterance, what was observed, and its states."""
        persons = [part for person in self._observed(observation) for part in self._parts(person)]
        if len(persons) > 1:
            persons.sort(key=lambda person: person.observation.segment.start or 0.0)
        for one in persons:
            self.count += 1
            about = self._about(one.observation, one.person, ordered(one.states))
            yield _with_readouts(about, one.readouts), one.person.observed, one.states

    def _observed(self, observation: Observation) -> Iterator[_Person]:
        """Yield what was observed of each person, and what was read from it."""
        for person in persons_in(observation.observed):
            observed = person.observed
            readouts = {
                m: self.scorer.read(m, self.encoders[m].encode(o.item)) for m, o in observed.items()
            }
            states = {m: one.states for m, one in readouts.items() if len(one.states)}
            enough = set(self.scorer.modalities) <= set(states)
            if self.scorer.complete and not enough:
                self.incomplete += not person.listens
                continue
            if states:
                own = {m: states[m] for m in ordered(states)}
                yield _Person(observation, person, own, readouts)

    def _parts(self, person: _Person) -> Iterator[_Person]:
        """Divide a silent stretch where its answer changes; any other utterance stays whole."""
        segment, states = person.observation.segment, person.states
        observed = person.person.observed
        start, end = segment.start, segment.end
        spans = []
        if segment.divisible and not self.asked.values and start is not None and end is not None:
            spans = self._slicer.same_answers(observed, states, start, end)
        if len(spans) < 2:
            yield person
            return
        for first, last in spans:
            own = {m: o.during(first, last) for m, o in observed.items()}
            parts = {m: self._slicer.part(m, observed[m], states[m], first, last) for m in states}
            part = dataclasses.replace(segment, start=first, end=last)
            yield _Person(
                dataclasses.replace(person.observation, segment=part),
                dataclasses.replace(
                    person.person,
                    observed={m: o for m, o in own.items() if not isinstance(o, Absent)},
                ),
                {m: part for m, part in parts.items() if not isinstance(part, Absent)},
                person.readouts,
            )

    def _about(
        self, observation: Observation, person: ObservedPerson, modalities: tuple[str, ...]
    ) -> Prediction:
        """Return a prediction that has everything but emotions or values."""
        segment, observed = observation.segment, person.observed
        heard = next((o.language for o in observed.values() if o.language), segment.language)
        language = self.language or heard or UNKNOWN
        languages = {m: own for m, own in self.scorer.languages.items() if m in modalities}
        return Prediction(
            id=f"{self.name}#{self.count}",
            probabilities={},
            start=segment.start,
            end=segment.end,
            text=None if person.listens else segment.text,
            speaker=None if person.listens else segment.speaker,
            streams=modalities,
            words=() if person.listens else segment.words,
            quality={m: dict(observed[m].quality) for m in modalities if observed[m].quality},
            absent=self._absent(observation, person, modalities),
            flags=(
                *(() if person.listens else segment.flags),
                *person.flags,
                *(flag for m in modalities for flag in observed[m].flags),
                *flags(language, languages),
            ),
            track=person.track,
            language=None if language == UNKNOWN else language,
            untrained=untrained(language, languages),
            face=tuple(action for o in observed.values() for action in o.actions),
        )

    def _completed(
        self, about: Prediction, observed: Mapping[str, Observed], scores: Scores
    ) -> Prediction:
        if self.asked.values:
            return dataclasses.replace(about, values=self._named(scores.probabilities[0]))
        return self._with_emotions(about, observed, scores)

    def _with_emotions(
        self, about: Prediction, observed: Mapping[str, Observed], scores: Scores
    ) -> Prediction:
        """Return a prediction with the emotions of its utterance, and the parts of their logits."""
        modalities = about.streams
        sources = self.scorer.sources(self.asked, modalities)
        parts = {m: self._shares(observed[m], scores, m) for m in modalities if m in observed}
        bias = np.zeros_like(scores.logits) if scores.bias is None else scores.bias
        shares = {m: scores.shares[m][0] for m in modalities if m in scores.shares}
        alone = {m: self._named(scores.alone[m][0]) for m in modalities if m in scores.alone}
        return dataclasses.replace(
            about,
            probabilities=self._named(scores.probabilities[0]),
            decided=tuple(e for e, i in self._columns().items() if scores.decided[0, i]),
            shares={m: self._named(share) for m, share in shares.items()},
            bias=self._named(bias[0]),
            dimensions=self._dimensions(about, scores),
            sources={name: sources[word] for name, word in self.asked.shown.items()},
            words=self._words(parts) or about.words,
            moments=self._moments(parts),
            flags=(*about.flags, *disagreements(alone, scores.thresholds[0].min())),
            alone=alone if len(modalities) > 1 else {},
            rest={
                m: self._named(share - sum(values for _, values in parts.get(m, ())))
                for m, share in shares.items()
            },
        )

    def _shares(self, observed: Observed, scores: Scores, modality: str) -> Shares:
        """Sum the shares of the steps for each part of the utterance, such as a word."""
        if modality not in scores.steps:
            return []
        steps = scores.steps[modality]
        division = self._division(observed, modality, len(steps))
        if division is None:
            return []
        sums = np.zeros((len(division.parts), steps.shape[1]))
        inside = division.places >= 0
        np.add.at(sums, division.places[inside], steps[inside])
        return list(zip(division.parts, sums, strict=True))

    def _division(self, observed: Observed, modality: str, steps: int) -> Division | None:
        """Divide the steps of a network among the parts of an utterance; None: unknown."""
        places = self.encoders[modality].places(observed.item)
        return observed.divide(steps) if places is None else observed.divide(steps, places)

    def _dimensions(self, about: Prediction, scores: Scores) -> dict[str, Dimensions]:
        """Return the dimensions of each modality, learned or else mapped, and of the answer."""
        emotions, rows = self.scorer.mappable(self.asked), dict(about.dimensions)
        if emotions and not unmapped(emotions):
            columns = [self.asked.words.index(emotion) for emotion in emotions]
            sources = {m: scores.alone[m][0] for m in about.streams if m in scores.alone}
            answer = ANSWER if len(about.streams) > 1 else about.streams[0]
            sources[answer] = scores.probabilities[0]
            for name, values in sources.items():
                own = dict(zip(emotions, values[columns].tolist(), strict=True))
                rows.setdefault(name, mapped(own))
        return {name: rows[name] for name in (*about.streams, ANSWER) if name in rows}

    def _absent(
        self, observation: Observation, person: ObservedPerson, used: Sequence[str]
    ) -> dict[str, str]:
        """Say why each modality of the model was not used."""
        others = dict.fromkeys(observation.observed, LISTENS) if person.listens else {}
        reasons = {**others, **observation.absent, **dict.fromkeys(self.unasked, UNASKED)}
        return {m: reasons[m] for m in ordered(reasons) if m not in used}

    def _columns(self) -> dict[str, int]:
        return {name: self.asked.words.index(word) for name, word in self.asked.shown.items()}

    def _named(self, values: np.ndarray) -> dict[str, float]:
        """Label values [C] with the names that were asked for."""
        return {name: float(values[i]) for name, i in self._columns().items()}

    def _words(self, parts: Mapping[str, Shares]) -> tuple[Word, ...]:
        return tuple(
            Word(part.text, part.start, part.end, self._named(values))
            for shares in parts.values()
            for part, values in shares
            if part.text
        )

    def _moments(self, parts: Mapping[str, Shares]) -> tuple[Moment, ...]:
        return tuple(
            Moment(part.start or 0.0, part.end or 0.0, modality, self._named(values))
            for modality, shares in parts.items()
            for part, values in shares
            if not part.text
        )


def _light(observed: Observed) -> Observed:
    """Return an observation without sound and pictures, which may wait for long."""
    return observed if isinstance(observed.item, str) else dataclasses.replace(observed, item="")


def _one(states: Mapping[str, np.ndarray]) -> dict[str, Frames]:
    """Return the states of one utterance as sequences."""
    return {m: Frames.from_list([own]) for m, own in states.items()}


def _with_readouts(about: Prediction, readouts: Mapping[str, Readout]) -> Prediction:
    """Return the prediction with what heads learned to read."""
    return dataclasses.replace(
        about,
        dimensions={m: one.dimensions for m, one in readouts.items() if one.dimensions},
        intensity={m: one.intensity for m, one in readouts.items() if one.intensity is not None},
    )


Shares = Sequence[tuple[Part, np.ndarray]]
"""The parts of an utterance, and the share [C] of each."""
