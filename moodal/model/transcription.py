"""Transcription of utterances without given words, while a recording is read."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from moodal.core.errors import MissingDependencyError, installation
from moodal.core.scripts import joined
from moodal.core.timeline import Word
from moodal.modalities.speech.transcribe import Transcript, has_base
from moodal.modalities.text.language import name_of
from moodal.model.absences import Absences
from moodal.model.segmentation import Buffer, Segment

GROUP, GAP = 28.0, 3.0
"""The most seconds of utterances transcribed together, and of silence between two of them."""

WITHOUT = "no transcript; --asr makes one"
"""The reason for absent words when transcription is switched off."""

BASE_BRINGS = installation("languages")

REFUSED = (
    "There is no transcript of what is said in {language}, which Whisper tiny.en does not know; "
    "{remedy}."
)
"""The note on speech in a language that the transcriber does not know."""

Transcriber = Callable[[np.ndarray, float], Transcript]
"""(samples [n] at 16 kHz, the second at which they begin) -> what is said, with times."""


class Transcription:
    """The transcriber of a recording's utterances, in groups of neighbours.

    Whisper takes as long for one second as for thirty, and context helps it.

    Args:
        transcribe: the transcriber; None if transcription is switched off.
        buffer: the sound that was read so far.
        absences: collects why words are missing.
        required: whether a transcriber that is not installed is an error, not a note.
        wanted: whether a modality reads words that are not given.
    """

    def __init__(
        self,
        transcribe: Transcriber | None,
        buffer: Buffer,
        absences: Absences,
        *,
        required: bool,
        wanted: bool,
    ):
        self._transcribe, self._buffer, self._absences = transcribe, buffer, absences
        self._required, self._wanted, self._off = required, wanted, transcribe is None
        self._group: list[Segment] = []

    @property
    def needed(self) -> float:
        """The earliest second of sound that is still needed."""
        return self._group[0].start or 0.0 if self._group else math.inf

    def expect(self, segment: Segment) -> None:
        """Queue a segment for transcription, if it needs words and has none."""
        if segment.text is not None or not self._wanted:
            return
        if self._transcribe is None:
            self._absences.record_missing("text", WITHOUT if self._off else "no transcript")
            return
        start, end = segment.start or 0.0, segment.end or 0.0
        if self._group:
            first, last = self._group[0].start or 0.0, self._group[-1].end or 0.0
            if end - first > GROUP or not 0 <= start - last <= GAP:
                self._hear()
        segment.ready = False
        self._group.append(segment)

    def settle(self, settled: float) -> None:
        """Transcribe the queued group, if no segment before ``settled`` can join it."""
        if self._group and settled - (self._group[-1].end or 0.0) > GAP:
            self._hear()

    def _hear(self) -> None:
        group, self._group = self._group, []
        for segment in group:
            segment.ready = True
        if self._transcribe is None:
            return
        begin, end = _extent(group[0])[0], _extent(group[-1])[1]
        try:
            said = self._transcribe(self._buffer.cut(begin, end), begin)
        except MissingDependencyError as error:
            if self._required:
                raise
            self._transcribe = None
            self._absences.record_missing("text", "no transcript")
            self._absences.note(f"The words were not used: {error}")
            return
        words, language = list(said.words), said.language
        if said.refused:
            remedy = (
                "--asr-model base makes one" if has_base() else f"Whisper base does: {BASE_BRINGS}"
            )
            self._absences.note(REFUSED.format(language=name_of(language), remedy=remedy))
        elif not words and len(group) > 1:
            # what is said again and again is taken for the transcriber's stutter, but not alone
            for segment in group:
                first, last = _extent(segment)
                said = self._transcribe(self._buffer.cut(first, last), first)
                words += said.words
                language = language or said.language
        nearest = [min(group, key=lambda s: _distance(s, _middle(word))) for word in words]
        for segment in group:
            own = [w for w, n in zip(words, nearest, strict=True) if n is segment]
            segment.words = tuple(own)
            segment.text = joined(word.text for word in own)
            segment.language = language


def _extent(segment: Segment) -> tuple[float, float]:
    """Return the seconds of speech in a segment; all of it if they are unknown."""
    return segment.speech or (segment.start or 0.0, segment.end or 0.0)


def _middle(word: Word) -> float:
    return ((word.start or 0.0) + (word.end or 0.0)) / 2


def _distance(segment: Segment, at: float) -> float:
    return max((segment.start or 0.0) - at, at - (segment.end or 0.0), 0.0)
