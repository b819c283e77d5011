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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, UsageError
from moodal.core.records import RATE, Clip, Sound
from moodal.core.timeline import Word
from moodal.media.blocks import Block
from moodal.media.envelope import Envelope
from moodal.media.recording import Recording
from moodal.media.subtitles import read_subtitles
from moodal.media.video import Picture
from moodal.modalities.modality import Absent, Modality, Observed, Window
from moodal.modalities.text.sentences import sentences
from moodal.modalities.text.treebank import read_text
from moodal.model.segmentation import (
    Buffer,
    Cues,
    Pauses,
    Segment,
    Segmentation,
    Stretches,
    Whole,
)

GROUP, GAP = 28.0, 3.0
"""Seconds of utterances that are transcribed together, at most, and of silence between them."""

Transcriber = Callable[[np.ndarray, float], Sequence[Word]]
"""(samples [n] at 16 kHz, the second at which they begin) -> their words with times."""


@dataclass(frozen=True)
class Options:
    """How a recording is read.

    Attributes:
        text: what is said in it; the recording is one utterance then.
        subtitles: a file with what is said when: its cues are the utterances.
        whole: the recording is one utterance, whether or not speech is found in it.
        transcribe: hears the words where none are given; None: do without.
        required: whether a transcriber that is not installed is an error, not a remark.
        fps: pictures per second that are looked at.
        media: further files of the recording by modality.
    """

    text: str | None = None
    subtitles: Path | str | None = None
    whole: bool = False
    transcribe: Transcriber | None = None
    required: bool = False
    fps: float = 5.0
    media: Mapping[str, str | Clip] = field(default_factory=dict)

    def require_fit(self, recording: Recording) -> None:
        """Refuse options that do not go together, or do not fit the recording.

        Raises:
            UsageError: says which one to leave out.
        """
        if self.text is not None and self.subtitles is not None:
            raise UsageError("Give the text or the subtitles, not both.")
        if recording.kind in ("text", "subtitles") and (self.text or self.subtitles):
            raise UsageError(
                f"{recording.name} is a text itself; leave --text and --subtitles out."
            )
        if recording.kind == "image" and self.subtitles:
            raise UsageError(f"{recording.name} is a picture, which has no subtitles; use --text.")


@dataclass(frozen=True)
class Observation:
    """One utterance, and what was observed of it.

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
    """What concerns the whole recording, known at its end.

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
    recording: Recording, modalities: Mapping[str, Modality], options: Options
) -> Iterator[Observation | Summary]:
    """Observe a recording once, from its beginning to its end.

    Args:
        recording: opened, see `moodal.media.recording.opened`.
        modalities: name -> a fresh object for this recording.
        options: how it is read.

    Yields:
        An `Observation` for each utterance, in the order of their beginnings, as they end; last
        of all one `Summary`.

    Raises:
        DataError: nothing of it can be read.
        UsageError: options that do not fit it.
    """
    options.require_fit(recording)
    reading = _Reading(recording, modalities, options)
    if recording.kind == "text":
        assert recording.path is not None
        yield from reading.texts(read_text(recording.path))
    elif recording.kind == "subtitles":
        assert recording.path is not None
        reading.remarks.lack("sound", "subtitles have no sound")
        reading.remarks.lack("pictures", "no pictures")
        yield from reading.segments(Cues(read_subtitles(recording.path)).begin())
    else:
        yield from reading.run()
    yield reading.summary()


def observe_text(
    text: str, modalities: Mapping[str, Modality], options: Options
) -> Iterator[Observation | Summary]:
    """Observe a text alone, sentence by sentence; as `observe`."""
    reading = _Reading(Recording("", "text"), modalities, options)
    yield from reading.texts(text)
    yield reading.summary()


