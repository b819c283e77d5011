"""The records that every part of moodal shares: clips, utterances, frames and second views.

Shapes everywhere: N utterances, T steps (frames, words) of one utterance, D values per step,
C emotions, B utterances in a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from moodal.core.errors import DataError

RATE = 16000
"""Samples per second of all sound that is analysed."""


@dataclass(frozen=True, slots=True)
class ModalityInfo:
    """The data of a modality that tables, figures and artefacts show.

    Attributes:
        name: its key everywhere, e.g. "speech".
        label: its name for readers, e.g. "voice".
        colour: colour of its lines and bars, as "#rrggbb".
        mark: one character that identifies it without colour.
        medium: its medium: "text", "sound", "pictures" or "table".
    """

    name: str
    label: str
    colour: str
    mark: str
    medium: str


BUILT_IN = {
    "text": ModalityInfo("text", "words", "#0072B2", "o", "text"),
    "speech": ModalityInfo("speech", "voice", "#E69F00", "s", "sound"),
    "face": ModalityInfo("face", "face", "#009E73", "^", "pictures"),
}
"""The data of the built-in modalities.

They are kept here, below `moodal.modalities`, because the files of timelines hold the data of other
modalities only: whoever reads, prints or draws one must know these.
"""

STREAMS = tuple(BUILT_IN)
"""The built-in modalities, in the order in which tables and figures show them."""


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Sort modality names for tables and figures: the built-in ones first, others as they come.

    >>> ordered(["pulse", "speech", "text", "speech"])
    ('text', 'speech', 'pulse')
    """
    unique = dict.fromkeys(names)
    built_in = [name for name in STREAMS if name in unique]
    return (*built_in, *(name for name in unique if name not in STREAMS))


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of a recording: a path, and its start and end in seconds (None: all of it)."""

    path: str
    start: float | None = None
    end: float | None = None

    @property
    def timed(self) -> bool:
        """Return whether it has a start or an end."""
        return self.start is not None or self.end is not None


@dataclass(frozen=True, slots=True)
class Sound:
    """The decoded sound of one utterance.

    Attributes:
        samples: [n] float32 at `RATE`, in [-1, 1].
        speech: start and end in seconds of the part from first to last detected speech; None if
            voice activity was not detected yet.
        cry: whether that part is a cry, in which no speech was detected.
    """

    samples: np.ndarray
    speech: tuple[float, float] | None = None
    cry: bool = False


Medium = str | Clip
"""The medium of a modality in an utterance: a text, or a clip of a file."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """An utterance of one speaker, without its labels.

    Attributes:
        id: unique within its corpus.
        split: "train", "valid", "test", or None where the corpus has no official split.
        speaker: a name or number, None if unknown.
        session: the recording session.
        dialogue: the video or conversation from which it was cut.
        media: modality -> a text or a clip. A video is the clip of "speech" and "face".
        views: modality -> second views that the corpus brings, such as back-translated texts or
            re-synthesised speech.
        extra: other columns of the corpus. These names are common to corpora: "script" (the
            script that was read, if any), "style" ("scripted" or "improvised"), "ctc_text" (the
            transcript as the target of CTC, if it differs from the text).
    """

    id: str
    split: str | None = None
    speaker: str | None = None
    session: str | None = None
    dialogue: str | None = None
    media: Mapping[str, Medium] = field(default_factory=dict)
    views: Mapping[str, tuple[Medium, ...]] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str | None:
        """The transcript, None if there is none."""
        text = self.media.get("text")
        return text if isinstance(text, str) else None


def media_of(**media: Medium | None) -> dict[str, Medium]:
    """Collect the media of an utterance by modality, without those that are None.

    >>> media_of(text="So good!", speech=None)
    {'text': 'So good!'}
    """
    return {name: medium for name, medium in media.items() if medium is not None}


class Frames:
    """N sequences of different lengths, concatenated in one array.

    Attributes:
        values: [sum of lengths, D] float32, or float16 (may be memory-mapped).
        lengths: [N] int64; 0 where this stream is absent.
        rate: steps per second, or None where steps are words.

    >>> frames = Frames.from_list([np.ones((2, 3)), np.zeros((0, 3)), np.ones((1, 3))])
    >>> len(frames), frames.width, frames.lengths.tolist(), frames[0].shape
    (3, 3, [2, 0, 1], (2, 3))
    """

    __slots__ = ("values", "lengths", "rate", "_offsets")

    def __init__(self, values: np.ndarray, lengths: np.ndarray, rate: float | None = None):
        lengths = np.asarray(lengths, dtype=np.int64)
        if values.ndim != 2 or lengths.ndim != 1 or int(lengths.sum()) != len(values):
            raise DataError(
                f"Frames need values [sum of lengths, D] and lengths [N]; got values "
                f"{tuple(values.shape)} and lengths that sum to {int(lengths.sum())}."
            )
        self.values = values
        self.lengths = lengths
        self.rate = rate
        self._offsets = np.concatenate([[0], np.cumsum(lengths)])

    @classmethod
    def from_list(cls, sequences: Sequence[np.ndarray], rate: float | None = None) -> Frames:
        """Concatenate N arrays [T_i, D]; D must be equal."""
        widths = {s.shape[1] for s in sequences if s.ndim == 2}
        if len(widths) != 1 or any(s.ndim != 2 for s in sequences):
            raise DataError(
                f"Sequences of a stream must be [T, D] with one D; got widths {widths}."
            )
        values = np.concatenate(sequences)
        if values.dtype != np.float16:
            values = values.astype(np.float32, copy=False)
        return cls(values, np.array([len(s) for s in sequences]), rate)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: int) -> np.ndarray:
        """Return sequence ``i``, [T_i, D]."""
        if not 0 <= i < len(self):
            raise IndexError(i)
        return self.values[self._offsets[i] : self._offsets[i + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    @property
    def width(self) -> int:
        """D, the values per step."""
        return int(self.values.shape[1])

    @property
    def offsets(self) -> np.ndarray:
        """Offsets [N + 1]: sequence i is ``values[offsets[i]:offsets[i + 1]]``."""
        return self._offsets

    def select(self, rows: Iterable[int] | np.ndarray) -> Frames:
        """Return the sequences of ``rows``, in that order."""
        rows = np.asarray(list(rows) if not isinstance(rows, np.ndarray) else rows, dtype=np.int64)
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        # source position of each output step
        steps = np.arange(int(lengths.sum())) + np.repeat(
            self._offsets[rows] - ends + lengths, lengths
        )
        return Frames(np.asarray(self.values[steps]), lengths, self.rate)

    def concatenate(self, other: Frames) -> Frames:
        """Return these sequences followed by ``other``'s."""
        if self.width != other.width:
            raise DataError(
                f"Streams of the widths {self.width} and {other.width} cannot be concatenated."
            )
        values = np.concatenate([self.values, other.values])
        return Frames(values, np.concatenate([self.lengths, other.lengths]), self.rate)


