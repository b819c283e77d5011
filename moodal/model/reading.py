"""Reading: sound and pictures of one recording in step, and its utterances as they end."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from moodal.core.errors import DataError
from moodal.core.records import RATE, Clip, Sound
from moodal.media.blocks import Block, Envelope
from moodal.media.recording import Recording
from moodal.media.subtitles import read_subtitles
from moodal.modalities.modality import Absent, Modality, Observed
from moodal.modalities.speech.spoken import is_silent
from moodal.modalities.text.observe import sentences
from moodal.model.absences import Absences
from moodal.model.film import Film
from moodal.model.observation import Observation, Summary
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
from moodal.model.speakers import Speakers
from moodal.model.transcription import Transcriber, Transcription


class Reading:
    """One reading of one recording: sound and pictures in step, utterances as they end.

    A recording that lies ready is read by `run`. One that is still being recorded is begun with
    its segmentation, heard block by block, and finished.
    """

    def __init__(
        self,
        recording: Recording,
        modalities: Mapping[str, Modality],
        options: PredictOptions,
        transcribe: Transcriber | None = None,
        speakers: Speakers | None = None,
    ):
        self.speakers = speakers or Speakers()
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
        self.spoken_until = 0.0  # the end of the latest of them
        self.segmentation = Segmentation()
        self.margin = 0.0  # seconds of sound that are kept beyond what segments need
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
        with contextlib.closing(self.film):
            segmentation, sound = self._opened()
            self.begin(segmentation)
            for block in sound:
                self.hear(block)
                yield from self.advance(self.buffer.seconds)
            yield from self.finish()

    def begin(self, segmentation: Segmentation) -> None:
        """Begin to divide the recording into utterances."""
        self.segmentation = segmentation
        self._expect(segmentation.begin())

    def hear(self, block: Block) -> None:
        """Take in the next block of sound."""
        self.envelope.add(block.samples)
        self.buffer.add(block.samples)
        self._expect(self.segmentation.hear(block.start, block.samples))
        self.words.settle(self.segmentation.settled)

    def say(self, segments: Sequence[Segment]) -> None:
        """Take in utterances with their words, which are observed when their media have passed."""
        self._expect(segments)

    def finish(self) -> Iterator[Observation]:
        """Observe what is left when the recording has ended."""
        if self._is_one_utterance():
            self.film.watch(math.inf)
        ended = max(self.buffer.seconds, self.film.end or 0.0)
        self._expect(self.segmentation.finish(ended))
        self.words.settle(math.inf)
        self.segmentation = Segmentation()
        for clock in self.film.clock(self.buffer.seconds):
            yield from self.advance(clock)
        yield from self.advance(math.inf)
        self._expect(self._last_resort())
        yield from self.advance(math.inf)

    def _opened(self) -> tuple[Segmentation, Iterator[Block]]:
        """Open the sound, and choose the segmentation of the recording."""
        options, recording = self.options, self.recording
        without = self.choose(has_sound=False)
        if recording.sound is None:
            still = recording.kind == "image"
            self.absences.record_missing("sound", "a picture has no sound" if still else "no sound")
            return without, iter(())
        blocks = recording.sound(self.absences.note)
        try:
            first = next(blocks, None)
        except DataError:
            has_words = options.subtitles is not None or options.text is not None
            readable = has_words or recording.pictures is not None
            if recording.path is None or not readable:
                raise
            self.absences.record_missing("sound", "the sound cannot be decoded")
            return without, iter(())
        sound = itertools.chain(() if first is None else (first,), blocks)
        return self.choose(has_sound=True), sound

    def choose(self, *, has_sound: bool) -> Segmentation:
        """Choose the segmentation of the recording."""
        options, divided = self.options, self.divided_by
        if has_sound and (options.whole or options.text is not None):
            return Whole(options.text, silence=options.whole)
        if divided is not None:
            return divided
        return Pauses() if has_sound else Segmentation()

    @cached_property
    def divided_by(self) -> Segmentation | None:
        """The segmentation by subtitles, or by the turns of speakers; None without these."""
        if self.options.subtitles is not None:
            return Cues(read_subtitles(self.options.subtitles, on_damage=self.absences.note))
        return self.speakers.segmentation()

    def _expect(self, segments: Sequence[Segment]) -> None:
        """Queue segments until their sound, pictures and words are complete."""
        for segment in self._divided(segments):
            self.count += 1
            heapq.heappush(self.queue, (segment.start or 0.0, self.count, segment))
            if segment.start is None:
                continue
            if segment.spoken or segment.text is not None:
                span = (segment.start, segment.end or segment.start)
                self.spoken.append(span)
                self.spoken_until = max(self.spoken_until, span[1])
            if segment.spoken:
                self.words.expect(segment)

    def _divided(self, segments: Sequence[Segment]) -> Iterator[Segment]:
        """Yield segments, those without words in pieces of one speaker each."""
        for segment in segments:
            if segment.start is None or segment.text is not None or not segment.spoken:
                yield segment
            else:
                yield from self.speakers.divide(segment, self.buffer.cut)

    def advance(self, clock: float) -> Iterator[Observation]:
        """Observe the segments that are complete once the media were read up to ``clock``."""
        settled = self.segmentation.settled
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

    def glance(self, now: float, longest: float) -> Observation | None:
        """Observe what goes on at second ``now``, and remember nothing of it; None: nothing does.

        Args:
            now: a second up to which the recording was read.
            longest: seconds before it that are observed, at most.
        """
        segment = self.segmentation.current(now) or self._silence(now)
        if segment is None:
            return None
        start = max(segment.start or 0.0, now - longest)
        speech = None if segment.speech is None else (start, now)
        segment = replace(segment, start=start, speech=speech)
        sound = None
        if self.buffer.reached:
            extent = None if speech is None else (0.0, now - start)
            sound = Sound(self.buffer.cut(start, now), extent)
        observed: dict[str, Sequence[Observed]] = {}
        absent: dict[str, str] = {}
        for name, modality in self.modalities.items():
            answer = modality.glance(segment.window(sound))
            if isinstance(answer, Absent):
                absent[name] = self.absences.absent.get(name, answer.reason)
            else:
                observed[name] = answer
        return Observation(segment, observed, absent)

    def _silence(self, now: float) -> Segment | None:
        """Return the silence that goes on, if something was seen in its last second."""
        is_long = now - self.spoken_until >= self.stretches.least / 2
        if (
            is_long
            and self.segmentation.is_quiet(now)
            and self.film.sees(now - self.stretches.least)
        ):
            return Segment(self.spoken_until, now, spoken=False)
        return None

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
            self.buffer.forget(needed - self.margin)
            self.film.forget(needed)

    def _heard(self, segment: Segment) -> Sound | None:
        """Cut the sound of a segment; None if it has no sound."""
        if segment.start is None or not self.buffer.reached:
            return None
        if segment.start >= self.buffer.seconds:
            if segment.spoken:
                start = segment.start
                what = "turn" if self.options.subtitles is None else "subtitle"
                self.absences.note(f"A {what} begins at {start:.1f} s, after the sound ends.")
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
        if segment.text is not None:
            self.speakers.name(segment, self.buffer.cut)
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
        self.speakers.finish()
        return Summary(
            duration,
            dict(self.absences.absent),
            (*self.speakers.notes, *self.absences.sentences()),
            self.envelope.drawn,
            tuple(t for m in self.modalities.values() for t in m.thumbnails),
            tuple(action for m in self.modalities.values() for action in m.face_between),
            tuple(at for m in self.modalities.values() for at in m.faceless),
            tuple(place for m in self.modalities.values() for place in m.face_places),
        )