class _Reading:
    """One reading of one recording: sound and pictures in step, utterances as they end."""

    def __init__(self, recording: Recording, modalities: Mapping[str, Modality], options: Options):
        self.recording, self.modalities, self.options = recording, modalities, options
        self.remarks = _Remarks(recording, modalities)
        self.envelope, self.buffer = Envelope(), Buffer(RATE)
        self.words = _Words(options, self.buffer, self.remarks)
        self.film = _Film(recording, modalities, options.fps, self.remarks)
        self.stretches = Stretches()
        self.queue: list[tuple[float, int, Segment]] = []
        self.spoken: list[tuple[float, float]] = []  # segments that stretches must not enter
        self.covered = 0.0  # the end of those that were passed
        self.count = 0

    def texts(self, text: str) -> Iterator[Observation]:
        """Observe the sentences of a text."""
        self.remarks.lack("sound", "a text has no sound")
        self.remarks.lack("pictures", "no pictures")
        segments = [Segment(text=sentence) for sentence in sentences(text)]
        if not segments:
            self.remarks.lack("text", "no words")
        yield from self.segments(segments)

    def segments(self, segments: Sequence[Segment]) -> Iterator[Observation]:
        """Observe segments of which there is nothing but the text."""
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
        """Begin to read the sound, and choose what divides it into utterances."""
        options, recording = self.options, self.recording
        cues = None if options.subtitles is None else Cues(read_subtitles(options.subtitles))
        without: Segmentation = cues or Segmentation()
        if recording.sound is None:
            still = recording.kind == "image"
            self.remarks.lack("sound", "a picture has no sound" if still else "no sound")
            return without, iter(())
        blocks = recording.sound(self.remarks.note)
        try:
            first = next(blocks, None)
        except DataError:
            more = cues is not None or options.text is not None or recording.pictures is not None
            if recording.path is None or not more:
                raise
            self.remarks.lack("sound", "the sound cannot be decoded")
            return without, iter(())
        segmentation: Segmentation = cues or Pauses()
        if options.whole or options.text is not None:
            segmentation = Whole(options.text, silence=options.whole)
        return segmentation, itertools.chain(() if first is None else (first,), blocks)

    def _expect(self, segments: Sequence[Segment]) -> None:
        """Wait for the sound, the pictures and the words of segments."""
        for segment in segments:
            self.count += 1
            heapq.heappush(self.queue, (segment.start or 0.0, self.count, segment))
            if segment.spoken and segment.start is not None:
                self.spoken.append((segment.start, segment.end or segment.start))
                self.words.expect(segment)

    def _advance(self, clock: float, settled: float) -> Iterator[Observation]:
        """Give the segments that are complete when sound and pictures have come to ``clock``."""
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
        for at in self.film.sights(until):
            self._pass_speech(at)
            if at >= self.covered:
                self._expect(self.stretches.see(at))
        self._pass_speech(until)
        if until == math.inf:
            self._expect(self.stretches.end())

    def _pass_speech(self, at: float) -> None:
        """End the stretch that goes on where speech begins before second ``at``."""
        while self.spoken and self.spoken[0][0] <= at:
            self._expect(self.stretches.end())
            self.covered = max(self.covered, self.spoken.pop(0)[1])

    def _is_one_utterance(self) -> bool:
        """Whether no stretches are to be looked for: all of it is one utterance."""
        options = self.options
        untimed = options.text is not None and "sound" in self.remarks.lacking
        return options.whole or untimed or self.recording.kind == "image"

    def _last_resort(self) -> list[Segment]:
        """Give the one segment of a recording in which nothing else made one."""
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
        """Let go what no segment needs any more."""
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
        """Cut the sound of a segment; None without any."""
        if segment.start is None or not self.buffer.reached:
            return None
        if segment.start >= self.buffer.seconds:
            if segment.spoken:
                start = segment.start
                self.remarks.note(f"A subtitle begins at {start:.1f} s, after the sound ends.")
                segment.spoken = False
            return None
        end = self.buffer.seconds if segment.end is None else segment.end
        samples = self.buffer.cut(segment.start, end)
        if segment.speech is None:
            return Sound(samples)
        first, last = segment.speech
        return Sound(samples, (first - segment.start, last - segment.start))

    def _observe(self, segment: Segment) -> Observation:
        """Ask every modality what it observes of a segment."""
        sound = self._heard(segment)
        window = Window(
            segment.start,
            segment.end,
            segment.text,
            segment.words,
            sound,
            segment.spoken,
            self.options.media,
        )
        observed: dict[str, Sequence[Observed]] = {}
        absent: dict[str, str] = {}
        for name, modality in self.modalities.items():
            answer = modality.observe(window)
            if isinstance(answer, Absent):
                absent[name] = self.remarks.absent.get(name, answer.reason)
            else:
                observed[name] = answer
        self.remarks.weigh(observed, absent)
        return Observation(segment, observed, absent)

    def summary(self) -> Summary:
        """Sum up the recording."""
        ends = [self.recording.seconds or 0.0, self.buffer.seconds]
        if self.recording.kind != "image":
            ends.append(self.film.end or 0.0)
        silent = self.envelope.peak < QUIET
        self.remarks.conclude("silence" if silent else "no speech", bool(self.count))
        return Summary(
            max(ends) or None,
            dict(self.remarks.absent),
            self.remarks.sentences(),
            self.envelope.drawn,
            tuple(t for m in self.modalities.values() for t in m.thumbnails),
        )


