"""SystemScorer: the scores of a trained system, with PyTorch, for a `moodal.model.model.Model`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from moodal.core.emotions import EmotionSpace, Targets, Task, Values
from moodal.core.errors import SpaceError, UsageError
from moodal.core.records import Frames, ordered
from moodal.core.targets import JointTargets
from moodal.evaluation.report.scores import sigmoid, softmax
from moodal.modalities.encoder import Item
from moodal.modalities.text.emotion_vectors import word_vectors
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch
from moodal.model.languages import Languages
from moodal.model.level import STRENGTH
from moodal.model.rows import RowEncoder
from moodal.model.scorer import Evidence, Readout, Scores
from moodal.model.vocabulary import Asked, clean
from moodal.train.data.characters import clean as spelled
from moodal.train.data.dataset import Scale, TensorData, trimmed
from moodal.train.engine.scoring import score, transcribe
from moodal.train.export.artefact import load
from moodal.train.systems.system import System

SOURCES = ("e5", "minilm", "glove-50")
"""Sources of word vectors that packages carry."""


@dataclass(frozen=True)
class TrimmedRow(RowEncoder):
    """The encoder of a row without the all-zero steps at its ends."""

    name: ClassVar[str] = "trimmed"

    @property
    def reduction(self) -> str:
        """The end of the fingerprint."""
        return "-trimmed"

    def encode(self, item: Item) -> np.ndarray:
        """Encode an item into frames [T, D].

        Raises:
            DataError: the clip cannot be read.
        """
        frames = super().encode(item)
        return np.asarray(trimmed({"": Frames.from_list([frames])})[""].values)


@dataclass(frozen=True)
class SystemScorer:
    """Scores emotions by a system that `moodal train` made or `moodal import` read.

    Attributes:
        artefact: which was read and verified.
        system: with its weights.
        scales: modality -> what its features were standardised by.
    """

    artefact: Artefact
    system: System
    scales: Mapping[str, Scale]

    @classmethod
    def of(cls, artefact: Artefact, threads: int = 1) -> SystemScorer:
        """Build the system of an artefact.

        Raises:
            DataError: its weights are not those of its system.
        """
        del threads  # PyTorch's are the process's
        system, _, scales = load(artefact.folder)
        return cls(artefact, system, scales)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that the system was built for."""
        return ordered(self.artefact.info.widths)

    @property
    def complete(self) -> bool:
        """Return whether every utterance needs all modalities, as systems that are no sums do."""
        return not self.system.open_set

    @property
    def learned(self) -> dict[str, tuple[str, ...]]:
        """Modality -> the emotions that training showed."""
        return dict.fromkeys(self.modalities, self.artefact.info.trained)

    @property
    def synonyms(self) -> dict[str, str]:
        """A trained system declares no other names."""
        return {}

    def defaults(self, labels: Sequence[str], modalities: Sequence[str]) -> list[str]:
        """Choose all labels of a corpus: one that it cannot score is an error."""
        return list(labels)

    def evidence(self, states: Mapping[str, Frames], asked: Asked) -> Evidence:
        """Refuse: a system has no separate evidence."""
        raise UsageError(
            f"{self.artefact.info.name} has no separate evidence of each modality, which could be "
            "levelled; leave the level out."
        )

    def fused(
        self,
        evidence: Evidence,
        asked: Asked,
        task: Task | None = None,
        level: Mapping[str, np.ndarray] | None = None,
    ) -> Scores:
        """Refuse, as `evidence` does."""
        raise NotImplementedError(f"{type(self).__name__} gives no evidence.")

    def levels(
        self,
        evidence: Evidence,
        asked: Asked,
        recordings: Sequence[Hashable],
        channels: Sequence[Hashable] = (),
        strength: float = STRENGTH,
    ) -> dict[str, np.ndarray]:
        """Refuse, as `evidence` does."""
        raise NotImplementedError(f"{type(self).__name__} gives no evidence.")

    def require_slices(self) -> None:
        """Refuse: a system has no separate evidence, which could be smoothed over time.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self.artefact.info.name} has no separate evidence of each modality, which slices of "
            "time need; leave the step out."
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
        """Refuse, as `require_slices` does."""
        raise NotImplementedError(f"{type(self).__name__} gives no evidence.")

    @property
    def assumes(self) -> str:
        """The name of the prior: "", for that of training."""
        return ""

    def under(self, prior: str | Path | Mapping[str, float] | None) -> SystemScorer:
        """Return itself where no prior is named.

        Raises:
            UsageError: a prior is named; a system's logits hold that of its training.
        """
        if prior is not None:
            raise UsageError(
                f"{self.artefact.info.name} answers under the prior of its training, which is part "
                "of its weights; leave the prior out."
            )
        return self

    def ask(
        self,
        emotions: Sequence[str] | None = None,
        vectors: str | None = None,
        *,
        exact: bool = False,
    ) -> Asked:
        """Make a question of its emotions or values; of both, it is asked for the emotions.

        An open-set system takes other emotions, too, with their vectors.

        Raises:
            SpaceError: an emotion or value that it cannot score, or emotions and values at once.
        """
        space = self._part(emotions)
        names = list(emotions) if emotions is not None else list(space.labels)
        if not exact:
            names = [name if name in space.labels else clean(name) for name in names]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SpaceError(f"An emotion is asked for twice: {', '.join(twice)}.")
        new = [name for name in names if name not in space.labels]
        if new:
            space = self._with(space, new, vectors)
        chosen = space.select(names)
        values = chosen.values if isinstance(chosen, Values) else ()
        return Asked(tuple(names), chosen.vectors, {name: name for name in names}, values=values)

    def _part(self, asked: Sequence[str] | None) -> Targets:
        """Return the trained targets; of emotions with values, the part that is asked for."""
        space = self.artefact.space
        if not isinstance(space, JointTargets):
            return space
        names = set(asked or ())
        if not names & set(space.values.labels):
            return space.words
        if other := sorted(names - set(space.values.labels)):
            raise SpaceError(
                f"{self.artefact.folder} answers with emotions or with values; ask for "
                f"{', '.join(other)} and {', '.join(space.values.labels)} separately."
            )
        return space.values

    def _with(self, trained: Targets, new: Sequence[str], vectors: str | None) -> EmotionSpace:
        """Add emotions to the trained space that it never had, looked up as its own were.

        Raises:
            SpaceError: the system is closed or has values, or no source of vectors fits.
        """
        info = self.artefact.info
        if isinstance(trained, Values):
            raise SpaceError(
                f"{self.artefact.folder} answers with the values {', '.join(trained.labels)}, not "
                f"with {', '.join(new)}; ask for some of these, or leave --emotions out."
            )
        if trained.vectors is None:
            raise SpaceError(
                f"{self.artefact.folder} scores {', '.join(trained.labels)} only, not "
                f"{', '.join(new)}. Use --emotions and --map to match them."
            )
        imported = info.imported
        names = [vectors] if vectors else SOURCES
        fitting = (s for s in map(word_vectors, names) if s.source == trained.source or imported)
        source = next(fitting, None) if vectors or not imported else None
        if source is None and vectors:
            raise SpaceError(
                f"{self.artefact.folder} knows its emotions by vectors of {trained.source!r}; "
                f"those of {vectors!r} mean something else to it. Use the same source."
            )
        if source is None:
            raise SpaceError(
                f"{self.artefact.folder} was not trained on {', '.join(new)}. Name its word "
                "vectors with --vectors to score them unseen (it was trained with "
                f"{trained.source!r}), match them with --map, or leave them out with --emotions."
            )
        synonyms = {x: list(w) for x, w in info.words.synonyms.items() if x in new}
        more = source.space(
            new, trained.task, synonyms=synonyms, capitalised=info.words.capitalised
        ).of_length(info.words.length)
        assert more.vectors is not None
        for label, vector in zip(new, more.vectors, strict=True):
            trained = trained.add(label, vector)
        return trained

    def states(self, modality: str, frames: np.ndarray) -> np.ndarray:
        """Return the frames without padding: what they tell depends on the other modalities."""
        return np.asarray(self.prepared({modality: Frames.from_list([frames])})[modality].values)

    def begin(self, modality: str) -> None:
        """Do nothing: a system is loaded as a whole."""

    def read(self, modality: str, frames: np.ndarray) -> Readout:
        """Return the frames without padding; a system has no heads."""
        return Readout(self.states(modality, frames))

    def mappable(self, asked: Asked) -> tuple[str, ...]:
        """Return the labels, if the system chooses one of them and all were asked for."""
        labels = self._part(None).labels
        whole = self.artefact.info.task == "single" and set(asked.words) == set(labels)
        return labels if whole else ()

    def prepared(self, frames: Mapping[str, Frames], aligned: bool = False) -> dict[str, Frames]:
        """Return the frames, without padding if the training cut it off."""
        if not self.artefact.info.data.trim_padding:
            return dict(frames)
        return trimmed(frames, aligned)

    def row_encoder(self, frames: RowEncoder) -> RowEncoder:
        """Return the encoder of a row's frames without padding."""
        if not self.artefact.info.data.trim_padding:
            return frames
        return TrimmedRow(frames.modality, frames.reader, frames.heard)

    @property
    def languages(self) -> dict[str, Languages]:
        """A trained system does not state its languages."""
        return {}

    def score(
        self,
        states: Mapping[str, Frames],
        asked: Asked,
        task: Task | None = None,
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> Scores:
        """Score n utterances, batched by length; there is no separate evidence to be weighed.

        Raises:
            SpaceError: words that it cannot score.
            MissingStreamError: an utterance lacks a modality that the system needs.
        """
        info = self.artefact.info
        data, rows = self._data(states), np.arange(len(next(iter(states.values()))))
        trained = self.artefact.space
        closed = asked.vectors is None or not self.system.open_set
        space = trained
        if not closed and asked.values:
            space = Values(asked.values, asked.vectors, trained.source)
        elif not closed and isinstance(trained, EmotionSpace):
            space = EmotionSpace(asked.words, trained.task, asked.vectors, trained.source)
        sizes = info.data.scoring.model_dump() if info.data.scoring else {}
        logits = score(self.system, space, data, rows, **sizes)
        shares = self._shares(data, space) if len(rows) == 1 else {}
        if closed:
            logits = logits[:, [trained.index(word) for word in asked.words]]
        own_task: Task = "regression" if asked.values else trained.task
        probabilities = _activated(logits, asked, own_task)
        thresholds = self._thresholds(asked)
        return Scores(
            logits,
            probabilities,
            _decided(probabilities, thresholds, own_task),
            np.broadcast_to(thresholds, logits.shape),
            shares,
            sets=_sets(states),
        )

    def _data(self, states: Mapping[str, Frames]) -> TensorData:
        data = self.artefact.info.data
        scales = {m: s for m, s in self.scales.items() if m in states}
        return TensorData.of_frames(states, scales, trim=False, max_steps=data.max_steps)

    def _shares(self, data: TensorData, space: Targets) -> dict[str, np.ndarray]:
        """Compute the shares [1, C] of one utterance's logits, where the system is a sum."""
        self.system.eval()
        with torch.no_grad():
            batch = data.batch(torch.tensor([0]), views=False)
            shares = self.system.contributions(batch.streams, space)
        return {m: share.float().cpu().numpy() for m, share in shares.items()}

    def _thresholds(self, asked: Asked) -> np.ndarray:
        """Return the probability [C] from which each word is decided; 0 where one always is."""
        info = self.artefact.info
        if info.task != "multi" or asked.values:
            return np.zeros(len(asked.words))
        own = dict(zip(info.labels, info.thresholds.values, strict=True))
        return np.array([own.get(word, 0.5) for word in asked.words])

    def thresholds_for(self, labels: Sequence[str], modalities: Sequence[str], task: Task) -> None:
        """Leave the thresholds of a report to the artefact."""
        return None

    def sources(self, asked: Asked, modalities: Sequence[str]) -> dict[str, dict[str, str]]:
        """Say what was learned in training; other words are guessed by their vectors."""
        trained = self.artefact.info.trained
        return {
            word: dict.fromkeys(modalities, "learned" if word in trained else "guess")
            for word in asked.words
        }

    def transcribe(
        self, states: Mapping[str, Frames], texts: Sequence[str | None]
    ) -> tuple[list[str], list[str]] | None:
        """Write down what was said in n utterances; None where the system has no CTC head."""
        if not self.system.transcribes:
            return None
        info, data = self.artefact.info, self._data(states)
        sizes = info.data.scoring.model_dump() if info.data.scoring else {}
        hypotheses = transcribe(self.system, data, np.arange(len(texts)), **sizes)
        return [spelled(text or "") for text in texts], hypotheses

    def adaptable(self) -> Mapping[str, Branch]:
        """Refuse to adapt: a system's emotions are those of its training.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self.artefact.folder} holds the system {self.artefact.info.name}, whose emotions "
            "are those of its training; moodal adapt takes fused artefacts. Train it with the word "
            "instead."
        )


def _activated(logits: np.ndarray, asked: Asked, task: Task) -> np.ndarray:
    """Turn logits [n, C] into probabilities, or into values within their ranges."""
    if asked.values:
        return Values(asked.values).clip(logits)
    return softmax(logits) if task == "single" else sigmoid(logits)


def _decided(probabilities: np.ndarray, thresholds: np.ndarray, task: Task) -> np.ndarray:
    if task == "regression":
        return np.zeros(probabilities.shape, bool)
    if task == "multi":
        return np.asarray(probabilities >= thresholds)
    return np.eye(probabilities.shape[1], dtype=bool)[probabilities.argmax(1)]


def _sets(states: Mapping[str, Frames]) -> tuple[str, ...]:
    names = ordered(states)
    present = np.array([states[m].lengths > 0 for m in names]).T
    return tuple(
        "+".join(m for m, there in zip(names, row, strict=True) if there) for row in present
    )
