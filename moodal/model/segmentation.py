"""Segmentation: the utterances of a recording, found while its sound and pictures are read.

Utterances are the cues of subtitles, the speech between pauses, or the whole recording; between
them lie stretches without speech in which something is seen.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from moodal.core.records import Clip, Sound
from moodal.core.timeline import Word
from moodal.media.subtitles import Cue
from moodal.modalities.modality import Window
from moodal.modalities.speech.cry import CryFinder
from moodal.modalities.speech.segment import Span, SpeechSegmenter
from moodal.modalities.speech.spoken import utterance_extent


@dataclass
class Segment:
    """One utterance while its recording is read.

    Attributes:
        start, end: seconds; None for a text or a picture without times.
        text: the words; None while they are unknown.
        words: the words with their times, if it was transcribed.
        spoken: whether somebody speaks in it.
        speech: the seconds of its first and last speech in the recording, if a detector found
            any.
        cry: whether that is a cry, which the detector does not take for speech.
        divisible: whether it was cut by the clock, so that it is divided where its answer changes.
        ready: whether its words are final.
        speaker: the name of its speaker, if it is known.
        flags: what a reader should know of who speaks, one sentence each.
        language: the language that the transcriber heard; "" where nothing tells.
    """

    start: float | None = None
    end: float | None = None
    text: str | None = None
    words: tuple[Word, ...] = ()
    spoken: bool = True
    speech: tuple[float, float] | None = None
    cry: bool = False
    divisible: bool = False
    ready: bool = True
    speaker: str | None = None
    flags: tuple[str, ...] = ()
    language: str = ""

    def window(
        self, sound: Sound | None = None, media: Mapping[str, str | Clip] | None = None
    ) -> Window:
        """Return what the modalities observe of it.

        Args:
            sound: its samples; None without sound.
            media: further files of the recording by modality.
        """
        return Window(
            self.start,
            self.end,
            self.text,
            self.words,
            sound,
            self.spoken,
            dict(media or {}),
            self.language,
        )


class Segmentation:
    """The base class of segmentations, which return segments as soon as they are complete."""

    @property
    def settled(self) -> float:
        """The second before which no further segment begins."""
        return math.inf

    def begin(self) -> list[Segment]:
        """Return the segments that are known before any sound is read."""
        return []

    def hear(self, start: float, samples: np.ndarray) -> list[Segment]:
        """Read samples [n] at 16 kHz from second ``start``, and return the segments that ended."""
        return []

    def finish(self, seconds: float) -> list[Segment]:
        """Return the segments that end with the sound, at ``seconds``."""
        return []

    def current(self, now: float) -> Segment | None:
        """Return the utterance that goes on at second ``now``; None in a pause."""
        return None

    def is_quiet(self, now: float) -> bool:
        """Return whether no utterance goes on at second ``now``, nor has just paused."""
        return self.current(now) is None


@dataclass
class Cues(Segmentation):
    """The segmentation by subtitles: one segment for each cue, without speech detection."""

    cues: Sequence[Cue]

    def begin(self) -> list[Segment]:
        """Return a segment for each cue."""
        return [segment_of(cue) for cue in self.cues]

    def current(self, now: float) -> Segment | None:
        """Return the cue of second ``now``."""
        return cue_at(self.cues, now)


def segment_of(cue: Cue) -> Segment:
    """Return the segment that a cue is."""
    return Segment(cue.start, cue.end, cue.text, speech=(cue.start, cue.end), speaker=cue.speaker)


def cue_at(cues: Sequence[Cue], now: float) -> Segment | None:
    """Return the last of the cues within which second ``now`` lies, up to then."""
    last = next((cue for cue in reversed(cues) if cue.start < now < cue.end), None)
    return None if last is None else _until(segment_of(last), now)


def _until(segment: Segment, now: float) -> Segment:
    """Return the part of a segment before second ``now``."""
    assert segment.start is not None
    return replace(segment, end=now, speech=(segment.start, now))


@dataclass
class Pauses(Segmentation):
    """The segmentation by pauses: one segment for the speech between two of them.

    A recording without speech may be one cry, which is known at its end; it has no words.
    """

    segmenter: SpeechSegmenter = field(default_factory=SpeechSegmenter)
    cries: CryFinder = field(default_factory=CryFinder)

    @property
    def settled(self) -> float:
        """The second before which no further speech or cry begins."""
        return 0.0 if self.cries.possible else self.segmenter.settled

    def hear(self, start: float, samples: np.ndarray) -> list[Segment]:
        """Return the speech that has ended."""
        self.cries.hear(start, samples)
        return self._segments(self.segmenter.hear(start, samples))

    def finish(self, seconds: float) -> list[Segment]:
        """Return the speech that ends with the sound, or the cry that the sound is."""
        segments = self._segments(self.segmenter.finish())
        if self.cries.possible and (cry := self.cries.finish()):
            span = (cry.start, cry.end)
            segments.append(Segment(*span, text="", speech=span, cry=True))
        return segments

    def current(self, now: float) -> Segment | None:
        """Return the speech that goes on."""
        return _speech_since(self.segmenter.speaking, now)

    def is_quiet(self, now: float) -> bool:
        """Return whether nobody speaks."""
        return self.segmenter.is_quiet

    def _segments(self, spans: Sequence[Span]) -> list[Segment]:
        if spans:
            self.cries.end()
        return [Segment(s.start, s.end, speech=(s.start, s.end)) for s in spans]


def _speech_since(start: float | None, now: float) -> Segment | None:
    return None if start is None else Segment(start, now, speech=(start, now))


@dataclass
class Whole(Segmentation):
    """The segmentation of a recording into one segment, whose words may be given.

    Attributes:
        text: the words; None if they are not given.
        silence: whether the segment includes silence at both ends; else it reaches from the first
            speech to the last, or over a cry, if any is detected.
        speech: the speech so far.
        cries: finds a cry where there is no speech.
        finished: whether the sound has ended.
    """

    text: str | None = None
    silence: bool = True
    segmenter: SpeechSegmenter = field(default_factory=SpeechSegmenter)
    speech: list[Span] = field(default_factory=list)
    cries: CryFinder = field(default_factory=CryFinder)
    finished: bool = False

    @property
    def settled(self) -> float:
        """The beginning of the segment until it is complete, then infinity."""
        return math.inf if self.finished else 0.0

    def hear(self, start: float, samples: np.ndarray) -> list[Segment]:
        """Collect the speech that is detected."""
        self.cries.hear(start, samples)
        self.speech += self.segmenter.hear(start, samples)
        return []

    def finish(self, seconds: float) -> list[Segment]:
        """Return the one segment."""
        self.speech += self.segmenter.finish()
        self.finished = True
        cry = None if self.speech or not self.cries.possible else self.cries.finish()
        extent = cry or utterance_extent(self.speech, seconds)
        bounds = Span(0.0, seconds) if self.silence else extent
        spoken = self.silence or bool(self.speech) or cry is not None
        span = (extent.start, extent.end)
        segment = Segment(bounds.start, bounds.end, self.text, spoken=spoken, speech=span)
        return [replace(segment, cry=cry is not None)]

    def current(self, now: float) -> Segment | None:
        """Return the speech that goes on, whose words are not known."""
        return _speech_since(self.segmenter.speaking, now)

    def is_quiet(self, now: float) -> bool:
        """Return whether nobody speaks."""
        return self.segmenter.is_quiet


@dataclass
class Stretches:
    """The stretches without speech in which something is seen.

    Attributes:
        least: the shortest stretch, in seconds.
        longest: the seconds after which a stretch is cut, if at least ``least`` more follow.
        lost: the seconds without anything to see that end a stretch.
    """

    least: float = 1.0
    longest: float = 5.0
    lost: float = 2.0
    _first: float | None = None
    _last: float = 0.0
    _cut: float | None = None

    @property
    def pending(self) -> float:
        """The second at which the current stretch began; infinity without one."""
        return math.inf if self._first is None else self._first

    def see(self, at: float) -> list[Segment]:
        """Add the second of a picture outside speech in which something is seen."""
        ended: list[Segment] = []
        if self._first is not None and at - self._last > self.lost:
            ended += self.end()
        if self._first is None:
            self._first = at
        self._last = at
        if at - self._first >= self.longest and self._cut is None:
            self._cut = at
        if self._cut is not None and at - self._cut >= self.least:
            ended.append(_silent(self._first, self._cut))
            self._first, self._cut = self._cut, None
        return ended

    def end(self) -> list[Segment]:
        """End the current stretch, for example where speech begins."""
        first, self._first, self._cut = self._first, None, None
        if first is None or self._last - first < self.least:
            return []
        return [_silent(first, self._last)]


def _silent(first: float, last: float) -> Segment:
    return Segment(first, last, spoken=False, divisible=True)


@dataclass
class Buffer:
    """The buffer of the sound that later utterances need, as consecutive blocks."""

    rate: int
    _blocks: list[np.ndarray] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    reached: int = 0

    @property
    def seconds(self) -> float:
        """The seconds of sound that were read so far."""
        return self.reached / self.rate

    @property
    def begins(self) -> float:
        """The second from which on the sound is kept."""
        return self._starts[0] / self.rate if self._starts else self.seconds

    def add(self, samples: np.ndarray) -> None:
        """Append the next block."""
        self._blocks.append(samples)
        self._starts.append(self.reached)
        self.reached += len(samples)

    def cut(self, start: float, end: float) -> np.ndarray:
        """Copy the samples from ``start`` to ``end`` seconds, as far as they are in the buffer."""
        first, last = max(0, round(start * self.rate)), round(end * self.rate)
        i = max(0, bisect_left(self._starts, first + 1) - 1)
        pieces = []
        while i < len(self._blocks) and self._starts[i] < last:
            at = self._starts[i]
            pieces.append(self._blocks[i][max(0, first - at) : max(0, last - at)])
            i += 1
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def take(self, start: float, end: float) -> np.ndarray:
        """Return samples as `cut` does, after which no more are added."""
        return self.cut(start, end)

    def forget(self, before: float) -> None:
        """Release the blocks before a second."""
        count = max(0, bisect_left(self._starts, before * self.rate) - 1)
        del self._blocks[:count], self._starts[:count]


@dataclass
class WholeBuffer(Buffer):
    """The buffer of a recording that is one utterance: it grows in place and is not copied."""

    _sound: bytearray = field(default_factory=bytearray)

    def add(self, samples: np.ndarray) -> None:
        """Append the next block."""
        self._sound += np.ascontiguousarray(samples, np.float32).tobytes()
        self.reached += len(samples)

    def cut(self, start: float, end: float) -> np.ndarray:
        """Copy the samples from ``start`` to ``end`` seconds."""
        return self.take(start, end).copy()

    def take(self, start: float, end: float) -> np.ndarray:
        """Return samples as `cut` does, without a copy, after which no more can be added."""
        first, last = max(0, round(start * self.rate)), round(end * self.rate)
        return np.frombuffer(self._sound, np.float32)[first:last]

    def forget(self, before: float) -> None:
        """Keep all: the utterance needs it."""
