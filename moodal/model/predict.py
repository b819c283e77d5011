"""PredictingModel: an artefact that answers for recordings, whatever was trained into it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.records import Frames, ordered
from moodal.core.timeline import Prediction, Timeline
from moodal.media.recording import Recording, Source, opened
from moodal.modalities import MODALITIES
from moodal.modalities.encoder import Encoder
from moodal.modalities.modality import Modality, Settings
from moodal.model.answer import UNASKED, Answering, recording_name
from moodal.model.artefact import Artefact
from moodal.model.info import ArtefactInfo
from moodal.model.observe import Observation, Summary, observe, observe_text
from moodal.model.options import PredictOptions, gathered
from moodal.model.scorer import Scorer, Scores
from moodal.model.vocabulary import Asked


@dataclass(frozen=True)
class PredictingModel:
    """An artefact that was read and verified, the encoders that it reads with, and its scorer.

    Attributes:
        artefact: the folder and its content.
        encoders: modality -> what turns its media into frames; a modality without one can be
            scored from prepared features alone.
        scorer: what scores the frames.
        refused: modality -> why its encoder cannot be made here.
        threads: of each network.
    """

    artefact: Artefact
    encoders: Mapping[str, Encoder]
    scorer: Scorer
    refused: Mapping[str, str]
    threads: int = 1

    def __repr__(self) -> str:
        names = ", ".join(self.info.labels)
        return f"{type(self).__name__}({self.info.name!r}, {'+'.join(self.modalities)}: {names})"

    @property
    def info(self) -> ArtefactInfo:
        """The description of the artefact."""
        return self.artefact.info

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that it reads."""
        return self.scorer.modalities

    def ask(self, emotions: Sequence[str] | None = None, vectors: str | None = None) -> Asked:
        """Make a question of emotion words; None: its own.

        Raises:
            SpaceError: a word that it cannot score, or that is none.
        """
        return self.scorer.ask(emotions, vectors)

    def check(self, options: PredictOptions) -> None:
        """Refuse options that no recording could be predicted with.

        Raises:
            UsageError, SpaceError, DataError: see `predict`.
        """
        self.ask(options.words, options.vectors)
        self._require_modalities(options.chosen(self.modalities, self.info.name))

    def scores(self, frames: Mapping[str, Frames], emotions: Sequence[str] | None = None) -> Scores:
        """Score utterances by their frames, as the encoders of `encoders` give them.

        Args:
            frames: modality -> n sequences; empty where an utterance lacks it.
            emotions: the words; default: its own.

        Raises:
            SpaceError: a word that it cannot score.
            MissingStreamError: an utterance lacks what the model cannot do without.
        """
        return self.scorer.score(self.scorer.prepared(frames), self.ask(emotions))

    def predict(
        self,
        source: Source = None,
        *,
        rate: int | None = None,
        name: str | None = None,
        options: PredictOptions | None = None,
        **more: Any,
    ) -> Timeline:
        """Predict the emotions of one recording, over time.

        Args:
            source: a path to an audio, video, image, text or subtitle file; the bytes of one; a
                binary file object or pipe; samples [n] or [n, channels] with their ``rate``, or
                an iterable of such arrays; None: ``text`` alone.
            rate: samples per second of arrays.
            name: by which the recording goes in the answer; default: its path.
            options, more: see `moodal.model.options.PredictOptions`; its fields by name.

        Raises:
            DataError: the recording cannot be read at all, or the model has no encoder for what
                is in it. Silence, a missing face and the like are no errors: ``absent`` and
                ``flags`` say so.
            UsageError: arguments that do not go together.
            SpaceError: an emotion that is no word, or that the model cannot score.
        """
        options = gathered(PredictOptions, options, more)
        asked = self.ask(options.words, options.vectors)
        predictions: list[Prediction] = []
        answers = self._answers(source, rate, name, options, asked)
        for answer in answers:
            if isinstance(answer, Prediction):
                predictions.append(answer)
        recording, summary = answer  # type: ignore[misc]
        return self._timeline(recording, summary, predictions, options, asked)

    def stream(
        self,
        source: Source,
        *,
        rate: int | None = None,
        options: PredictOptions | None = None,
        **more: Any,
    ) -> Iterator[Prediction]:
        """Yield the predictions of a recording, each as soon as its utterance has ended.

        Arguments and errors are those of `predict`; a recording may be an iterable of arrays
        that are still being recorded.
        """
        options = gathered(PredictOptions, options, more)
        asked = self.ask(options.words, options.vectors)
        for answer in self._answers(source, rate, None, options, asked):
            if isinstance(answer, Prediction):
                yield answer

    def predict_many(
        self, sources: Sequence[Path | str], **options: Any
    ) -> Iterator[Timeline | DataError]:
        """Yield the timelines of many files, one after the other.

        A file that cannot be read gives its error in its place, and does not stop the rest.
        """
        for source in sources:
            try:
                yield self.predict(source, **options)
            except (DataError, MissingDependencyError) as error:
                yield error if isinstance(error, DataError) else DataError(f"{source}: {error}")

    def _answers(
        self,
        source: Source,
        rate: int | None,
        name: str | None,
        options: PredictOptions,
        asked: Asked,
    ) -> Iterator[Prediction | tuple[Recording, Summary]]:
        """Yield the predictions, and last of all the recording and what concerns all of it."""
        chosen = options.chosen(self.modalities, self.info.name)
        self._require_modalities(chosen)
        modalities = {m: _fresh(m, options) for m in chosen}
        transcribe = None if options.asr is False else partial(_transcribe, self.threads)
        if source is None:
            if options.text is None:
                raise UsageError("There is nothing to predict: give a file, samples, or a text.")
            recording = Recording(name or "", "text")
            observations = observe_text(options.text, modalities, options)
            yield from self._answered(recording, observations, options, asked)
            return
        with opened(source, rate, name) as recording:
            observations = observe(recording, modalities, options, transcribe)
            yield from self._answered(recording, observations, options, asked)

    def _answered(
        self,
        recording: Recording,
        observations: Iterator[Observation | Summary],
        options: PredictOptions,
        asked: Asked,
    ) -> Iterator[Prediction | tuple[Recording, Summary]]:
        name, unasked = recording_name(recording.name), self._unasked(options)
        answering = Answering(self.scorer, self.encoders, asked, name, unasked)
        for observation in observations:
            if isinstance(observation, Summary):
                notes = (*observation.notes, *answering.notes)
                yield recording, dataclasses.replace(observation, notes=notes)
            else:
                yield from answering.answer(observation)

    def _unasked(self, options: PredictOptions) -> tuple[str, ...]:
        """The modalities that the model reads and the options leave out."""
        chosen = options.chosen(self.modalities, self.info.name)
        return tuple(m for m in self.modalities if m not in chosen)

    def _timeline(
        self,
        recording: Recording,
        summary: Summary,
        predictions: Sequence[Prediction],
        options: PredictOptions,
        asked: Asked,
    ) -> Timeline:
        used = {m for p in predictions for m in p.streams}
        absent = {m: why for m, why in summary.absent.items() if m not in used}
        absent |= dict.fromkeys(self._unasked(options), UNASKED)
        return Timeline(
            path=recording.name,
            predictions=tuple(predictions),
            emotions=() if asked.values else tuple(asked.shown),
            values=asked.values,
            duration=summary.duration,
            kind=recording.kind,
            absent={m: absent[m] for m in ordered(absent)},
            notes=(*asked.notes, *summary.notes),
            artefact={
                "name": self.info.name,
                "digest": self.info.digest,
                "moodal": self.info.moodal,
            },
            waveform=summary.waveform,
            thumbnails=summary.thumbnails,
            modalities=tuple(self.info.modality(m) for m in self.modalities),
        )

    def _require_modalities(self, modalities: Sequence[str]) -> None:
        """Refuse modalities without which the model cannot answer, or whose encoder lacks."""
        if self.scorer.complete and set(modalities) != set(self.modalities):
            needed = " and ".join(self.modalities)
            raise UsageError(f"{self.info.name} needs {needed} together; leave --streams out.")
        for modality in modalities:
            if modality not in self.encoders:
                raise DataError(f"{self.artefact.folder}: {self.refused[modality]}")


def _fresh(name: str, options: PredictOptions) -> Modality:
    """Make the object of a modality for one recording."""
    return MODALITIES[name](Settings(options.fps, every=options.faces == "all"))


def _transcribe(threads: int, samples: np.ndarray, start: float) -> Any:
    from moodal.modalities.speech.transcribe import words

    return words(samples, offset=start, threads=threads)
