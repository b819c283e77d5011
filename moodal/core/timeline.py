"""Timeline: the result of prediction for one recording, utterance by utterance."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, overload

import numpy as np

from moodal.core.dimensions import Dimensions, headline
from moodal.core.emotions import Value
from moodal.core.face_action import FaceAction, FacePlace
from moodal.core.records import BUILT_IN, ModalityInfo
from moodal.core.summary import (
    NO_FACE,
    NOT_NAMED,
    RecordingSummary,
    face_name,
    faces_of,
    persons_of,
    summarise,
)
from moodal.core.viewer import viewer

UNSURE = "unsure"
"""The label of an utterance on which the model abstains."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of an utterance.

    ``start`` and ``end`` are seconds in the recording, None if the word has no times; ``shares``
    is the word's part of the text's share in each emotion's logit. The parts of all words and
    ``Prediction.rest["text"]`` add up to that share. They are exact parts of a mean over states,
    each of which also depends on the neighbouring words.
    """

    text: str
    start: float | None = None
    end: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moment:
    """A second of speech, or a face in one picture, with its part of the stream's share.

    Times are seconds in the recording. As with `Word`, the parts of all moments of a stream and
    ``Prediction.rest[stream]`` add up to the stream's share.
    """

    start: float
    end: float
    stream: str
    shares: Mapping[str, float]


class SpeakerTurn(NamedTuple):
    """A turn of a speaker: the seconds from which to which somebody speaks."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The emotions, or the values, of one utterance.

    Attributes:
        id: the recording's name and the utterance's number, such as "interview.mp4#3".
        probabilities: emotion -> 0 to 1, calibrated for the streams that are there; empty where
            the model answers with values.
        decided: the most probable emotion, or empty if the model abstains.
        start, end: seconds in the recording; None for a text.
        text: the words, None if they are not known.
        streams: the modalities that were used.
        shares: stream -> emotion -> the stream's part of the emotion's logit. The parts of all
            streams and ``bias`` add up to the logit: in a sum of evidence as in EEA (Dai et al.
            2020), otherwise as Shapley values.
        bias: emotion -> the part of the logit that comes from no stream.
        sources: emotion -> stream -> "learned", "guess" (from the word's vector alone),
            "adapted", or "absent" (the stream has no evidence for it, and no share).
        words, moments: the parts of the shares by word, and by second of speech or face.
        rest: stream -> emotion -> the share minus the parts of its words or moments.
        quality: stream -> measures of its medium, such as {"snr_db": 21.0}.
        absent: stream -> why it was not used, such as "no face".
        flags: remarks on this utterance, one sentence each.
        track: number of the tracked face, None without one.
        values: value -> its number, within the range that `Timeline.values` tells; empty where the
            model answers with emotions.
        alone: stream -> emotion -> the probability from that stream alone, where several were
            used and the fusion has them.
        slices: the answers of equal parts of the utterance, in the order of time, where they were
            asked for (``step``). Their ids end in ".1", ".2", ...; they have no words, moments,
            quality or slices.
        dimensions: stream -> its valence, arousal and dominance; with several streams also
            `moodal.core.dimensions.ANSWER` -> those of the fused answer. Empty where the model
            has none, and then a note of the timeline says why.
        intensity: stream -> how strong the expression is, 0 to 1, of the streams that learned it.
        speaker: who speaks: a name in the subtitles or in an RTTM file, "speaker 2" or "channel
            2", several joined by a comma; None if nobody is named, and for somebody who listens.
        person: the name of the one whose emotions these are, where `speaker` or the faces tell
            persons apart: of a speaker, or of a face that was seen to speak as that speaker.
        language: the language of the words (BCP 47); None if it is not known.
        untrained: the streams that were used and not trained on that language.
        face: what the face does in each picture of the utterance, in the order of time; of a
            slice, the mean over its pictures. Empty where no face is seen, or nobody asked
            (``face_actions``).
    """

    id: str
    probabilities: Mapping[str, float]
    decided: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None
    text: str | None = None
    streams: tuple[str, ...] = ()
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bias: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    words: tuple[Word, ...] = ()
    moments: tuple[Moment, ...] = ()
    rest: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    quality: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    track: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    alone: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    slices: tuple[Prediction, ...] = ()
    dimensions: Mapping[str, Dimensions] = field(default_factory=dict)
    intensity: Mapping[str, float] = field(default_factory=dict)
    speaker: str | None = None
    person: str | None = None
    language: str | None = None
    untrained: tuple[str, ...] = ()
    face: tuple[FaceAction, ...] = ()

    @property
    def headline(self) -> str:
        """The key of ``dimensions`` that stands for the utterance; "" if there are none."""
        return headline(self.dimensions)

    @property
    def logits(self) -> dict[str, float]:
        """Emotion -> the sum of its shares and its bias; a stream that cannot tell it has none."""
        return {
            e: sum((s.get(e, 0.0) for s in self.shares.values()), self.bias.get(e, 0.0))
            for e in self.probabilities
        }

    @property
    def top(self) -> str:
        """The most probable emotion, whether or not the model abstains; "" if there are none."""
        return max(self.probabilities, key=lambda e: self.probabilities[e], default="")

    @property
    def probability(self) -> float | None:
        """The probability of `top`; None if there are no emotions."""
        return self.probabilities.get(self.top)

    @property
    def label(self) -> str:
        """The decided emotion, or "unsure" if the model abstains."""
        return self.decided[0] if self.decided else UNSURE

    @property
    def shown_emotion(self) -> str:
        """The emotion whose percentage and shares are shown: decided, or most probable."""
        return self.decided[0] if self.decided else self.top

    @property
    def who(self) -> str:
        """The person, else the face, such as "face 2"; "no face" or "not named" of neither."""
        if self.person or self.track is not None or NO_FACE in self.absent.values():
            return self.person or face_name(self.track)
        return NOT_NAMED

    @property
    def turn(self) -> str:
        """The words after the speaker's name, such as "ANNA: So good."; "" without words."""
        return f"{self.speaker}: {self.text}" if self.speaker and self.text else self.text or ""

    @property
    def spoken(self) -> str:
        """The language for readers, such as "sw (untrained)"; "" if it is not known.

        Where one of several streams was trained on it, the others are named, as in "de (voice
        untrained)".
        """
        if not self.language or not self.untrained:
            return self.language or ""
        heard = [s for s in self.streams if s in BUILT_IN and BUILT_IN[s].medium != "pictures"]
        names = [BUILT_IN[s].label if s in BUILT_IN else s for s in self.untrained]
        of = "" if set(heard) <= set(self.untrained) else f"{' and '.join(names)} "
        return f"{self.language} ({of}untrained)"

    def known_shares(
        self, stream: str, shares: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Return a stream's shares without the emotions that it cannot tell, which have none.

        Args:
            stream: the stream.
            shares: those of a part of the stream, such as a word; None: those of all of it.
        """
        values = self.shares.get(stream, {}) if shares is None else shares
        return {e: v for e, v in values.items() if self.sources.get(e, {}).get(stream) != "absent"}

    def __repr__(self) -> str:
        time = "" if self.start is None or self.end is None else f"{self.start:g}-{self.end:g} s, "
        return f"Prediction({self.id!r}, {time}{self._said})"

    @property
    def _said(self) -> str:
        """The answer in a few words."""
        if self.values:
            return ", ".join(f"{name} {number:g}" for name, number in self.values.items())
        if not self.top:
            return "nothing"
        decided = " and ".join(self.decided) or f"unsure, {self.top}"
        return f"{decided} {self.probability:.0%}"


@dataclass(frozen=True)
class Timeline(Sequence[Prediction]):
    """The emotions or values of one recording, or of one text, utterance by utterance.

    Attributes:
        path: as it was given; "-" for standard input, "" for arrays.
        predictions: in the order of their time.
        emotions: that were asked for, in that order; none of a model of values.
        duration: seconds of the recording, None for a text.
        kind: "audio", "video", "image", "text" or "subtitles".
        absent: stream -> why the whole recording lacks it, such as "no speech".
        notes: remarks on the whole recording, one sentence each.
        artefact: name, digest and moodal's version of the model.
        waveform: [n, 2] float32, lowest and highest sample of each of n equal spans of the
            sound, for plots; None if there is no sound.
        thumbnails: (seconds, [48, 48] uint8 grey) of some of the faces.
        modalities: the modalities that the model reads, with their labels, colours and marks.
        values: that were asked for, in that order, with their ranges; none of a model of emotions.
        prior: the name of the prior under which the probabilities hold; "" for that of training.
        step: seconds of the utterances' slices; None without slices.
        face_between: what the face does in pictures that belong to no utterance, in the order of
            time; where actions of faces were asked for.
        faceless: seconds of the pictures in which no face is seen, likewise.
        face_places: where each tracked face is in each picture in which it was seen, in the order
            of time.
        turns: who speaks when, where voices were compared once more at the end; an utterance was
            cut while it was read, and has the speaker of most of its time.
    """

    path: str
    predictions: tuple[Prediction, ...]
    emotions: tuple[str, ...]
    duration: float | None = None
    kind: str = "audio"
    absent: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    artefact: Mapping[str, str] = field(default_factory=dict)
    waveform: np.ndarray | None = None
    thumbnails: tuple[tuple[float, np.ndarray], ...] = ()
    modalities: tuple[ModalityInfo, ...] = ()
    values: tuple[Value, ...] = ()
    prior: str = ""
    step: float | None = None
    face_between: tuple[FaceAction, ...] = ()
    faceless: tuple[float, ...] = ()
    face_places: tuple[FacePlace, ...] = ()
    turns: tuple[SpeakerTurn, ...] = ()

    def __len__(self) -> int:
        return len(self.predictions)

    @overload
    def __getitem__(self, i: int) -> Prediction: ...

    @overload
    def __getitem__(self, i: slice) -> tuple[Prediction, ...]: ...

    def __getitem__(self, i: int | slice) -> Prediction | tuple[Prediction, ...]:
        return self.predictions[i]

    @property
    def rows(self) -> tuple[Prediction, ...]:
        """The answers in the finest time: an utterance's slices, or the utterance if it has none.

        The rows of one utterance follow each other.
        """
        return tuple(row for p in self.predictions for row in p.slices or (p,))

    def __repr__(self) -> str:
        long = "" if self.duration is None else f", {self.duration:g} s"
        count = f"{len(self)} utterance{'' if len(self) == 1 else 's'}"
        return f"Timeline({self.path!r}{long}, {count})"

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        head = "<tr><th>start</th><th>end</th><th>text</th><th>answer</th></tr>"
        rows = (
            f"<tr><td>{_shown(p.start)}</td><td>{_shown(p.end)}</td>"
            f"<td>{html.escape(p.turn)}</td><td>{html.escape(p._said)}</td></tr>"
            for p in self.rows
        )
        return f"<p>{html.escape(repr(self))}</p><table>{head}{''.join(rows)}</table>"

    @property
    def language(self) -> str | None:
        """The language in which most is said, by the characters; None if none is known."""
        letters: Counter[str] = Counter()
        for p in self.predictions:
            if p.language:
                letters[p.language] += max(1, len(p.text or ""))
        return letters.most_common(1)[0][0] if letters else None

    @property
    def faces(self) -> tuple[int, ...]:
        """The numbers of the tracked faces, in the order in which they appear."""
        return faces_of(self)

    @property
    def persons(self) -> tuple[str, ...]:
        """The names of the persons, in the order in which they appear; none where there is one."""
        return persons_of(self)

    def summary(self) -> RecordingSummary:
        """Return the answer for the recording as a whole, and for each of several persons."""
        return summarise(self.predictions, self.emotions)

    def to_frame(self, *, summary: bool = False) -> Any:
        """Return a pandas DataFrame with the columns of CSV, see `moodal.core.table.to_frame`.

        Args:
            summary: whether a row is the recording, or a face in it, in place of an utterance.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        from moodal.core.table import to_frame

        return to_frame(self, summary=summary)

    def show(self, *, embed: bool = False, height: int = 900) -> Any:
        """Return the view of `moodal report` for a notebook, which shows it in an iframe.

        Args:
            embed: whether the recording at `path` becomes a part of the notebook, so that it can
                be played; without it, the view lets the reader choose the file.
            height: pixels of the iframe.

        Raises:
            DataError: the recording is to be embedded and cannot be read, is none, or is too large.
        """
        return viewer("notebook")(self, embed=embed, height=height)


def _shown(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"
