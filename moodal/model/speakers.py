"""Speakers: who says each utterance, found in the voices, or given by a file or by channels.

The names that are found while a recording is read are provisional. At its end all voices are
compared once more, and the predictions get their final names.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.records import RATE
from moodal.core.timeline import Prediction, SpeakerTurn
from moodal.media.rttm import NamedTurn, read_rttm
from moodal.modalities.speech.speakers.turns import MOST, Turn, speaker_during
from moodal.model.segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from moodal.modalities.speech.speakers.diarise import Diariser

AUTO, CHANNELS = "auto", "channels"
"""The number of speakers is found; each channel is a speaker."""

UNSURE = "The speaker is uncertain."
"""The flag of an utterance that is too short to tell, or fits several voices."""

OVERLAP = "Several people may speak at once."
"""The flag of an utterance in which a second voice is heard, or an RTTM file has one."""

LONGEST = 15.0
"""Seconds of the longest utterance; a longer turn of an RTTM file is cut into equal parts."""

NEIGHBOURS = 20
"""Turns before and after one that are looked at for an overlap."""

Cut = Callable[[float, float], np.ndarray]
"""Returns the samples [n] at 16 kHz between two seconds of the recording."""


class Speakers:
    """The base class of what tells who speaks; an object of it serves one recording."""

    def segmentation(self) -> Segmentation | None:
        """Return the segmentation that the speakers' turns are; None: the usual one."""
        return None

    def divide(self, segment: Segment, cut: Cut) -> list[Segment]:
        """Divide a segment without words where the speaker changes, and name the speakers."""
        return [segment]

    def name(self, segment: Segment, cut: Cut) -> None:
        """Name the speaker of a segment that has its words already."""

    def finish(self) -> None:
        """Compare all voices once more, when the recording has ended."""

    def corrected(self, prediction: Prediction) -> Prediction:
        """Return a prediction with its final speaker, after `finish`."""
        return prediction

    def final(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Return all predictions of the recording with their final speakers, after `finish`."""
        return [self.corrected(prediction) for prediction in predictions]

    @property
    def final_turns(self) -> tuple[SpeakerTurn, ...]:
        """The corrected turns, after `finish`; none where the utterances themselves are turns."""
        return ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences that a reader should know of who speaks."""
        return ()


@dataclass
class VoiceSpeakers(Speakers):
    """Speakers who are told apart by their voices.

    Attributes:
        diariser: tells them apart.
        found: the starts of the segments whose speakers it named.
        turns: the corrected turns, after `finish`.
    """

    diariser: Diariser
    found: set[float] = field(default_factory=set)
    turns: list[Turn] = field(default_factory=list)

    def divide(self, segment: Segment, cut: Cut) -> list[Segment]:
        """Divide a segment without words where the speaker changes, and name the speakers."""
        turns = self._heard(segment, cut)
        if not turns or segment.start is None or segment.end is None:
            return [segment]
        edges = [segment.start, *(turn.start for turn in turns[1:]), segment.end]
        pieces = []
        for turn, start, end in zip(turns, edges[:-1], edges[1:], strict=True):
            self.found.add(start)
            pieces.append(
                replace(
                    segment,
                    start=start,
                    end=end,
                    speech=(turn.start, turn.end),
                    speaker=_named(turn),
                    flags=_flags(turn),
                )
            )
        return pieces

    def name(self, segment: Segment, cut: Cut) -> None:
        """Name the speaker of a segment that has its words already."""
        turns = self._heard(segment, cut)
        if turns and segment.start is not None and segment.end is not None:
            self.found.add(segment.start)
            if (turn := speaker_during(turns, segment.start, segment.end)) is not None:
                segment.speaker, segment.flags = _named(turn), _flags(turn)

    def _heard(self, segment: Segment, cut: Cut) -> list[Turn]:
        """Hear the speech of a segment that has no speaker yet."""
        if segment.speaker or segment.speech is None or segment.cry or not segment.spoken:
            return []
        return self.diariser.hear(segment.speech[0], cut(*segment.speech))

    def finish(self) -> None:
        """Compare all voices once more, when the recording has ended."""
        self.turns = self.diariser.finish()

    @property
    def final_turns(self) -> tuple[SpeakerTurn, ...]:
        """The corrected turns, after `finish`."""
        return tuple(SpeakerTurn(turn.start, turn.end, _named(turn)) for turn in self.turns)

    def corrected(self, prediction: Prediction) -> Prediction:
        """Return a prediction with its final speaker, after `finish`."""
        start, end = prediction.start, prediction.end
        if prediction.speaker is None or start not in self.found or end is None:
            return prediction
        turn = speaker_during(self.turns, start, end)
        if turn is None:
            return prediction
        others = [flag for flag in prediction.flags if flag not in (UNSURE, OVERLAP)]
        slices = (replace(s, speaker=_named(turn)) for s in prediction.slices)
        return replace(
            prediction,
            speaker=_named(turn),
            flags=(*_flags(turn), *others),
            slices=tuple(slices),
        )


@dataclass
class RttmSpeakers(Speakers):
    """Speakers whose turns an RTTM file tells; these are the utterances.

    Attributes:
        turns: in the order of their starts; they may overlap.
        remarks: what a reader should know of the file.
    """

    turns: Sequence[NamedTurn]
    remarks: Sequence[str] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences that a reader should know of who speaks."""
        return tuple(self.remarks)

    def segmentation(self) -> Segmentation | None:
        """Return the segmentation that the speakers' turns are."""
        return Turns(self.turns)

    def name(self, segment: Segment, cut: Cut) -> None:
        """Name the speaker of a subtitle: the one who speaks most of its time."""
        if segment.speaker or segment.start is None or segment.end is None:
            return
        seconds: dict[str, float] = {}
        for turn in self.turns:
            until = turn.start + turn.duration
            shared = min(segment.end, until) - max(segment.start, turn.start)
            if shared > 0:
                seconds[turn.name] = seconds.get(turn.name, 0.0) + shared
        segment.speaker = max(seconds, key=lambda name: seconds[name], default=None)


@dataclass
class ChannelSpeaker(Speakers):
    """The one speaker of a channel.

    Attributes:
        channel: from 0.
    """

    channel: int

    def divide(self, segment: Segment, cut: Cut) -> list[Segment]:
        """Name the channel as the speaker."""
        self.name(segment, cut)
        return [segment]

    def name(self, segment: Segment, cut: Cut) -> None:
        """Name the channel as the speaker."""
        if segment.spoken and not segment.speaker:
            segment.speaker = f"channel {self.channel + 1}"


class ChannelSpeakers(Speakers):
    """The speakers of all channels, who may speak at the same time."""

    def final(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Return the predictions, with a flag where two channels speak at once."""
        spans = [(p.start or 0.0, p.end or 0.0, p.speaker) for p in predictions]
        longest = max((end - start for start, end, _ in spans), default=0.0)
        starts = [start for start, _, _ in spans]  # in the order of time
        flagged = []
        for p, (start, end, speaker) in zip(predictions, spans, strict=True):
            near = range(bisect_left(starts, start - longest), bisect_left(starts, end))
            overlaps = speaker is not None and any(
                spans[i][2] not in (None, speaker) and spans[i][1] > start for i in near
            )
            flagged.append(replace(p, flags=(OVERLAP, *p.flags)) if overlaps else p)
        return flagged


@dataclass
class Turns(Segmentation):
    """The segmentation by the turns of an RTTM file: one segment for each turn, as it ends.

    Attributes:
        turns: in the order of their starts.
        heard: the second up to which the sound was read.
    """

    turns: Sequence[NamedTurn]
    heard: float = 0.0
    _passed: int = 0

    @property
    def settled(self) -> float:
        """The beginning of the next turn."""
        if self._passed < len(self.turns):
            return self.turns[self._passed].start
        return math.inf

    def hear(self, start: float, samples: np.ndarray) -> list[Segment]:
        """Return the turns that have ended."""
        self.heard = start + len(samples) / RATE
        return self._ended(self.heard)

    def finish(self, seconds: float) -> list[Segment]:
        """Return the turns that are left."""
        return self._ended(math.inf, seconds)

    def current(self, now: float) -> Segment | None:
        """Return the first turn that goes on."""
        turns = self.turns[self._passed : self._passed + NEIGHBOURS]
        for turn in turns:
            if turn.start < now < turn.start + turn.duration:
                return Segment(turn.start, now, speech=(turn.start, now), speaker=turn.name)
        return None

    def _ended(self, until: float, length: float = math.inf) -> list[Segment]:
        """Return the next turns that end before second ``until``, cut at the recording's length."""
        segments: list[Segment] = []
        while self._passed < len(self.turns):
            turn = self.turns[self._passed]
            end = turn.start + turn.duration
            if end > until:
                break
            flags = (OVERLAP,) * self._overlaps(self._passed)
            self._passed += 1
            if turn.start < length:
                end = min(end, length)
                count = max(1, math.ceil((end - turn.start) / LONGEST))
                edges = np.linspace(turn.start, end, count + 1).tolist()
                segments += [
                    Segment(*span, speech=span, speaker=turn.name, flags=flags)
                    for span in pairwise(edges)
                ]
        return segments

    def _overlaps(self, place: int) -> bool:
        """Return whether somebody else speaks during a turn."""
        own = self.turns[place]
        near = self.turns[max(0, place - NEIGHBOURS) : place + NEIGHBOURS]
        return any(
            other.name != own.name
            and other.start < own.start + own.duration
            and own.start < other.start + other.duration
            for other in near
        )


def speakers_of(option: str | int | Path, recording: str = "") -> Speakers:
    """Return who tells the speakers of a recording.

    Args:
        option: "auto", a number of speakers, or an RTTM file; see `read_speakers`.
        recording: the recording's name, by which an RTTM file may call it.

    Raises:
        DataError: the RTTM file cannot be read, or is wrong.
    """
    if isinstance(option, int) or option == AUTO:
        # the network of voices is loaded where it is needed
        from moodal.modalities.speech.speakers.diarise import Diariser

        return VoiceSpeakers(Diariser(option if isinstance(option, int) else None))
    notes: list[str] = []
    return RttmSpeakers(read_rttm(option, Path(recording).stem or None, notes.append), notes)


def read_speakers(option: str | int | Path | None) -> str | int | Path | None:
    """Check what is asked of the speakers, and read a number out of a text.

    A text names an RTTM file by its ending; a path is one, whatever it is called.

    >>> read_speakers("2"), read_speakers("auto")
    (2, 'auto')

    Raises:
        UsageError: the option is invalid, or there is no such file.
    """
    if option is None or option in (AUTO, CHANNELS):
        return option
    if isinstance(option, str) and option.isdecimal():
        option = int(option)
    if isinstance(option, int):
        if isinstance(option, bool) or not 1 <= option <= MOST:
            raise UsageError(f"speakers is a number from 1 to {MOST}; got {option}.")
        return option
    path = Path(option)
    if isinstance(option, str) and path.suffix.lower() != ".rttm":
        raise UsageError(
            f'speakers is "{AUTO}", a number, "{CHANNELS}" or a file .rttm; got {str(option)!r}.'
        )
    if not path.is_file():
        raise UsageError(f"There is no RTTM file {path}.")
    return path


def with_persons(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Return predictions with the names of persons, where speakers are known.

    A face that is seen to speak mostly as one speaker is that person, also where it listens.
    """
    seconds: dict[int, dict[str, float]] = {}
    for p in predictions:
        if p.speaker and p.track is not None:
            own = seconds.setdefault(p.track, {})
            length = (p.end or 0.0) - (p.start or 0.0)
            own[p.speaker] = own.get(p.speaker, 0.0) + max(length, 1e-3)
    names = {}
    for track, own in seconds.items():
        best = max(own, key=lambda name: own[name])
        if 2 * own[best] > sum(own.values()):
            names[track] = best
    if not any(p.speaker for p in predictions):
        return list(predictions)
    # a voice that is not in the picture is nobody who listens in it
    unseen = {(p.start, p.speaker) for p in predictions if p.speaker and p.track is None}
    return [_with_person(p, p.speaker or _listener(p, names, unseen)) for p in predictions]


def _listener(
    p: Prediction, names: Mapping[int, str], unseen: Collection[tuple[float | None, str | None]]
) -> str | None:
    """Return the name of a face that listens, if it was seen to speak elsewhere."""
    name = None if p.track is None else names.get(p.track)
    return None if (p.start, name) in unseen else name


def _with_person(p: Prediction, person: str | None) -> Prediction:
    slices = tuple(replace(s, person=person) for s in p.slices)
    return replace(p, person=person, slices=slices)


def _named(turn: Turn) -> str:
    return f"speaker {turn.speaker}"


def _flags(turn: Turn) -> tuple[str, ...]:
    return (*[UNSURE] * (not turn.sure), *[OVERLAP] * turn.overlap)
