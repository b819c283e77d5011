"""Live: a session that answers while somebody speaks.

with moodal.load().stream(rate=16000) as live:
    for block in microphone:
        for answer in live.hear(block):
            print(answer.at, answer.provisional, answer.prediction)
print(live.timeline)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.core.timeline import Prediction, Timeline
from moodal.media.blocks import Block
from moodal.media.live_pictures import LivePictures
from moodal.media.live_sound import LiveSound
from moodal.media.probe import Kind
from moodal.media.recording import Recording
from moodal.media.subtitles import Cue
from moodal.model.channels import observers
from moodal.model.observation import Observation, Summary
from moodal.model.options import is_unicode
from moodal.model.pace import Pace
from moodal.model.question import Question
from moodal.model.reading import Reading
from moodal.model.said import Said
from moodal.model.speakers import CHANNELS, Speakers, speakers_of, with_persons
from moodal.model.warm import warm_up

RECENT = 3.0
"""Seconds of sound and pictures that a provisional answer is about, at most."""

PATIENCE = 1.0
"""Seconds for which an utterance waits for pictures that are later than its sound."""

RETAINED = 3.0
"""Seconds of sound that are kept for the first words, where nobody said that words would come."""

AHEAD = 20.0
"""Seconds by which pictures may come before their sound."""


@dataclass(frozen=True)
class LiveAnswer:
    """An answer of a live session.

    Attributes:
        prediction: the answer.
        provisional: whether it is about an utterance that goes on, and only its last seconds; it
            will be replaced.
        at: the second of the recording at which it was given.
    """

    prediction: Prediction
    provisional: bool
    at: float


@dataclass(frozen=True)
class LiveSource:
    """The sources of a live session.

    Attributes:
        rate: samples per second; None without sound.
        channels: of the samples.
        name: of the recording.
        pictures: whether pictures will be shown; else they count from the first one on.
        words: whether words will be said; else they count from the first ones on.
    """

    rate: int | None = None
    channels: int = 1
    name: str = ""
    pictures: bool = False
    words: bool = False


class Live:
    """A session that takes sound, pictures and words as they come, and answers.

    Final answers equal those of `Model.predict` for the same recording, as far as pictures and
    words come in time: pictures at most `PATIENCE` seconds after their sound, words at most
    `moodal.model.said.WAIT` seconds after their beginning. A session is used by one thread at a
    time; a model may have many sessions. If a call fails, the answers that it had already found
    are returned by the next call.

    Args:
        question: what is asked.
        source: what will be given.

    Raises:
        UsageError, DataError: as `Model.predict`, or an option does not fit a live session.
    """

    def __init__(self, question: Question, source: LiveSource):
        question.check()
        options = question.options
        if source.rate is None and options.text is not None:
            raise UsageError(
                "The text of a session without sound is said, by its say(); `predict` answers a "
                "text that is given."
            )
        if options.speakers == CHANNELS:
            raise UsageError(
                'The channels of a live stream are mixed; speakers "auto" tells voices apart.'
            )
        self._question, self._source = question, source
        self._sound = None if source.rate is None else LiveSound(source.rate, source.channels)
        self._pictures = LivePictures()
        self._recording = Recording(
            source.name, "audio", pictures=self._pictures.read, is_live=True
        )
        given = options.speakers
        self._speakers = Speakers() if given is None else speakers_of(given, source.name)
        self._reading = Reading(
            self._recording,
            observers(question.modalities, options),
            options,
            question.transcriber,
            self._speakers,
        )
        self._reading.begin(self._reading.choose(has_sound=self._sound is not None))
        self._words: Said | None = None
        self._reading.margin = RETAINED
        self._answered_until = 0.0
        if source.words:
            self._said()
        if not source.pictures:
            self._reading.absences.record_missing("pictures", "no pictures")
        if self._sound is None:
            self._reading.absences.record_missing("sound", "no sound")
        warm_up(question)
        self._answering = question.answering(source.name)
        self._pace = Pace()
        self._predictions: list[Prediction] = []
        self._answers: list[LiveAnswer] = []
        self._late_pictures = 0
        self._timeline: Timeline | None = None

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._timeline is None:
            self.finish()

    @property
    def seconds(self) -> float:
        """The seconds of the recording so far: of its sound, else of its pictures or words."""
        if self._sound is not None:
            return self._reading.buffer.seconds
        said = 0.0 if self._words is None else self._words.latest
        return max(self._pictures.last or 0.0, said)

    @property
    def timeline(self) -> Timeline:
        """The timeline of the whole recording, as `Model.predict` gives it.

        Raises:
            UsageError: the session was not finished.
        """
        if self._timeline is None:
            raise UsageError("The timeline is known when the session ends; call finish() first.")
        return self._timeline

    @property
    def so_far(self) -> Timeline:
        """The timeline of the final answers so far, with the names of their modalities."""
        summary = Summary(self.seconds)
        recording = dataclasses.replace(self._recording, kind=self._kind)
        return self._question.timeline(recording, Speakers(), summary, self._predictions)

    def hear(self, samples: np.ndarray) -> list[LiveAnswer]:
        """Take in the next samples, and return the answers that they allow.

        Args:
            samples: [n] of one channel, or [n, channels]; float32 from -1 to 1, or whole numbers
                such as int16. n is any number.

        Raises:
            UsageError: the session has ended, or was opened without a rate.
            DataError: the samples have another shape or type.
        """
        self._require_open()
        if self._sound is None:
            raise UsageError("This session has no sound; open it with a rate, e.g. rate=16000.")
        with self._pace.working(lambda: self.seconds):
            self._hear(self._sound.take(samples))
            return self._given()

    def see(self, picture: np.ndarray, at: float, scale: float = 1.0) -> list[LiveAnswer]:
        """Take in the next picture, and return the answers that it allows.

        Of the pictures of each 1/``fps`` seconds the first is used, as of a film.

        Args:
            picture: [height, width, 3] uint8, RGB, upright.
            at: its second of the recording; pictures come in the order of their times, and those
                of a second best before its sound.
            scale: pixels per pixel of the camera, at most 1, if it was scaled down.

        Raises:
            UsageError: the session has ended, or the second lies before that of the last picture.
            DataError: the picture has another shape or type, or no sound comes with the pictures.
        """
        self._require_open()
        is_time = isinstance(at, float | int)  # else the pictures say what it is
        if self._sound is not None and is_time and at > self.seconds + AHEAD:
            raise DataError(
                f"A picture of {at:g} s came when {self.seconds:g} s of sound had come; check that "
                "the microphone is on, or open the session without a rate."
            )
        with self._pace.working(lambda: self.seconds):
            is_first = self._pictures.last is None
            self._pictures.add(picture, at, scale)
            if is_first and not self._source.pictures:
                self._reading.absences.withdraw_missing("pictures")
            self._late_pictures += self._pictures.are_wanted and at < self._answered_until
            return self._given()

    def say(
        self, text: str, start: float, end: float, speaker: str | None = None
    ) -> list[LiveAnswer]:
        """Take in words with their times, and return the answers that they allow.

        As a cue of subtitles, they are one utterance: give a sentence or a phrase at once. From
        the first words on, speech without words is no utterance; open the session with
        ``words=True`` so that it waits for the first ones.

        Args:
            text: the words.
            start, end: their seconds in the recording; words come in the order of their starts.
            speaker: the name of who says them, if it is known.

        Raises:
            UsageError: the session has ended, the times are wrong, or options give the words.
        """
        self._require_open()
        if not isinstance(text, str) or not is_unicode(text):
            raise UsageError(f"What is said is a text of whole characters; got {text!r}.")
        with self._pace.working(lambda: self.seconds):
            cue = Cue(float(start), float(end), " ".join(text.split()), speaker)
            self._reading.say(self._said().say(cue))
            return self._given()

    def finish(self) -> list[LiveAnswer]:
        """End the session, and return the last answers; `timeline` has all of them.

        Raises:
            UsageError: the session has ended.
        """
        self._require_open()
        reading = self._reading
        self._pictures.finished = True
        if self._sound is not None:
            self._hear(self._sound.finish())
            for sentence in self._sound.damages:
                reading.absences.note(sentence)
        self._answer(reading.finish())
        self._note_what_is_missing()
        summary = reading.summary()
        notes = (*summary.notes, *self._answering.notes)
        summary = dataclasses.replace(summary, notes=notes)
        final = with_persons(self._speakers.final(self._predictions))
        recording = dataclasses.replace(self._recording, kind=self._kind)
        self._timeline = self._question.timeline(recording, self._speakers, summary, final)
        answers, self._answers = self._answers, []
        return answers

    @property
    def _kind(self) -> Kind:
        """The kind of the recording, by what came."""
        if self._pictures.last is not None:
            return "video"
        return "audio" if self._sound is not None else "subtitles"

    def _note_what_is_missing(self) -> None:
        absences = self._reading.absences
        if self._pictures.last is None:
            absences.record_missing("pictures", "no pictures")
        if not self._reading.buffer.reached:
            absences.record_missing("sound", "no sound")
        if self._late_pictures:
            absences.note(f"Pictures that came after their utterances: {self._late_pictures}")
        if self._words is not None and self._words.late:
            absences.note(self._words.note())

    def _said(self) -> Said:
        """Return the segmentation by words, which begins with the first of them."""
        reading, options = self._reading, self._question.options
        if self._words is not None:
            return self._words
        if options.whole or options.text is not None or reading.divided_by is not None:
            raise UsageError(
                "The utterances of this session are given by its options (text, whole, subtitles "
                "or speakers' turns); leave these out, or the words."
            )
        since = max(reading.spoken_until, self._answered_until, reading.buffer.begins)
        self._words = Said(reading.buffer.seconds, since=since if reading.buffer.reached else 0.0)
        reading.begin(self._words)
        return self._words

    def _hear(self, samples: np.ndarray) -> None:
        if len(samples):
            self._reading.hear(Block(self._reading.buffer.seconds, samples))

    @property
    def _clock(self) -> float:
        """The second up to which sound and pictures are complete, or are not waited for."""
        shown = self._pictures.last
        awaited = self._pictures.are_wanted and (self._source.pictures or shown is not None)
        if self._sound is None:
            return (shown or 0.0) if awaited else math.inf
        sound = self._reading.buffer.seconds
        return max(min(sound, shown or 0.0), sound - PATIENCE) if awaited else sound

    def _given(self) -> list[LiveAnswer]:
        """Return the new answers, and those that were found before an error."""
        self._answer(self._reading.advance(self._clock))
        at = self.seconds
        if not self._answers and self._pace.is_due(at):
            with self._pace.answering(at):
                self._answers += self._provisional(at)
        answers, self._answers = self._answers, []
        return answers

    def _answer(self, observations: Iterable[Observation]) -> None:
        for observation in observations:
            self._answered_until = max(self._answered_until, observation.segment.end or 0.0)
            for prediction in self._answering.answer(observation):
                self._predictions.append(prediction)
                self._answers.append(LiveAnswer(prediction, False, self.seconds))

    def _provisional(self, at: float) -> list[LiveAnswer]:
        """Return the answer for the utterance that goes on, by its last seconds."""
        observation = self._reading.glance(at, RECENT)
        if observation is None:
            return []
        answering = dataclasses.replace(self._answering, step=None)
        return [LiveAnswer(p, True, at) for p in answering.answer(observation)]

    def _require_open(self) -> None:
        if self._timeline is not None:
            raise UsageError("The session has ended; open another one with model.stream(...).")
