"""Question: what is asked of one recording, and how a model answers it.

It holds what `Model.predict`, `Model.stream` and a live session have in common: which modalities
observe, who transcribes, how utterances are answered and what the timeline says.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from moodal.core.errors import DataError, UsageError
from moodal.core.records import ordered
from moodal.core.timeline import Prediction, Timeline
from moodal.media.recording import Recording, Source
from moodal.modalities.encoder import Encoder
from moodal.model.adapted_notes import adapted_notes
from moodal.model.answer import UNASKED, Answering, Keep
from moodal.model.artefact import Artefact
from moodal.model.channels import Observing, Opened, observers, require_faces
from moodal.model.fusion_info import LevelInfo
from moodal.model.info import ArtefactInfo
from moodal.model.observation import Summary
from moodal.model.observe import observe_text
from moodal.model.options import PredictOptions
from moodal.model.pending import Pending
from moodal.model.scorer import Scorer
from moodal.model.speakers import Speakers
from moodal.model.transcription import Transcriber
from moodal.model.vocabulary import Asked

MADE_UP_MODEL = "The model was trained on made-up data: its answers say nothing about people."
"""The note of a prediction by such a model."""

DERIVED = "Action units are derived from blendshapes and lips, not coded by FACS."
"""The note of a prediction that tells what faces do."""


@dataclass(frozen=True)
class Question:
    """A question to a model about one recording.

    Attributes:
        artefact: the model's folder and its content.
        encoders: modality -> the encoder of its media.
        scorer: the scorer of the frames, under the prior that was asked for.
        refused: modality -> why its encoder cannot be built here.
        options: the options of the prediction.
        asked: its emotion words, looked up.
    """

    artefact: Artefact
    encoders: Mapping[str, Encoder]
    scorer: Scorer
    refused: Mapping[str, str]
    options: PredictOptions
    asked: Asked

    @property
    def info(self) -> ArtefactInfo:
        """The description of the artefact."""
        return self.artefact.info

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that observe, in the order of the model."""
        return self.options.chosen(self.scorer.modalities, self.info.name)

    @property
    def _unasked(self) -> tuple[str, ...]:
        """The modalities of the model that the options leave out."""
        return tuple(m for m in self.scorer.modalities if m not in self.modalities)

    @property
    def transcriber(self) -> Transcriber | None:
        """The transcriber of words that are not given; None if transcription is switched off."""
        return None if self.options.asr is False else partial(_transcribe, self.options)

    def check(self) -> None:
        """Check options that would fail for every recording.

        Raises:
            UsageError: the model needs other modalities, or has no slices or faces.
            DataError: a modality has no encoder.
        """
        options, chosen = self.options, self.modalities
        if self.scorer.complete and set(chosen) != set(self.scorer.modalities):
            needed = " and ".join(self.scorer.modalities)
            raise UsageError(f"{self.info.name} needs {needed} together; leave --streams out.")
        for modality in chosen:
            if modality not in self.encoders:
                raise DataError(f"{self.artefact.folder}: {self.refused[modality]}")
        require_faces(options, chosen, self.info.name)
        if options.step is not None:
            self.scorer.require_slices()

    def answers(
        self,
        source: Source,
        rate: int | None,
        name: str | None,
        weigh: bool = False,
        keep: Keep | None = None,
    ) -> Iterator[Prediction | Pending | tuple[Opened, Summary]]:
        """Yield the predictions, or their evidence, and finally the recording with its summary.

        Args:
            source, rate, name: see `moodal.model.model.Model.predict`.
            weigh: yield evidence.
            keep: see `moodal.model.answer.Answering`.
        """
        self.check()
        options = self.options
        if source is None:
            if options.text is None:
                raise UsageError("There is nothing to predict: give a file, samples, or a text.")
            self._begin("text")
            recording = Recording(name or "", "text")
            observations = observe_text(options.text, observers(self.modalities, options), options)
            yield from self._answered(Opened(recording, observations, Speakers()), weigh, keep)
            return
        if options.text is not None:
            self._begin("text")
        observing = Observing(options, self.modalities, self.transcriber)
        with observing.open(source, rate, name) as one:
            if one.recording.kind in ("audio", "video"):
                self._begin("sound")
            yield from self._answered(one, weigh, keep)

    def _begin(self, medium: str) -> None:
        """Begin to load the networks that will read a medium, while it is decoded."""
        for modality in self.modalities:
            if self.info.modality(modality).medium == medium:
                self.encoders[modality].begin()
                self.scorer.begin(modality)

    def _answered(
        self, one: Opened, weigh: bool, keep: Keep | None
    ) -> Iterator[Prediction | Pending | tuple[Opened, Summary]]:
        answering = dataclasses.replace(self.answering(one.recording.name), keep=keep)
        for observation in one.observations:
            if isinstance(observation, Summary):
                notes = (*observation.notes, *answering.notes)
                yield one, dataclasses.replace(observation, notes=notes)
            elif weigh:
                yield from answering.weigh(observation)
            else:
                yield from answering.answer(observation)

    def answering(self, name: str) -> Answering:
        """Return what answers the utterances of a recording of this name."""
        return Answering(
            self.scorer,
            self.encoders,
            self.asked,
            recording_name(name),
            self._unasked,
            self.options.step,
            self.options.language,
        )

    def timeline(
        self,
        recording: Recording,
        speakers: Speakers,
        summary: Summary,
        predictions: Sequence[Prediction],
    ) -> Timeline:
        """Return the timeline of a recording that has ended.

        Args:
            recording: the recording.
            speakers: tell who spoke.
            summary: what is known of the whole recording.
            predictions: with their final speakers.
        """
        options, asked = self.options, self.asked
        used = {m for p in predictions for m in p.streams}
        own_notes = [
            *adapted_notes(self.info, self.scorer.assumes, bool(options.level)),
            *([MADE_UP_MODEL] * self.info.made_up),
            *([DERIVED] * options.face_actions),
        ]
        absent = {m: why for m, why in summary.absent.items() if m not in used}
        absent |= dict.fromkeys(self._unasked, UNASKED)
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
            face_between=summary.face_between,
            faceless=summary.faceless,
            face_places=summary.face_places,
            turns=speakers.final_turns,
            modalities=tuple(self.info.modality(m) for m in self.scorer.modalities),
        )


def stored_level(info: ArtefactInfo) -> LevelInfo | None:
    """Return the level that an artefact was adapted to."""
    return info.body.level if info.body.kind == "fused" else None


def _transcribe(options: PredictOptions, samples: Any, start: float) -> Any:
    from moodal.modalities.speech.transcribe import transcript

    return transcript(
        samples,
        offset=start,
        threads=min(4, os.cpu_count() or 1),
        model=options.asr_model,
        language=options.language or "",
    )


def recording_name(path: str) -> str:
    """Return the name by which a recording's utterances are numbered.

    >>> recording_name("talks/interview.mp4"), recording_name("-")
    ('interview.mp4', 'recording')
    """
    return Path(path).name if path not in ("", "-") else "recording"