@dataclass(frozen=True, slots=True)
class Views:
    """Second views of one stream of a corpus: any number for each utterance.

    Attributes:
        frames: V views, with the stream's width.
        rows: [V] int64, ascending, the utterance of each view.
        given: [V] bool, True for a view of the corpus, False for one that moodal created.
        source: a description of the views.
    """

    frames: Frames
    rows: np.ndarray
    given: np.ndarray
    source: str = ""

    def __post_init__(self) -> None:
        if not len(self.frames) == len(self.rows) == len(self.given):
            raise DataError(
                f"{len(self.frames)} views need as many rows and marks; got {len(self.rows)} "
                f"and {len(self.given)}."
            )

    def select(self, rows: Iterable[int] | np.ndarray) -> Views:
        """Return the views of the utterances ``rows``, renumbered in that order."""
        rows = np.asarray(list(rows) if not isinstance(rows, np.ndarray) else rows, np.int64)
        first = np.searchsorted(self.rows, rows, side="left")
        count = np.searchsorted(self.rows, rows, side="right") - first
        ends = np.cumsum(count)
        selected = np.arange(int(count.sum())) + np.repeat(first - ends + count, count)
        new_rows = np.repeat(np.arange(len(rows)), count)
        return Views(self.frames.select(selected), new_rows, self.given[selected], self.source)
