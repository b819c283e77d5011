"""Model: an artefact that is ready to predict, whatever system it holds.

import moodal
timeline = moodal.load().predict("interview.mp4")
for utterance in timeline:
    print(utterance.start, utterance.top, utterance.probabilities)
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, ordered
from moodal.core.timeline import Prediction, Timeline
from moodal.media.recording import Recording, Source, opened
from moodal.modalities import MODALITIES
from moodal.modalities.encoder import Encoder
from moodal.modalities.modality import Modality, Settings
from moodal.model.answer import UNASKED, Answering, Pending, recording_name
from moodal.model.artefact import Artefact
from moodal.model.fusion_info import LevelInfo
from moodal.model.info import ArtefactInfo
from moodal.model.level import STRENGTH
from moodal.model.levelled import Weighed, level_all, level_note
from moodal.model.observe import Observation, Summary, observe, observe_text
from moodal.model.options import EvaluateOptions, PredictOptions, gathered
from moodal.model.scorer import Scorer, Scores
from moodal.model.vocabulary import Asked

MADE_UP_MODEL = "The model was trained on made-up data: its answers say nothing about people."
"""The note of a prediction by such a model."""


@dataclass(frozen=True)
class Model:
    """A verified artefact that predicts recordings, is evaluated on corpora and learns words.

    Attributes:
        artefact: the folder and its content.
        encoders: modality -> the encoder of its media; a modality without one can be scored from
            prepared features alone.
        scorer: the scorer of the frames.
        refused: modality -> why its encoder cannot be built here.
    """

    artefact: Artefact
    encoders: Mapping[str, Encoder]
    scorer: Scorer
    refused: Mapping[str, str]

    def __repr__(self) -> str:
        names = ", ".join(self.info.labels)
        return f"Model({self.info.name!r}, {'+'.join(self.modalities)}: {names})"

    @property
    def info(self) -> ArtefactInfo:
        """The description of the artefact."""
        return self.artefact.info

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that it reads."""
        return self.scorer.modalities

    def ask(self, emotions: Sequence[str] | None = None, vectors: str | None = None) -> Asked:
        """Look up the emotion words of a question; None for the model's own.

        Raises:
            SpaceError: a word is invalid, or the model cannot score it.
        """
        return self.scorer.ask(emotions, vectors)

    def under(self, prior: str | Path | Mapping[str, float] | None) -> Model:
        """Return the model under another prior, see `moodal.model.priors.prior_of`.

        Raises:
            UsageError: there is no such prior, or the model's own cannot be taken off.
        """
        return dataclasses.replace(self, scorer=self.scorer.under(prior))

    def check(self, options: PredictOptions) -> None:
        """Check options that would fail for every recording.

        Raises:
            UsageError, SpaceError, DataError: see `predict`.
        """
        self.scorer.under(options.prior)
        self.ask(options.words, options.vectors)
        self._require_modalities(options.chosen(self.modalities, self.info.name))
        if options.step is not None:
            self.scorer.require_slices()

    def scores(self, frames: Mapping[str, Frames], emotions: Sequence[str] | None = None) -> Scores:
        """Score utterances by the frames of the model's `encoders`.

        Args:
            frames: modality -> n sequences; empty where an utterance lacks it.
            emotions: the words; by default the model's own.

        Raises:
            SpaceError: the model cannot score a word.
            MissingStreamError: an utterance lacks a modality that the model requires.
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
            name: the name of the recording in the timeline; by default its path.
            options, more: see `moodal.model.options.PredictOptions`; its fields by name.

        Raises:
            DataError: the recording cannot be read at all, or the model has no encoder for its
                content. Silence, a missing face and the like are no errors: ``absent`` and
                ``flags`` report them.
            UsageError: arguments contradict each other.
            SpaceError: an emotion word is invalid, or the model cannot score it.
        """
        options = gathered(PredictOptions, options, more)
        if options.prior is not None:
            return self.under(options.prior).predict(
                source, rate=rate, name=name, options=dataclasses.replace(options, prior=None)
            )
        if options.level:
            weighed = self.weigh(source, rate=rate, name=name, options=options)
            return self.levelled([weighed], options.level_strength)[0]
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
        if options.prior is not None:
            later = dataclasses.replace(options, prior=None)
            yield from self.under(options.prior).stream(source, rate=rate, options=later)
            return
        if options.level:
            raise UsageError(
                "A level is known at the end of a recording; leave it out of a stream."
            )
        asked = self.ask(options.words, options.vectors)
        for answer in self._answers(source, rate, None, options, asked):
            if isinstance(answer, Prediction):
                yield answer

    def weigh(
        self,
        source: Source = None,
        *,
        rate: int | None = None,
        name: str | None = None,
        options: PredictOptions,
    ) -> Weighed:
        """Observe a recording and compute its evidence, which `levelled` turns into emotions.

        Arguments and errors are those of `predict`.
        """
        if options.prior is not None:
            later = dataclasses.replace(options, prior=None)
            return self.under(options.prior).weigh(source, rate=rate, name=name, options=later)
        asked = self.ask(options.words, options.vectors)
        pending: list[Pending] = []
        for answer in self._answers(source, rate, name, options, asked, weigh=True):
            if isinstance(answer, Pending):
                pending.append(answer)
        recording, summary = answer  # type: ignore[misc]
        timeline = self._timeline(recording, summary, (), options, asked)
        used = {m for one in pending for m in one.about.streams}
        absent = {m: why for m, why in timeline.absent.items() if m not in used}
        return Weighed(dataclasses.replace(timeline, absent=absent), tuple(pending), asked)

    def levelled(self, recordings: Sequence[Weighed], strength: float = STRENGTH) -> list[Timeline]:
        """Predict recordings of one channel, each levelled by the others, see `moodal.model.level`.

        A single recording is levelled by its other utterances.

        Raises:
            UsageError: the model has no separate evidence of each modality.
        """
        return [
            dataclasses.replace(
                one.timeline,
                predictions=predictions,
                notes=(*one.timeline.notes, note),
            )
            for one, predictions, note in level_all(
                self.scorer, self.encoders, recordings, strength, self._stored_level
            )
        ]

    @property
    def _stored_level(self) -> LevelInfo | None:
        """The level that the artefact was adapted to."""
        return self.info.body.level if self.info.body.kind == "fused" else None

    def predict_many(
        self, sources: Sequence[Path | str], **options: Any
    ) -> Iterator[Timeline | DataError]:
        """Yield the timelines of many files, one after the other.

        For a file that cannot be read, its error is yielded, and the rest is predicted.
        """
        for source in sources:
            try:
                yield self.predict(source, **options)
            except (DataError, MissingDependencyError) as error:
                yield error if isinstance(error, DataError) else DataError(f"{source}: {error}")

    def evaluate(
        self,
        corpus: Manifest | Path | str,
        out: Path | str,
        *,
        root: Path | str | None = None,
        options: EvaluateOptions | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Test the model on a corpus and write a report, see `moodal.model.evaluate.evaluate`.

        Args:
            corpus: a manifest, or what `moodal.model.evaluate.rows_of` reads: a prepared folder,
                a table of raw media, or the name of a corpus with its ``root``.
            out: folder for report.json, report.md, predictions and figures.
            root: the folder that paths start from, or in which the named corpus lies.
            options, more: see `moodal.model.options.EvaluateOptions`.
        """
        # corpora and reports take longer to import than a prediction takes
        from moodal.model.evaluate import evaluate, rows_of

        manifest = corpus if isinstance(corpus, Manifest) else rows_of(corpus, root)
        return evaluate(self, manifest, out, options, **more)

    def adapt(
        self,
        word: str,
        clips: Sequence[Path | str],
        out: Path | str,
        *,
        negatives: Sequence[Path | str] = (),
        replace: bool = False,
    ) -> Path:
        """Write a new artefact that knows a word from a few clips, see `moodal.model.adapt`.

        Raises:
            UsageError: the model is a trained system, whose emotions are those of its training.
        """
        from moodal.model.adapt import adapt

        return adapt(self, word, clips, out, negatives=negatives, replace=replace)

    def adapt_level(
        self,
        recordings: Sequence[Path | str],
        out: Path | str,
        *,
        strength: float = STRENGTH,
        source: str = "",
        left_out: list[str] | None = None,
    ) -> Path:
        """Write a new artefact levelled to a channel, see `moodal.model.adapt_level.adapt_level`.

        Raises:
            UsageError: the model has no separate evidence of each modality.
            DataError: the recordings have too few utterances.
        """
        from moodal.model.adapt_level import adapt_level

        return adapt_level(
            self, recordings, out, strength=strength, source=source, left_out=left_out
        )

    def _answers(
        self,
        source: Source,
        rate: int | None,
        name: str | None,
        options: PredictOptions,
        asked: Asked,
        weigh: bool = False,
    ) -> Iterator[Prediction | Pending | tuple[Recording, Summary]]:
        """Yield the predictions, or their evidence, and finally the recording with its summary."""
        chosen = options.chosen(self.modalities, self.info.name)
        self._require_modalities(chosen)
        if options.step is not None:
            self.scorer.require_slices()
        modalities = {m: _fresh(m, options) for m in chosen}
        transcribe = None if options.asr is False else partial(_transcribe, options)
        if source is None:
            if options.text is None:
                raise UsageError("There is nothing to predict: give a file, samples, or a text.")
            recording = Recording(name or "", "text")
            observations = observe_text(options.text, modalities, options)
            yield from self._answered(recording, observations, options, asked, weigh)
            return
        with opened(source, rate, name, options.track) as recording:
            observations = observe(recording, modalities, options, transcribe)
            yield from self._answered(recording, observations, options, asked, weigh)

    def _answered(
        self,
        recording: Recording,
        observations: Iterator[Observation | Summary],
        options: PredictOptions,
        asked: Asked,
        weigh: bool,
    ) -> Iterator[Prediction | Pending | tuple[Recording, Summary]]:
        name, unasked = recording_name(recording.name), self._unasked(options)
        answering = Answering(
            self.scorer, self.encoders, asked, name, unasked, options.step, options.language
        )
        for observation in observations:
            if isinstance(observation, Summary):
                notes = (*observation.notes, *answering.notes)
                yield recording, dataclasses.replace(observation, notes=notes)
            elif weigh:
                yield from answering.weigh(observation)
            else:
                yield from answering.answer(observation)

    def _unasked(self, options: PredictOptions) -> tuple[str, ...]:
        """Return the modalities of the model that the options leave out."""
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
        level = None if options.level else self._stored_level
        own_notes = [
            *([level_note(level, self.scorer.assumes)] if level else []),
            *([MADE_UP_MODEL] * self.info.made_up),
        ]
        absent = {m: why for m, why in summary.absent.items() if m not in used}
        absent |= dict.fromkeys(self._unasked(options), UNASKED)
        return Timeline(
            path=recording.name,
            predictions=tuple(predictions),
            emotions=() if asked.values else tuple(asked.shown),
            values=asked.values,
            prior=self.scorer.assumes,
            step=options.step,
            duration=summary.duration,
            kind=recording.kind,
            absent={m: absent[m] for m in ordered(absent)},
            notes=(*asked.notes, *summary.notes, *own_notes),
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
        """Check that the chosen modalities are enough for the model, and have encoders."""
        if self.scorer.complete and set(modalities) != set(self.modalities):
            needed = " and ".join(self.modalities)
            raise UsageError(f"{self.info.name} needs {needed} together; leave --streams out.")
        for modality in modalities:
            if modality not in self.encoders:
                raise DataError(f"{self.artefact.folder}: {self.refused[modality]}")


def _fresh(name: str, options: PredictOptions) -> Modality:
    """Create a modality's observer for one recording."""
    every = options.faces == "all"
    return MODALITIES[name](Settings(options.fps, every=every, language=options.language or ""))


def _transcribe(options: PredictOptions, samples: np.ndarray, start: float) -> Any:
    from moodal.modalities.speech.transcribe import transcript

    return transcript(
        samples,
        offset=start,
        threads=min(4, os.cpu_count() or 1),
        model=options.asr_model,
        language=options.language or "",
    )
