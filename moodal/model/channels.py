"""Channels: a recording in which each channel is one person, as calls are recorded.

Each channel is observed by itself; the one whose next utterance begins first is read on, so a
channel that is silent for long is read ahead of the others. The pictures, if there are any, belong
to the first channel.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.media.recording import Recording, Source, opened
from moodal.modalities import MODALITIES
from moodal.modalities.modality import Modality, Settings
from moodal.model.observation import Observation, Summary
from moodal.model.observe import observe
from moodal.model.options import PredictOptions
from moodal.model.speakers import (
    CHANNELS,
    ChannelSpeaker,
    ChannelSpeakers,
    Speakers,
    speakers_of,
)
from moodal.model.transcription import Transcriber

MOST = 16
"""Channels that are told apart; more are no call."""


@dataclass(frozen=True)
class Opened:
    """A recording that is being observed.

    Attributes:
        recording: the recording.
        observations: its utterances in the order of their beginnings, then one `Summary`.
        speakers: tells who speaks.
    """

    recording: Recording
    observations: Iterator[Observation | Summary]
    speakers: Speakers


@dataclass(frozen=True)
class Observing:
    """The way in which recordings are observed.

    Attributes:
        options: the options of the prediction.
        modalities: the names of those that observe.
        transcribe: the transcriber of words that are not given; None for no transcription.
    """

    options: PredictOptions
    modalities: Sequence[str]
    transcribe: Transcriber | None = None

    @contextlib.contextmanager
    def open(self, source: Source, rate: int | None, name: str | None) -> Iterator[Opened]:
        """Open a recording and begin to observe it, see `moodal.media.recording.opened`.

        Raises:
            DataError: it cannot be read, an RTTM file is wrong, or channels are asked for of a
                recording that has none to tell apart.
        """
        option = self.options.speakers
        with opened(source, rate, name, self.options.track) as recording:
            if option == CHANNELS:
                again = source if recording.path is None else recording.path
                yield self._channels(again, rate, recording)
                return
            speakers = Speakers() if option is None else speakers_of(option, recording.name)
            yield Opened(recording, self._observed(recording, speakers), speakers)

    def _observed(
        self, recording: Recording, speakers: Speakers
    ) -> Iterator[Observation | Summary]:
        own = observers(self.modalities, self.options)
        return observe(recording, own, self.options, self.transcribe, speakers)

    def _channels(self, source: Source, rate: int | None, recording: Recording) -> Opened:
        """Observe each channel of a recording by itself."""
        count = recording.channels or 0
        if recording.path is None and not isinstance(source, np.ndarray):
            raise DataError(
                "The channels of a stream are mixed while it is read; save it, and name the file."
            )
        if not 2 <= count <= MOST:
            has = "one channel" if count == 1 else f"{count or 'no'} channels"
            raise DataError(
                f"{recording.name or 'The recording'} has {has}; a person for each needs 2 to "
                f'{MOST}. Speakers "auto" tells voices apart.'
            )
        return Opened(recording, self._merged(source, rate, recording, count), ChannelSpeakers())

    def _merged(
        self, source: Source, rate: int | None, recording: Recording, count: int
    ) -> Iterator[Observation | Summary]:
        summaries: list[Summary] = []

        def channel(number: int, own: Recording) -> Iterator[Observation]:
            observing = self
            if number:
                own = replace(own, pictures=None)
                observing = replace(self, options=replace(self.options, face_actions=False))
            for one in observing._observed(own, ChannelSpeaker(number)):
                if isinstance(one, Summary):
                    summaries.append(one)
                else:
                    yield one

        with contextlib.ExitStack() as stack:
            streams = []
            for number in range(count):
                track = self.options.track
                own = stack.enter_context(
                    opened(source, rate, recording.name, track, channel=number)
                )
                streams.append(channel(number, own))
            yield from heapq.merge(*streams, key=_start)
        yield _joined(summaries)


def _start(observation: Observation) -> float:
    return observation.segment.start or 0.0


def _joined(summaries: Sequence[Summary]) -> Summary:
    """Join what is known of each channel: absent is what all of them lack."""
    first = summaries[0]
    absent = {
        name: why
        for name, why in first.absent.items()
        if all(name in summary.absent for summary in summaries)
    }
    notes = dict.fromkeys(note for summary in summaries for note in summary.notes)
    return Summary(
        max((s.duration for s in summaries if s.duration is not None), default=None),
        absent,
        tuple(notes),
        _envelope([s.waveform for s in summaries if s.waveform is not None]),
        first.thumbnails,
        first.face_between,
        first.faceless,
        first.face_places,
    )


def _envelope(waveforms: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the waveform that encloses those of all channels, which are equally long."""
    if not waveforms or len({len(own) for own in waveforms}) > 1:
        return waveforms[0] if waveforms else None
    both = np.stack(waveforms)
    return np.stack([both[..., 0].min(0), both[..., 1].max(0)], axis=1)


def observers(names: Sequence[str], options: PredictOptions) -> dict[str, Modality]:
    """Create the observer of each modality, which serves one recording."""
    settings = Settings(
        options.fps,
        every=options.faces == "all",
        language=options.language or "",
        face_actions=options.face_actions,
    )
    return {name: MODALITIES[name](settings) for name in names}


def require_faces(options: PredictOptions, names: Sequence[str], model: str) -> None:
    """Check that a modality observes faces, if what they do was asked for.

    Args:
        options: the options of the prediction.
        names: the modalities that are used.
        model: the name of the model, for the message.

    Raises:
        UsageError: none of them does.
    """
    if options.face_actions and not any(MODALITIES[name].has_faces for name in names):
        raise UsageError(
            f"{model} observes no faces, since it reads {', '.join(names)} here; "
            "leave --face-actions out."
        )
