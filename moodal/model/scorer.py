"""Scorer: what turns frames into scores of emotions, whatever network does it.

`moodal.model.branches` implements it with ONNX Runtime for fused artefacts,
`moodal.train.systems.scorer` with PyTorch for every trained system; `moodal.loading` chooses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from moodal.core.emotions import Task
from moodal.core.records import Frames
from moodal.evaluation.report.thresholds import Thresholds
from moodal.modalities.encoder import Encoder
from moodal.model.rows import RowEncoder
from moodal.model.vocabulary import Asked


@dataclass(frozen=True)
class Scores:
    """The scores of n utterances for C words.

    Attributes:
        logits: [n, C]; of values the numbers that the network gave.
        probabilities: [n, C], 0 to 1; of values their numbers, brought into their ranges.
        decided: [n, C] bool: the words that are decided; none where the model abstains.
        thresholds: [n, C] the probability from which on a word is decided.
        shares: modality -> [n, C]; with ``bias`` they add up to the logits. Empty where the
            network is no sum over modalities.
        bias: [n, C], the part of the logits that no modality brought.
        steps: modality -> [sum of T, C], the parts of the shares step by step, end to end.
        sets: n names of the sets of modalities that were there.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    decided: np.ndarray
    thresholds: np.ndarray
    shares: Mapping[str, np.ndarray] = field(default_factory=dict)
    bias: np.ndarray | None = None
    steps: Mapping[str, np.ndarray] = field(default_factory=dict)
    sets: tuple[str, ...] = ()


class Scorer(Protocol):
    """The protocol of what a `moodal.model.model.Model` asks for scores.

    Attributes:
        modalities: that it reads, in their order.
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
        """Other names of emotions that the artefact declares -> its own."""
        ...

    def defaults(self, labels: Sequence[str], modalities: Sequence[str]) -> list[str]:
        """Choose of a corpus's labels those that are scored where none are asked for."""
        ...

    def ask(
        self,
        emotions: Sequence[str] | None = None,
        vectors: str | None = None,
        *,
        exact: bool = False,
    ) -> Asked:
        """Make a question of emotion words; None: those that it answers by default.

        Args:
            emotions: any words, if it can score any.
            vectors: source of the vectors of words that it does not carry; None: its own.
            exact: the words are labels, to be taken as they are spelled.

        Raises:
            SpaceError: a word that it cannot score, or that is none.
        """
        ...

    def states(self, modality: str, frames: np.ndarray) -> np.ndarray:
        """Compute what is worth keeping of one utterance's frames [T, D]: states [T', H].

        For a sum over steps these are the network's states; for any other system the frames.
        """
        ...

    def prepared(self, frames: Mapping[str, Frames], aligned: bool = False) -> dict[str, Frames]:
        """Compute of n utterances' frames as little as gives the same scores.

        For a sum over steps that is the mean of its states, for any other system the frames
        without padding.

        Args:
            frames: modality -> n sequences.
            aligned: the modalities share their steps.
        """
        ...

    def row_encoder(self, frames: RowEncoder) -> Encoder:
        """Return the encoder that gives of a row what `prepared` gives of its frames."""
        ...

    def score(self, states: Mapping[str, Frames], asked: Asked, task: Task | None = None) -> Scores:
        """Score n utterances.

        Args:
            states: modality -> of each utterance what `states` gave; empty where it is absent.
            asked: the question.
            task: "multi" wants each word decided by itself, where the network can.

        Raises:
            SpaceError: words that it cannot score.
            MissingStreamError: an utterance lacks a modality that it cannot do without.
        """
        ...

    def thresholds_for(
        self, labels: Sequence[str], modalities: Sequence[str], task: Task
    ) -> Thresholds | None:
        """Return the thresholds of a report; None: those that the artefact names."""
        ...

    def sources(self, asked: Asked, modalities: Sequence[str]) -> dict[str, dict[str, str]]:
        """Say of each word how each modality knows it: "learned", "guess", "adapted", "absent"."""
        ...

    def transcribe(
        self, states: Mapping[str, Frames], texts: Sequence[str | None]
    ) -> tuple[list[str], list[str]] | None:
        """Write down what was said in n utterances; None where it cannot.

        Returns:
            What was said, spelled as it spells, and what it read.
        """
        ...