class _Words:
    """Transcribes neighbouring utterances together: Whisper takes as long for one as for 30 s."""

    def __init__(self, options: Options, buffer: Buffer, remarks: _Remarks):
        self._options, self._buffer, self._remarks = options, buffer, remarks
        self._transcribe = options.transcribe
        self._group: list[Segment] = []
        media = {modality.info.medium for modality in remarks.modalities.values()}
        self._wanted = "text" in media and options.text is None

    @property
    def needed(self) -> float:
        """The second from which on the sound is still needed."""
        return self._group[0].start or 0.0 if self._group else math.inf

    def expect(self, segment: Segment) -> None:
        """Wait for the words of a segment, if it has none and they are wanted."""
        if segment.text is not None or not self._wanted:
            return
        if self._transcribe is None:
            off = self._options.transcribe is None and not self._options.required
            self._remarks.lack("text", WITHOUT if off else "no transcript")
            return
        start, end = segment.start or 0.0, segment.end or 0.0
        if self._group:
            first, last = self._group[0].start or 0.0, self._group[-1].end or 0.0
            if end - first > GROUP or not 0 <= start - last <= GAP:
                self._hear()
        segment.ready = False
        self._group.append(segment)

    def settle(self, settled: float) -> None:
        """Transcribe what is waited for, if nothing before ``settled`` can join it."""
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
            words = self._transcribe(self._buffer.cut(begin, end), begin)
        except MissingDependencyError as error:
            if self._options.required:
                raise
            self._transcribe = None
            self._remarks.lack("text", "no transcript")
            self._remarks.note(f"The words were not used: {error}")
            return
        nearest = [min(group, key=lambda s: _distance(s, _middle(word))) for word in words]
        for segment in group:
            own = [w for w, n in zip(words, nearest, strict=True) if n is segment]
            segment.words = tuple(own)
            segment.text = " ".join(word.text for word in own)


class _Film:
    """The pictures of a recording, shown to the modalities that want them, as time passes."""

    def __init__(
        self,
        recording: Recording,
        modalities: Mapping[str, Modality],
        fps: float,
        remarks: _Remarks,
    ):
        self.step = 1 / fps
        self.first: float | None = None
        self._remarks = remarks
        self._watchers = [m for m in modalities.values() if m.largest]
        self._pictures: Iterator[Picture] = iter(())
        self._held: Picture | None = None
        self._last: float | None = None
        self._passed = 0.0
        self._ended = recording.pictures is None or not self._watchers
        if recording.pictures is None:
            remarks.lack("pictures", "no pictures")
        elif self._watchers:
            largest = max(m.largest for m in self._watchers)
            self._pictures = recording.pictures(fps, largest, remarks.note)

    @property
    def end(self) -> float | None:
        """The second at which the last picture so far ends; None without one."""
        return None if self._last is None else self._last + self.step

    def clock(self, seconds: float) -> Iterator[float]:
        """Yield the seconds to go on to where there are pictures but no more sound."""
        while not self._ended:
            seconds = max(seconds, self._last or 0.0) + 1.0
            yield seconds

    def watch(self, until: float) -> None:
        """Show the pictures before second ``until``."""
        while not self._ended and (picture := self._next()) is not None:
            if picture.at >= until:
                self._held = picture
                return
            self._last = picture.at
            for modality in self._watchers:
                modality.watch(picture)

    def _next(self) -> Picture | None:
        picture, self._held = self._held, None
        try:
            picture = picture or next(self._pictures, None)
        except DataError as error:
            if self._last is None:
                self._remarks.lack("pictures", "the pictures cannot be decoded")
            self._remarks.note(str(error))
        self._ended = picture is None
        return picture

    def sights(self, until: float) -> list[float]:
        """Give the seconds, each once, before ``until`` at which something is to be observed."""
        every = sorted({at for m in self._watchers for at in m.sights})
        new = [at for at in every if self._passed <= at < until]
        if new:
            self._passed = math.nextafter(new[-1], math.inf)
            self.first = new[0] if self.first is None else self.first
        return new

    def forget(self, before: float) -> None:
        """Let go the pictures before a second."""
        for modality in self._watchers:
            modality.forget(before - self.step)


