"""Answering: readings of utterances -> predictions, with shares, sources, flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moodal.core.records import STREAMS
from moodal.core.timeline import Moment, Prediction, Timeline, Word
from moodal.modalities.modality import Part, Reading
from moodal.modalities.speech.stretches import Utterance
from moodal.model.evidence import Reader
from moodal.model.fusion import Fusion, key
from moodal.model.observe import Recording
from moodal.model.vocabulary import Asked

if TYPE_CHECKING:
    from moodal.model.predictor import Predictor


@dataclass(frozen=True)
class Answering:
    """Turns what was gathered into answers for the words that were asked.

    Attributes:
        every: an answer for each face; else for the main one of each utterance.
    """

    predictor: Predictor
    asked: Asked
    every: bool = False

    @cached_property
    def _fusion(self) -> Fusion:
        return self.predictor.fusion(self.asked)

    @cached_property
    def _face(self) -> Reader:
        return self.predictor.readers(self.asked, ["face"])["face"]

    def timeline(self, recording: Recording) -> Timeline:
        """The answers of a recording."""
        found = self.predictor.found
        name = Path(recording.path).name if recording.path not in ("", "-") else "recording"
        predictions: list[Prediction] = []
        for utterance, readings in zip(recording.utterances, recording.readings, strict=True):
            for track, whole in self._with_faces(recording, utterance, readings):
                if whole:
                    number = f"{name}#{len(predictions) + 1}"
                    predictions.append(self.predict(number, utterance, whole, recording, track))
        absent = dict(recording.absent)
        if not predictions and not absent:
            absent["speech"] = "no speech"
        digest = {"digest": found.info.digest, "moodal": found.info.moodal}
        return Timeline(
            path=recording.path,
            predictions=tuple(predictions),
            emotions=tuple(self.asked.shown),
            duration=recording.duration,
            kind=recording.kind,
            absent=absent,
            notes=(*self.asked.notes, *recording.notes),
            artefact={"name": found.info.name, **digest},
            waveform=recording.waveform,
            thumbnails=tuple(recording.seen.shown) if recording.seen else (),
        )

    def _with_faces(
        self, recording: Recording, utterance: Utterance, readings: Mapping[str, Reading]
    ) -> Sequence[tuple[int | None, dict[str, Reading]]]:
        """The readings beside each face's (or the main one's), or alone where there is none."""
        faces: dict[int, Reading] = {}
        if recording.seen is not None and recording.seen.sightings:
            faces = recording.seen.readings(self._face, utterance.start, utterance.end, self.every)
        if not faces:
            return [(None, dict(readings))]
        return [(track, {**readings, "face": reading}) for track, reading in faces.items()]

    def predict(
        self,
        number: str,
        utterance: Utterance,
        readings: Mapping[str, Reading],
        recording: Recording,
        track: int | None = None,
    ) -> Prediction:
        """The answer for one utterance, of whatever readings there are (at least one)."""
        streams = tuple(s for s in STREAMS if s in readings)
        sources = self.predictor.sources(self.asked, streams)
        fused = self._fusion.fuse(
            {s: readings[s].logits for s in streams},
            sources,
            {
                s: np.array([p.logits for p in readings[s].parts]).reshape(
                    -1, len(self.asked.words)
                )
                for s in streams
            },
        )
        columns = {name: self.asked.words.index(word) for name, word in self.asked.shown.items()}

        def named(values: np.ndarray) -> dict[str, float]:
            return {name: float(values[i]) for name, i in columns.items()}

        probabilities = named(fused.probabilities)
        best = max(probabilities, key=lambda e: probabilities[e])
        sure = probabilities[best] >= self._fusion.sets[key(streams)].threshold
        words = (
            tuple(
                Word(part.text, part.start, part.end, named(share))
                for part, share in _parts(readings, fused.parts, "text")
            )
            or utterance.words
        )
        moments = tuple(
            Moment(part.start or 0.0, part.end or 0.0, stream, named(share))
            for stream in ("speech", "face")
            for part, share in _parts(readings, fused.parts, stream)
        )
        return Prediction(
            id=number,
            probabilities=probabilities,
            decided=(best,) if sure else (),
            start=utterance.start,
            end=utterance.end,
            text=utterance.text,
            streams=streams,
            shares={s: named(fused.shares[s]) for s in streams},
            bias=named(fused.bias),
            sources={name: sources[word] for name, word in self.asked.shown.items()},
            words=words,
            moments=moments,
            rest={s: named(fused.rest[s]) for s in streams},
            quality={s: readings[s].quality for s in streams if readings[s].quality},
            absent=self._absent(utterance, recording, streams),
            flags=tuple(flag for s in streams for flag in readings[s].flags),
            track=track,
        )

    def _absent(
        self, utterance: Utterance, recording: Recording, streams: Sequence[str]
    ) -> dict[str, str]:
        """Why each modality that the artefact knows was not used here."""
        silent = "no speech" if not utterance.spoken else None
        said = "no words" if utterance.text is not None else "no transcript"
        here = {"text": silent or said, "speech": silent or "no sound", "face": "no face"}
        return {
            s: recording.absent.get(s, here[s]) for s in self.predictor.branches if s not in streams
        }


def _parts(
    readings: Mapping[str, Reading], shares: Mapping[str, np.ndarray], stream: str
) -> list[tuple[Part, np.ndarray]]:
    if stream not in readings:
        return []
    return list(zip(readings[stream].parts, shares[stream], strict=True))
