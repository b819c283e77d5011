"""Scorer: the interface between frames and scores of emotions, for every kind of network.

`moodal.model.fused` implements it with ONNX Runtime for fused artefacts,
`moodal.train.engine.scorer` with PyTorch for every trained system; `moodal.loading` chooses.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from moodal.core.dimensions import Dimensions
from moodal.core.emotions import Task
from moodal.core.records import Frames
from moodal.evaluation.report.thresholds import Thresholds
from moodal.modalities.encoder import Encoder
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch
from moodal.model.info import ArtefactInfo
from moodal.model.languages import Languages
from moodal.model.level import STRENGTH
from moodal.model.rows import RowEncoder
from moodal.model.vocabulary import Asked


@dataclass(frozen=True)
class Scores:
    """The scores of n utterances for C words.

    Attributes:
        logits: [n, C]; of values the numbers that the network gave.
        probabilities: [n, C], 0 to 1; of values their numbers, brought into their ranges.
        decided: [n, C] bool: the words that are decided; none where the model abstains.
        thresholds: [n, C], the least probability with which a word is decided.
        shares: modality -> [n, C]; with ``bias`` they add up to the logits. Empty where the
            network is no sum over modalities.
        bias: [n, C], the part of the logits that comes from no modality.
        steps: modality -> [sum of T, C], the parts of the shares step by step, end to end.
        sets: n names of the sets of modalities that were present.
        alone: modality -> [n, C], the probabilities from that modality alone, where the fusion
            has them; 0 where it is absent.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    decided: np.ndarray
    thresholds: np.ndarray
    shares: Mapping[str, np.ndarray] = field(default_factory=dict)
    bias: np.ndarray | None = None
    steps: Mapping[str, np.ndarray] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    alone: Mapping[str, np.ndarray] = field(default_factory=dict)

    def row(self, i: int) -> Scores:
        """Return the scores of utterance ``i`` alone, without its steps."""
        one = [i]
        return Scores(
            self.logits[one],
            self.probabilities[one],
            self.decided[one],
            self.thresholds[one],
            {m: share[one] for m, share in self.shares.items()},
            None if self.bias is None else self.bias[one],
            sets=self.sets[i : i + 1],
            alone={m: own[one] for m, own in self.alone.items()},
        )


@dataclass(frozen=True)
class Readout:
    """The output of a network for one modality of one utterance.

    Attributes:
        states: [T', H], see `Scorer.states`; [0, H] where nothing is observed.
        dimensions: that a head has learned to read from it; None without such a head.
        intensity: the same, from 0 to 1.
    """

    states: np.ndarray
    dimensions: Dimensions | None = None
    intensity: float | None = None


@dataclass(frozen=True)
class Evidence:
    """The evidence of n utterances for C words, before it is fused.

    Attributes:
        logits: modality -> [n, C].
        steps: modality -> the parts [T, C] of each utterance's logits, without their constants;
            length 0 where it lacks the modality.
    """

    logits: Mapping[str, np.ndarray]
    steps: Mapping[str, Frames]

    def weighed(self, weights: Mapping[str, np.ndarray]) -> Evidence:
        """Return the evidence with each utterance's multiplied: modality -> [n]."""
        logits, steps = dict(self.logits), dict(self.steps)
        for modality, own in weights.items():
            if modality in logits and (own != 1).any():
                frames = steps[modality]
                each = np.repeat(own, frames.lengths)[:, None]
                logits[modality] = logits[modality] * own[:, None]
                steps[modality] = Frames(frames.values * each, frames.lengths)
        return Evidence(logits, steps)