class _Remarks:
    """What a reader should know: what lacks, what has a reservation, and notes."""

    def __init__(self, recording: Recording, modalities: Mapping[str, Modality]):
        self.modalities = modalities
        self.lacking: set[str] = set()
        self.absent: dict[str, str] = {}
        self._alone = recording.kind in ("text", "subtitles")
        self._notes: list[str] = []
        self._reserved: dict[tuple[str, str, bool], int] = {}
        self._seen: set[str] = set()

    def note(self, sentence: str) -> None:
        """Note a sentence, once."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def lack(self, medium: str, reason: str) -> None:
        """Say why the whole recording lacks a medium; the first reason stands."""
        self.lacking.add(medium)
        for name, modality in self.modalities.items():
            if modality.info.medium == medium:
                self.absent.setdefault(name, reason)

    def weigh(self, observed: dict[str, Sequence[Observed]], absent: dict[str, str]) -> None:
        """Leave out what has a reservation where something without one was observed."""
        reasons = {name: some[0].reservation for name, some in observed.items()}
        left_out = not self._alone and any(not reason for reason in reasons.values())
        for name, reason in reasons.items():
            if reason:
                key = (self.modalities[name].info.label, reason, left_out)
                self._reserved[key] = self._reserved.get(key, 0) + 1
            if reason and left_out:
                del observed[name]
                absent[name] = reason
        self._seen |= set(observed)

    def conclude(self, sound: str, segmented: bool) -> None:
        """Say at the end why a modality was never observed."""
        for name, modality in self.modalities.items():
            info = modality.info
            if (
                name in self._seen
                or name in self.absent
                or any(name == key[0] for key in self._reserved)
            ):
                continue
            reasons = {"pictures": f"no {info.label}", "text": "no words", "sound": sound}
            reason = reasons.get(info.medium, "nothing to observe")
            if info.medium == "sound" and segmented and sound != "silence":
                reason = "no speech is loud and long enough"
            self.absent[name] = reason

    def sentences(self) -> tuple[str, ...]:
        """Give all notes."""
        reserved = (_reserved(*key, count) for key, count in self._reserved.items())
        return (*self._notes, *reserved)


QUIET = 1e-4
"""The highest sample of what is silence."""

WITHOUT = "no transcript; --asr makes one"
"""Why there are no words where transcription is switched off."""


def _extent(segment: Segment) -> tuple[float, float]:
    """The seconds of a segment in which somebody speaks, as far as they are known."""
    return segment.speech or (segment.start or 0.0, segment.end or 0.0)


def _middle(word: Word) -> float:
    return ((word.start or 0.0) + (word.end or 0.0)) / 2


def _distance(segment: Segment, at: float) -> float:
    return max((segment.start or 0.0) - at, at - (segment.end or 0.0), 0.0)


def _reserved(label: str, reason: str, left_out: bool, count: int) -> str:
    """Say how often something with a reservation was left out, or used all the same."""
    times = "once" if count == 1 else f"{count} times"
    return f"The {label} {'were not used' if left_out else 'may mislead'} {times}: {reason}."
