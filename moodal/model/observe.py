"""observe: a recording -> what each modality observes of each of its utterances, as they end.

Sound and pictures are read once, block by block and in step. An utterance is given when its sound
and its pictures have passed and its words are known: within a second where the words are given,
within 31 s where Whisper transcribes (which hears groups of up to 28 s), at the end for one
utterance that is the whole recording. Of three hours no more is kept than of three minutes.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.records import RATE, Clip, Sound
from moodal.media.blocks import Block, Envelope
from moodal.media.recording import Recording
from moodal.media.subtitles import read_subtitles
from moodal.modalities.modality import Absent, Modality, Observed
from moodal.modalities.speech.spoken import is_silent
from moodal.modalities.text.observe import sentences
from moodal.modalities.text.treebank import read_text
from moodal.model.absences import Absences
from moodal.model.film import Film
from moodal.model.options import PredictOptions
from moodal.model.segmentation import (
    Buffer,
    Cues,
    Pauses,
    Segment,
    Segmentation,
    Stretches,
    Whole,
    WholeBuffer,
)
from moodal.model.transcription import Transcriber, Transcription


@dataclass(frozen=True)
class Observation:
    """One utterance and its observations.

    Attributes:
        segment: its times and words.
        observed: modality -> one `Observed` for each person, or one in all.
        absent: modality -> why nothing was observed.
    """

    segment: Segment
    observed: Mapping[str, Sequence[Observed]]
    absent: Mapping[str, str]


@dataclass(frozen=True)
class Summary:
    """The facts about a whole recording, known at its end.

    Attributes:
        duration: seconds; None for a text or a picture.
        absent: modality -> why the whole recording lacks it.
        notes: what a reader should know, one sentence each.
        waveform: [n, 2] lowest and highest sample of equal spans; None without sound.
        thumbnails: (seconds, [48, 48] uint8) of some faces.
    """

    duration: float | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    waveform: np.ndarray | None = None
    thumbnails: tuple[tuple[float, np.ndarray], ...] = ()


def observe(
    recording: Recording,
    modalities: Mapping[str, Modality],
    options: PredictOptions,
    transcribe: Transcriber | None = None,
) -> Iterator[Observation | Summary]:
    """Observe a recording once, from its beginning to its end.

    Args:
        recording: an open recording, see `moodal.media.recording.opened`.
        modalities: name -> a fresh object for this recording.
        options: the options of the prediction.
        transcribe: the transcriber of words that are not given; None for no transcription.

    Yields:
        An `Observation` for each utterance as it ends, in the order of their beginnings; at last
        one `Summary`.

    Raises:
        DataError: nothing of it can be read.
        UsageError: options that do not fit it.
    """
    _require_fit(options, recording)
    reading = _Reading(recording, modalities, options, transcribe)
    if recording.kind == "text":
        assert recording.path is not None
        yield from reading.texts(read_text(recording.path))
    elif recording.kind == "subtitles":
        assert recording.path is not None
        reading.absences.record_missing("sound", "subtitles have no sound")
        reading.absences.record_missing("pictures", "no pictures")
        cues = read_subtitles(recording.path, on_damage=reading.absences.note)
        yield from reading.segments(Cues(cues).begin())
    else:
        yield from reading.run()
    yield reading.summary()


def observe_text(
    text: str, modalities: Mapping[str, Modality], options: PredictOptions
) -> Iterator[Observation | Summary]:
    """Observe a text sentence by sentence, and yield what `observe` yields."""
    reading = _Reading(Recording("", "text"), modalities, options)
    yield from reading.texts(text)
    yield reading.summary()


def _require_fit(options: PredictOptions, recording: Recording) -> None:
    """Refuse options that do not fit a recording.

    Raises:
        UsageError: says which one to leave out.
    """
    if recording.kind in ("text", "subtitles") and (options.text or options.subtitles):
        raise UsageError(f"{recording.name} is a text itself; leave --text and --subtitles out.")
    if recording.kind == "image" and options.subtitles:
        raise UsageError(f"{recording.name} is a picture, which has no subtitles; use --text.")


class _Reading:
    """One reading of one recording: sound and pictures in step, utterances as they end."""

    def __init__(
        self,
        recording: Recording,
        modalities: Mapping[str, Modality],
        options: PredictOptions,
        transcribe: Transcriber | None = None,
    ):
        self.recording, self.modalities, self.options = recording, modalities, options
        self.absences = Absences(recording, modalities)
        whole = options.whole or options.text is not None
        self.envelope, self.buffer = Envelope(), (WholeBuffer if whole else Buffer)(RATE)
        media = {modality.info.medium for modality in modalities.values()}
        self.words = Transcription(
            transcribe,
            self.buffer,
            self.absences,
            required=bool(options.asr),
            wanted="text" in media and options.text is None,
        )
        self.film = Film(recording, modalities, options.fps, self.absences)
        self.stretches = Stretches()
        self.queue: list[tuple[float, int, Segment]] = []
        self.spoken: list[tuple[float, float]] = []  # utterances that stretches must not enter
        self.covered = 0.0  # the end of those that were passed
        self.count = 0

    def texts(self, text: str) -> Iterator[Observation]:
        """Observe the sentences of a text."""
        self.absences.record_missing("sound", "a text has no sound")
        self.absences.record_missing("pictures", "no pictures")
        segments = [Segment(text=sentence) for sentence in sentences(text)]
        if not segments:
            self.absences.record_missing("text", "no words")
        yield from self.segments(segments)

    def segments(self, segments: Sequence[Segment]) -> Iterator[Observation]:
        """Observe segments that have a text and neither sound nor pictures."""
        for segment in segments:
            yield self._observe(segment)

    def run(self) -> Iterator[Observation]:
        """Read the recording to its end."""
        segmentation, sound = self._opened()
        self._expect(segmentation.begin())
        for block in sound:
            self.envelope.add(block.samples)
            self.buffer.add(block.samples)
            self._expect(segmentation.hear(block.start, block.samples))
            self.words.settle(segmentation.settled)
            yield from self._advance(self.buffer.seconds, segmentation.settled)
        if self._is_one_utterance():
            self.film.watch(math.inf)
        self._expect(segmentation.finish(max(self.buffer.seconds, self.film.end or 0.0)))
        self.words.settle(math.inf)
        for clock in self.film.clock(self.buffer.seconds):
            yield from self._advance(clock, math.inf)
        yield from self._advance(math.inf, math.inf)
        self._expect(self._last_resort())
        yield from self._advance(math.inf, math.inf)

    def _opened(self) -> tuple[Segmentation, Iterator[Block]]:
        """Open the sound, and choose the segmentation of the recording."""
        options, recording = self.options, self.recording
        cues = None
        if options.subtitles is not None:
            cues = Cues(read_subtitles(options.subtitles, on_damage=self.absences.note))
        without: Segmentation = cues or Segmentation()
        if recording.sound is None:
            still = recording.kind == "image"
            self.absences.record_missing("sound", "a picture has no sound" if still else "no sound")
            return without, iter(())
        blocks = recording.sound(self.absences.note)
        try:
            first = next(blocks, None)
        except DataError:
            readable = (
                cues is not None or options.text is not None or recording.pictures is not None
            )
            if recording.path is None or not readable:
                raise
            self.absences.record_missing("sound", "the sound cannot be decoded")
            return without, iter(())
        segmentation: Segmentation = cues or Pauses()
        if options.whole or options.text is not None:
            segmentation = Whole(options.text, silence=options.whole)
        return segmentation, itertools.chain(() if first is None else (first,), blocks)

    def _expect(self, segments: Sequence[Segment]) -> None:
        """Queue segments until their sound, pictures and words are complete."""
        for segment in segments:
            self.count += 1
            heapq.heappush(self.queue, (segment.start or 0.0, self.count, segment))
            if segment.start is None:
                continue
            if segment.spoken or segment.text is not None:
                self.spoken.append((segment.start, segment.end or segment.start))
            if segment.spoken:
                self.words.expect(segment)

    def _advance(self, clock: float, settled: float) -> Iterator[Observation]:
        """Observe the segments that are complete once the media were read up to ``clock``."""
        self.film.watch(clock)
        if not self._is_one_utterance():
            self._look_for_stretches(min(settled, clock))
        while self.queue:
            start, _, segment = self.queue[0]
            due = segment.end is None or segment.end + 0.5 / self.options.fps <= clock
            if not (due and segment.ready and start <= min(settled, self.stretches.pending)):
                break
            heapq.heappop(self.queue)
            yield self._observe(segment)
        self._forget(min(settled, clock))

    def _look_for_stretches(self, until: float) -> None:
        """Find stretches without speech in which something is seen, before second ``until``."""
        self.spoken.sort()
        for at in self.film.sighting_times(until):
            self._pass_speech(at)
            if at >= self.covered:
                self._expect(self.stretches.see(at))
        self._pass_speech(until)
        if until == math.inf:
            self._expect(self.stretches.end())

    def _pass_speech(self, at: float) -> None:
        """End the current stretch if speech begins before second ``at``."""
        while self.spoken and self.spoken[0][0] <= at:
            self._expect(self.stretches.end())
            self.covered = max(self.covered, self.spoken.pop(0)[1])

    def _is_one_utterance(self) -> bool:
        """Return whether the recording is one utterance, so that it has no silent stretches."""
        options = self.options
        untimed = options.text is not None and "sound" in self.absences.lacking
        return options.whole or untimed or self.recording.kind == "image"

    def _last_resort(self) -> list[Segment]:
        """Return one segment for a recording in which no segmentation found any."""
        if self.count:
            return []
        film = self.film
        if self._is_one_utterance():
            text = self.options.text
            segment = Segment(text=text, spoken=text is not None)
            if self.recording.kind != "image" and film.end is not None:
                segment.start, segment.end = 0.0, film.end
            return [segment]
        if (first := film.first) is not None:  # something was seen for less than a second
            return [Segment(first, max(film.end or 0.0, first + film.step), spoken=False)]
        return []

    def _forget(self, settled: float) -> None:
        """Release the sound and pictures that no segment needs any more."""
        needed = min(
            settled,
            self.stretches.pending,
            self.queue[0][0] if self.queue else math.inf,
            self.words.needed,
        )
        if needed < math.inf:
            self.buffer.forget(needed)
            self.film.forget(needed)

    def _heard(self, segment: Segment) -> Sound | None:
        """Cut the sound of a segment; None if it has no sound."""
        if segment.start is None or not self.buffer.reached:
            return None
        if segment.start >= self.buffer.seconds:
            if segment.spoken:
                start = segment.start
                self.absences.note(f"A subtitle begins at {start:.1f} s, after the sound ends.")
                segment.spoken = False
            return None
        end = self.buffer.seconds if segment.end is None else segment.end
        is_last = self._is_one_utterance() and not self.queue and self.words.needed == math.inf
        samples = (self.buffer.take if is_last else self.buffer.cut)(segment.start, end)
        if segment.speech is None:
            return Sound(samples)
        first, last = segment.speech
        return Sound(samples, (first - segment.start, last - segment.start), segment.cry)

    def _observe(self, segment: Segment) -> Observation:
        """Observe a segment with every modality."""
        media = {name: Clip(str(path)) for name, path in self.options.media.items()}
        window = segment.window(self._heard(segment), media)
        observed: dict[str, Sequence[Observed]] = {}
        absent: dict[str, str] = {}
        for name, modality in self.modalities.items():
            answer = modality.observe(window)
            if isinstance(answer, Absent):
                absent[name] = self.absences.absent.get(name, answer.reason)
            else:
                observed[name] = answer
        self.absences.record(observed, absent, segment.spoken)
        return Observation(segment, observed, absent)

    def summary(self) -> Summary:
        """Summarise the whole recording."""
        # what was decoded is the truth; a header may be an estimate, or count from another start
        ends = [self.buffer.seconds]
        if self.recording.kind != "image":
            ends.append(self.film.end or 0.0)
        duration = max(ends) or self.recording.seconds or None
        self.absences.conclude(silent=is_silent(self.envelope.peak))
        return Summary(
            duration,
            dict(self.absences.absent),
            self.absences.sentences(),
            self.envelope.drawn,
            tuple(t for m in self.modalities.values() for t in m.thumbnails),
        )