class Scorer(Protocol):
    """The protocol of a network that scores frames for a `moodal.model.model.Model`.

    Attributes:
        modalities: the modalities that it reads, in their order.
        complete: whether every utterance needs all of them.
        learned: modality -> the words that it was trained on.
    """

    @property
    def modalities(self) -> tuple[str, ...]: ...

    @property
    def complete(self) -> bool: ...

    @property
    def learned(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def synonyms(self) -> Mapping[str, str]:
        """The declared synonyms: another name of an emotion -> the artefact's name."""
        ...

    def defaults(self, labels: Sequence[str], modalities: Sequence[str]) -> list[str]:
        """Choose the labels of a corpus that are scored when no emotions are asked for."""
        ...

    def under(self, prior: str | Path | Mapping[str, float] | None) -> Scorer:
        """Return the scorer under another prior, see `moodal.model.priors`; None: as it is.

        Raises:
            UsageError: there is no such prior, or the network's own cannot be taken off.
        """
        ...

    @property
    def assumes(self) -> str:
        """The name of the prior under which the probabilities hold; "" for that of training."""
        ...

    def ask(
        self,
        emotions: Sequence[str] | None = None,
        vectors: str | None = None,
        *,
        exact: bool = False,
    ) -> Asked:
        """Look up the words of a question; None for the words that it answers by default.

        Args:
            emotions: the words; an open-set scorer takes any.
            vectors: the source of vectors of unknown words; None for the scorer's own.
            exact: the words are labels, to be taken as they are spelled.

        Raises:
            SpaceError: a word that it cannot score, or that is none.
        """
        ...

    def states(self, modality: str, frames: np.ndarray) -> np.ndarray:
        """Compute the states [T', H] of one utterance's frames [T, D].

        For a sum over steps these are the network's states; for any other system the frames.
        """
        ...

    def begin(self, modality: str) -> None:
        """Begin to load in another thread what `read` needs of a modality."""
        ...

    def read(self, modality: str, frames: np.ndarray) -> Readout:
        """Compute the states of one utterance, and what heads read from them."""
        ...

    def mappable(self, asked: Asked) -> tuple[str, ...]:
        """Return the words of a question whose probabilities add up to 1, for `mapped`.

        They do not depend on which words are asked for. None: the network has no such words, or
        not all of them were asked for.
        """
        ...

    def prepared(self, frames: Mapping[str, Frames], aligned: bool = False) -> dict[str, Frames]:
        """Reduce the frames of n utterances to the least data that gives the same scores.

        For a sum over steps that is the mean of its states, for any other system the frames
        without padding.

        Args:
            frames: modality -> n sequences.
            aligned: the modalities share their steps.
        """
        ...

    def row_encoder(self, frames: RowEncoder) -> RowEncoder:
        """Return the encoder of a row whose result equals `prepared` of its frames."""
        ...

    @property
    def languages(self) -> Mapping[str, Languages]:
        """The languages of each modality; none where they are not known."""
        ...

    def score(
        self,
        states: Mapping[str, Frames],
        asked: Asked,
        task: Task | None = None,
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> Scores:
        """Score n utterances.

        Args:
            states: modality -> the `states` of each utterance; empty where it is absent.
            asked: the question.
            task: "multi" for separate decisions on each word, if the network has them.
            weights: modality -> [n] how much its evidence counts, if the network has separate
                evidence.

        Raises:
            SpaceError: words that it cannot score.
            MissingStreamError: an utterance lacks a modality that the network requires.
        """
        ...

    def evidence(self, states: Mapping[str, Frames], asked: Asked) -> Evidence:
        """Compute the logits of n utterances for each modality, before they are fused.

        Raises:
            UsageError: the network does not fuse separate evidence.
        """
        ...

    def fused(
        self,
        evidence: Evidence,
        asked: Asked,
        task: Task | None = None,
        level: Mapping[str, np.ndarray] | None = None,
    ) -> Scores:
        """Fuse evidence, as `score` does, after its level was taken off.

        Args:
            level: modality -> [n, basics], see `levels`.
        """
        ...

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
            UsageError: the network does not fuse separate evidence of a known prior.
        """
        ...

    def require_slices(self) -> None:
        """Check that the slices of an utterance can be judged, see `smoothed`.

        Raises:
            UsageError: the network does not fuse separate evidence of a known prior.
        """
        ...

    def smoothed(
        self,
        evidence: Evidence,
        asked: Asked,
        modality: str,
        counts: np.ndarray,
        times: np.ndarray,
        level: Mapping[str, np.ndarray] | None = None,
    ) -> Evidence:
        """Smooth one modality's evidence of the slices of an utterance over time.

        Args:
            evidence: of T slices.
            modality: one whose slices overlap.
            counts, times: [T], see `moodal.model.chain.smooth`.
            level: modality -> [T, basics], with which the evidence is fused later; None: that of
                the artefact.
        """
        ...

    def thresholds_for(
        self, labels: Sequence[str], modalities: Sequence[str], task: Task
    ) -> Thresholds | None:
        """Return the thresholds of a report; None for those of the artefact."""
        ...

    def sources(self, asked: Asked, modalities: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return how each modality knows each word: "learned", "guess", "adapted" or "absent"."""
        ...

    def transcribe(
        self, states: Mapping[str, Frames], texts: Sequence[str | None]
    ) -> tuple[list[str], list[str]] | None:
        """Transcribe n utterances; None if the network has no transcription head.

        Returns:
            The references in the spelling of the network, and its transcripts.
        """
        ...

    def adaptable(self) -> Mapping[str, Branch]:
        """Return the branches that can learn a word from clips: modality -> branch.

        Raises:
            UsageError: the network cannot learn words; the message says why.
        """
        ...


class ModelParts(Protocol):
    """The parts of a `moodal.model.model.Model` that evaluation and adaptation use.

    Model offers both as methods, so their modules cannot import it.
    """

    @property
    def artefact(self) -> Artefact: ...

    @property
    def info(self) -> ArtefactInfo: ...

    @property
    def modalities(self) -> tuple[str, ...]: ...

    @property
    def encoders(self) -> Mapping[str, Encoder]: ...

    @property
    def refused(self) -> Mapping[str, str]: ...

    @property
    def scorer(self) -> Scorer: ...
