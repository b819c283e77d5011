"""Predictor: a fused artefact, ready to be asked for the emotions of recordings.

import moodal
timeline = moodal.load().predict("interview.mp4")
for utterance in timeline:
    print(utterance.start, utterance.top, utterance.probabilities)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.records import STREAMS
from moodal.core.timeline import Timeline
from moodal.model import artefact
from moodal.model.answer import Answering
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch, read_branches
from moodal.model.evidence import Reader
from moodal.model.fusion import Fusion, Weights
from moodal.model.observe import Source, gather
from moodal.model.vocabulary import Asked, ask, sources

READS = {"text": "pieces", "speech": "spoken"}
"""Modality -> the encoder whose output its branch reads; that of a face is not checked, since
its pictures may have come as crops."""

EMBEDDED = Path(__file__).parent / "default"
"""The artefact that comes along."""

Faces = Literal["main", "all"]


@dataclass(frozen=True)
class Predictor:
    """An artefact that was read, verified, and found to be of this moodal's encoders.

    Attributes:
        found: the artefact.
        branches: modality -> its network.
    """

    found: Artefact
    branches: Mapping[str, Branch]

    @property
    def basics(self) -> tuple[str, ...]:
        """The emotions that are told where none are asked for."""
        return self.found.info.labels

    @property
    def learned(self) -> dict[str, tuple[str, ...]]:
        """Modality -> the words it was trained on."""
        return {s: tuple(b.learned) + tuple(b.adapted) for s, b in self.branches.items()}

    @cached_property
    def known(self) -> dict[str, np.ndarray]:
        """Word -> its vector [d], of all words that the artefact carries."""
        vectors = self.found.vectors()["words"]
        return dict(zip(self.found.fused.words, vectors, strict=True))

    @cached_property
    def guesses(self) -> dict[str, float]:
        """Modality -> what its guesses of words it never learned are worth, 0 to 1."""
        branches = self.found.fused.branches
        return {s: branches[s].guess.weight for s in self.branches}

    def ask(self, emotions: Sequence[str] | None = None) -> Asked:
        """The words of a question, see `moodal.model.vocabulary.ask`."""
        return ask(emotions, self.basics, self.known, self.found.fused.synonyms)

    def readers(self, asked: Asked, streams: Sequence[str]) -> dict[str, Reader]:
        """Modality -> what reads it for the words that are asked."""
        return {
            s: Reader.of(b, asked.words, asked.vectors)
            for s, b in self.branches.items()
            if s in streams
        }

    def fusion(self, asked: Asked) -> Fusion:
        """What adds up the modalities for these words."""
        return Fusion(
            asked.words,
            len(self.basics),
            {s: b.learned for s, b in self.branches.items()},
            {name: Weights.of(w) for name, w in self.found.fused.fusion.items()},
        )

    def sources(self, asked: Asked, streams: Sequence[str]) -> dict[str, dict[str, str]]:
        """Word -> modality -> how it is known, for the modalities that are there."""
        there = {s: self.branches[s] for s in streams}
        return {word: sources(word, there, self.guesses, self.basics) for word in asked.words}

    def predict(
        self,
        source: Path | str | np.ndarray | None = None,
        *,
        rate: int | None = None,
        text: str | None = None,
        subtitles: Path | str | None = None,
        emotions: Sequence[str] | None = None,
        streams: Sequence[str] = STREAMS,
        whole: bool = False,
        asr: bool | None = None,
        faces: Faces = "main",
        fps: float = 5.0,
    ) -> Timeline:
        """The emotions of one recording, over time.

        Args:
            source: an audio, video, image, text or subtitle file; or samples [n] or
                [n, channels] with their ``rate``; None: ``text`` alone.
            rate: samples per second of an array.
            text: what is said in it; the recording is one utterance then.
            subtitles: an srt or vtt file with what is said when: its cues are the utterances.
            emotions: any words; default: the artefact's basic emotions.
            streams: the modalities that may be used.
            whole: the recording is one utterance, whether or not speech is found in it.
            asr: True: transcribe with Whisper tiny.en; False: do without words; None: transcribe
                where no words are given and the extra `moodal[asr]` is installed.
            faces: "main": the face seen longest and largest in an utterance; "all": an answer
                for each face that is followed.
            fps: pictures per second that are looked at.

        Raises:
            DataError: the file cannot be read at all. Silence, a missing face and the like are
                no errors: they are told in ``absent`` and ``flags``.
            UsageError: arguments that do not go together.
            SpaceError: an emotion that is no word.
        """
        if isinstance(streams, str):
            streams = [s.strip() for s in streams.split(",")]
        if not isinstance(source, str | Path | np.ndarray | None):
            raise UsageError(
                f"A source is a path or samples as a numpy array, not a {type(source).__name__}."
            )
        unknown = [s for s in streams if s not in STREAMS]
        if unknown or not streams:
            raise UsageError(
                f"streams are {', '.join(STREAMS)}; got {', '.join(unknown) or 'none'}."
            )
        asked = self.ask(emotions)
        there = [s for s in self.branches if s in streams]
        if not there:
            raise UsageError(f"{self.found.folder} has no branch for {', '.join(streams)}.")
        readers = self.readers(asked, there)
        given = Source(source, rate, text, subtitles, whole, asr, faces, fps, self._threads())
        recording = gather(given, readers)
        recording.absent |= {s: "not asked for" for s in self.branches if s not in there}
        return Answering(self, asked, faces == "all").timeline(recording)

    def predict_many(
        self, sources: Sequence[Path | str], **options: Any
    ) -> Iterator[Timeline | DataError]:
        """The timelines of many files, one after the other; a file that cannot be read gives its
        error in its place, and does not stop the rest."""
        for source in sources:
            try:
                yield self.predict(source, **options)
            except (DataError, MissingDependencyError) as error:
                yield error if isinstance(error, DataError) else DataError(f"{source}: {error}")

    def _threads(self) -> int:
        return next(iter(self.branches.values())).threads


def load(folder: Path | str | None = None, *, threads: int | None = None) -> Predictor:
    """The predictor of a fused artefact; None: the one that comes along.

    Args:
        folder: the artefact's.
        threads: of each network; default: the machine's cores, at most 4.

    Raises:
        DataError: it is no artefact, of another format, damaged, or no fused one; or its
            encoders are not this moodal's.
    """
    found = artefact.read(EMBEDDED if folder is None else folder)
    count = threads or min(4, os.cpu_count() or 1)
    branches = read_branches(found, count)
    for stream in branches:
        _require_encoder(found, stream)
    return Predictor(found, branches)


def _require_encoder(found: Artefact, stream: str) -> None:
    """Refuse an artefact whose encoder is not the one that prediction would use."""
    from moodal.modalities import ENCODERS

    if stream not in READS:
        return
    told, mine = found.info.encoders.get(stream), ENCODERS[READS[stream]]().spec()
    if told is None or told.fingerprint != mine["fingerprint"]:
        name, fingerprint = (told.name, told.fingerprint) if told else (None, None)
        raise DataError(
            f"{found.folder}: its {stream} was encoded by {name} ({fingerprint}), and this moodal "
            f"has {mine['name']} ({mine['fingerprint']}). Use the moodal and the packages that "
            "wrote it, or make the artefact again."
        )
