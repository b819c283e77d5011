"""FusedScorer: scores of any emotion words by the sum of a fused artefact's branches."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from moodal.core.dimensions import INTENSITY
from moodal.core.emotions import Task
from moodal.core.errors import UsageError
from moodal.core.records import Frames, ordered
from moodal.evaluation.report.thresholds import Thresholds, fixed
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch, read_branches
from moodal.model.channel import Channel, ChannelFusion
from moodal.model.corrected import Corrected
from moodal.model.fusion import Fusion, Weights
from moodal.model.fusion_by_set import fused_by_set, scores_by_word
from moodal.model.heads import Head, learned_dimensions, read_head
from moodal.model.languages import Languages, of_branches
from moodal.model.level import STRENGTH, Level, cross_fitted, level_of, with_stored
from moodal.model.priors import LEVEL, prior_of
from moodal.model.ratios import Ratios, ratios_of
from moodal.model.rows import RowEncoder
from moodal.model.scorer import Evidence, Readout, Scores
from moodal.model.states import States, mean_states
from moodal.model.vocabulary import Asked, ask, sources


@dataclass(frozen=True)
class FusedScorer:
    """The scorer of any emotion words by the sum of a fused artefact's branches.

    Attributes:
        artefact: the artefact, read and verified.
        branches: modality -> its network.
        complete: whether every utterance needs all modalities.
        prior: basic emotion -> its probability before anything is observed; None: all alike.
        assumes: the name of the prior; "" for that of training.
        dimension_heads, intensity_heads: modality -> its head, of those that have one.
    """

    artefact: Artefact
    branches: Mapping[str, Branch]
    complete: bool = False
    prior: Mapping[str, float] | None = None
    assumes: str = ""
    dimension_heads: Mapping[str, Head] = field(default_factory=dict)
    intensity_heads: Mapping[str, Head] = field(default_factory=dict)

    @classmethod
    def of(cls, artefact: Artefact, threads: int = 1) -> FusedScorer:
        """Read the branches of a fused artefact.

        Raises:
            DataError: it is no fused artefact.
        """
        assumes = LEVEL if artefact.fused.channel else ""
        body = artefact.fused
        return cls(
            artefact,
            read_branches(artefact, threads),
            assumes=assumes,
            dimension_heads={m: read_head(artefact, one) for m, one in body.dimensions.items()},
            intensity_heads={m: read_head(artefact, one) for m, one in body.intensity.items()},
        )

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities with a branch."""
        return ordered(self.branches)

    @property
    def basics(self) -> tuple[str, ...]:
        """The emotions that every question compares with."""
        return self.artefact.info.labels

    @property
    def learned(self) -> dict[str, tuple[str, ...]]:
        """The words that each modality was trained on or adapted to."""
        return {m: (*b.learned, *b.adapted) for m, b in self.branches.items()}

    @cached_property
    def known(self) -> dict[str, np.ndarray]:
        """The vectors [d] of all words that the artefact carries, by word."""
        return self.artefact.word_vectors()

    @property
    def guesses(self) -> dict[str, float]:
        """The weight, 0 to 1, of each modality's scores of words that it never learned."""
        info = self.artefact.fused.branches
        return {m: info[m].guess.weight for m in self.branches}

    @property
    def synonyms(self) -> Mapping[str, str]:
        """The declared synonyms: another name of an emotion -> the artefact's name."""
        return self.artefact.fused.synonyms

    def defaults(self, labels: Sequence[str], modalities: Sequence[str]) -> list[str]:
        """Choose the labels that any of the used branches has learned."""
        learned = {word for m in modalities for word in self.learned[m]}
        return [label for label in labels if label in learned]

    def ask(
        self,
        emotions: Sequence[str] | None = None,
        vectors: str | None = None,
        *,
        exact: bool = False,
    ) -> Asked:
        """Look up the vectors of any words, see `moodal.model.vocabulary.ask`.

        Raises:
            SpaceError: an empty, overlong or doubled word.
            UsageError: ``vectors`` are named.
        """
        if vectors:
            raise UsageError(
                "A fused artefact knows any word by its own vectors; leave --vectors out."
            )
        if not exact or emotions is None:
            return ask(emotions, self.basics, self.known, self.synonyms, self.artefact.info.vectors)
        new = [word for word in emotions if word not in self.known]
        more = ask(new, self.basics, self.known, self.synonyms, self.artefact.info.vectors)
        known = {**self.known, **dict(zip(more.words, _required(more), strict=True))}
        shown = dict(zip(new, more.shown.values(), strict=True)) if new else {}
        shown = {word: shown.get(word, word) for word in emotions}
        words = tuple(dict.fromkeys([*self.basics, *shown.values()]))
        return Asked(words, np.stack([known[word] for word in words]), shown)

    def states(self, modality: str, frames: np.ndarray) -> np.ndarray:
        """Compute the states [T', H] of a branch."""
        return self.branches[modality].states(frames)

    def begin(self, modality: str) -> None:
        """Begin to load the network of a branch."""
        self.branches[modality].begin()

    def read(self, modality: str, frames: np.ndarray) -> Readout:
        """Compute the states of one utterance, and what the heads read from its features."""
        dimensions = self.dimension_heads.get(modality)
        intensity = self.intensity_heads.get(modality)
        if dimensions is None and intensity is None:
            return Readout(self.states(modality, frames))
        states, features = self.branches[modality].features(frames)
        if not len(states):
            return Readout(states)
        return Readout(
            states,
            None if dimensions is None else learned_dimensions(dimensions.read(features)),
            None if intensity is None else intensity.read(features)[INTENSITY],
        )

    def mappable(self, asked: Asked) -> tuple[str, ...]:
        """Return the basic emotions, which every question compares with."""
        return self.basics

    def prepared(self, frames: Mapping[str, Frames], aligned: bool = False) -> dict[str, Frames]:
        """Compute the mean state of each utterance; every logit is linear in it."""
        return {
            m: mean_states(self.branches[m], own, self.artefact.info.modality(m).medium)
            for m, own in frames.items()
        }

    def row_encoder(self, frames: RowEncoder) -> RowEncoder:
        """Return the encoder of a row's mean state."""
        branch = self.branches[frames.modality]
        return States.of(self.artefact, branch, frames)

    def fusion(self, asked: Asked) -> Fusion | ChannelFusion:
        """Return the fusion of the modalities for the words of a question."""
        learned = {m: b.learned for m, b in self.branches.items()}
        channel, count = self.artefact.fused.channel, len(self.basics)
        if channel is None:
            sets = {name: Weights.of(w) for name, w in self.artefact.fused.fusion.items()}
            return Fusion(asked.words, count, learned, sets)
        odds = [channel.others.get(word, channel.other) for word in asked.words[count:]]
        prior = np.concatenate([np.log([self.shares[b] for b in self.basics]), odds])
        corrected = Corrected.read(self.artefact.fused.corrections, self.basics)
        own = Channel.of(channel)
        return ChannelFusion(asked.words, count, own, prior, channel.threshold, corrected)

    def under(self, prior: str | Path | Mapping[str, float] | None) -> FusedScorer:
        """Return the scorer under another prior, see `moodal.model.priors`; None: as it is.

        Raises:
            UsageError: there is no such prior, or the fusion is a sum, whose biases hold its own.
        """
        if prior is None:
            return self
        channel = self.artefact.fused.channel
        if channel is None:
            raise UsageError(
                f"{self.artefact.info.name} is fused by a sum whose biases hold its prior; compose "
                'it with fusion = "channel", or leave the prior out.'
            )
        name = "its own table" if isinstance(prior, Mapping) else str(prior)
        shares = prior_of(prior, self.basics, channel.trained)
        return replace(self, prior=shares, assumes=name)

    @property
    def shares(self) -> Mapping[str, float]:
        """The prior: basic emotion -> its probability before anything is observed."""
        return self.prior or dict.fromkeys(self.basics, 1 / len(self.basics))

    def sources(self, asked: Asked, modalities: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return how each of the present modalities knows each word: word -> modality -> source."""
        present = {m: self.branches[m] for m in modalities}
        return {word: sources(word, present, self.guesses, self.basics) for word in asked.words}

    @cached_property
    def languages(self) -> Mapping[str, Languages]:
        """The languages of each modality."""
        return of_branches(self.artefact.fused.branches)

    def score(
        self,
        states: Mapping[str, Frames],
        asked: Asked,
        task: Task | None = None,
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> Scores:
        """Score n utterances, in one batch for each set of modalities.

        A branch that is used alone for a multi-label question answers as it was trained: by the
        sigmoid of each word, including its share in training.
        """
        return self.fused(self.evidence(states, asked).weighed(weights or {}), asked, task)

    def evidence(self, states: Mapping[str, Frames], asked: Asked) -> Evidence:
        """Compute the logits of n utterances for each modality, before they are fused."""
        logits: dict[str, np.ndarray] = {}
        steps: dict[str, Frames] = {}
        vectors = _required(asked)
        for modality in ordered(states):
            keys, constants = self.branches[modality].keys(asked.words, vectors)
            frames = states[modality]
            lengths = np.maximum(frames.lengths, 1)
            parts = (frames.values @ keys) / np.repeat(lengths, frames.lengths)[:, None]
            steps[modality] = Frames(parts, frames.lengths)
            logits[modality] = _sums(parts, frames) + constants
        return Evidence(logits, steps)

    def fused(
        self,
        evidence: Evidence,
        asked: Asked,
        task: Task | None = None,
        level: Mapping[str, np.ndarray] | None = None,
    ) -> Scores:
        """Fuse the evidence of n utterances, see `score`.

        Args:
            level: modality -> [n, basics], see `levels`; by default the one that the artefact was
                adapted to, if it was.
        """
        if level is None:
            level = self._stored(len(next(iter(evidence.logits.values()))))
        summed = fused_by_set(
            self.fusion(asked), evidence, asked, partial(self.sources, asked), level
        )
        modalities = list(evidence.logits)
        if task == "multi" and len(modalities) == 1 and (own := self.thresholds(modalities)):
            [(modality, values)] = evidence.logits.items()
            totals = values + self.branches[modality].log_shares(asked.words)
            return scores_by_word(totals, asked.words, own, summed.sets)
        return summed

    def levels(
        self,
        evidence: Evidence,
        asked: Asked,
        recordings: Sequence[Hashable],
        channels: Sequence[Hashable] = (),
        strength: float = STRENGTH,
    ) -> dict[str, np.ndarray]:
        """Compute the level of each utterance, see `moodal.model.level.cross_fitted`.

        Raises:
            UsageError: the fusion is a sum.
        """
        ratios = self._ratios(evidence, asked)
        values = {m: own.values for m, own in ratios.items()}
        learned = {m: own.learned for m, own in ratios.items()}
        prior = np.array([self.shares[b] for b in self.basics])
        levels = cross_fitted(values, learned, prior, recordings, channels, strength)
        return with_stored(levels, self._stored(len(recordings)))

    def level(
        self, evidence: Evidence, asked: Asked, strength: float = STRENGTH
    ) -> dict[str, Level]:
        """Compute the level that n utterances give other recordings of their channel.

        Raises:
            UsageError: the fusion is a sum.
        """
        prior = np.array([self.shares[b] for b in self.basics])
        return {
            m: level_of(own.values, own.learned, prior, strength)
            for m, own in self._ratios(evidence, asked).items()
        }

    def _ratios(self, evidence: Evidence, asked: Asked) -> dict[str, Ratios]:
        """Compute the likelihood ratios of the basic emotions, for each modality."""
        fusion = self.fusion(asked)
        if isinstance(fusion, Fusion):
            raise UsageError(
                f"{self.artefact.info.name} is fused by a sum, which cannot be levelled; compose "
                'it with fusion = "channel".'
            )
        return {
            m: ratios_of(fusion, m, evidence, self.sources(asked, [m]), self.basics)
            for m in evidence.logits
        }

    def _stored(self, count: int) -> dict[str, np.ndarray]:
        """Return the level that the artefact was adapted to, for each of ``count`` utterances."""
        stored = self.artefact.fused.level
        if stored is None:
            return {}
        return {
            m: np.broadcast_to([shifts[b] for b in self.basics], (count, len(self.basics)))
            for m, shifts in stored.shifts.items()
        }

    def require_slices(self) -> None:
        """Check that the fusion is a channel model, whose evidence can be smoothed over time.

        Raises:
            UsageError: the fusion is a sum.
        """
        if self.artefact.fused.channel is None:
            raise UsageError(
                f"{self.artefact.info.name} is fused by a sum, which has no slices of time; "
                'compose it with fusion = "channel", or leave the step out.'
            )

    def smoothed(
        self,
        evidence: Evidence,
        asked: Asked,
        modality: str,
        counts: np.ndarray,
        times: np.ndarray,
        level: Mapping[str, np.ndarray] | None = None,
    ) -> Evidence:
        """Smooth one modality's evidence over time, see `moodal.model.chain`; not for a sum."""
        fusion, sources = self.fusion(asked), self.sources(asked, [modality])
        assert isinstance(fusion, ChannelFusion)
        own = (self._stored(len(times)) if level is None else level).get(modality)
        values = evidence.logits[modality]
        logits = fusion.smoothed(modality, values, sources, counts, times, own)
        return replace(evidence, logits={**evidence.logits, modality: logits})

    def thresholds(self, modalities: Sequence[str]) -> Mapping[str, float]:
        """Return the decision thresholds of a branch that is used alone: word -> probability."""
        if len(modalities) != 1:
            return {}
        return self.artefact.fused.branches[modalities[0]].thresholds

    def thresholds_for(
        self, labels: Sequence[str], modalities: Sequence[str], task: Task
    ) -> Thresholds:
        """Return a branch's own thresholds where it is used alone, else 0.5."""
        own = self.thresholds(modalities) if task == "multi" else {}
        if not own:
            return fixed(labels)
        values = np.array([own.get(label, 0.5) for label in labels])
        return Thresholds(values, f"the {modalities[0]} branch's, chosen on its validation rows")

    def transcribe(self, states: Mapping[str, Frames], texts: Sequence[str | None]) -> None:
        """Return None, as no branch has a transcription head."""
        return None

    def adaptable(self) -> Mapping[str, Branch]:
        """Return all branches: each can learn words."""
        return self.branches


def _required(asked: Asked) -> np.ndarray:
    assert asked.vectors is not None, "a fused artefact's questions have vectors"
    return asked.vectors


def _sums(steps: np.ndarray, frames: Frames) -> np.ndarray:
    """Sum steps [T, C] utterance by utterance: [n, C]."""
    totals = np.zeros((len(frames), steps.shape[1]), steps.dtype)
    np.add.at(totals, np.repeat(np.arange(len(frames)), frames.lengths), steps)
    return totals
