"""Rows of a corpus: each observed as an utterance of prediction, then encoded.

Rows are encoded by `moodal.features.encode`: in parallel, with progress, and through a store, so
that an interrupted run resumes, and another question about the same rows reads the store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import DataError
from moodal.core.records import RATE, Clip, Frames, Sound
from moodal.core.scripts import joined
from moodal.features.encode import encode_each
from moodal.features.store import FeatureStore
from moodal.media.audio import read_audio
from moodal.media.probe import probe
from moodal.media.video import frames
from moodal.modalities import MODALITIES
from moodal.modalities.encoder import Encoder, Item, file_hash
from moodal.modalities.modality import Absent, Observed, Settings
from moodal.modalities.speech.spoken import spoken
from moodal.modalities.speech.transcribe import Hearing, has_base, transcript
from moodal.model.segmentation import Segment


def observe_row(name: str, item: str | Clip) -> Observed | Absent:
    """Observe a text or a clip as one utterance.

    Args:
        name: the name of the modality.
        item: a text, or a clip whose path is absolute or relative to the current folder.

    Raises:
        DataError: the clip cannot be read.
    """
    modality = MODALITIES[name](Settings())
    if isinstance(item, str):
        answer = modality.observe(Segment(text=item).window())
    elif modality.info.medium == "sound":
        answer = modality.observe(Segment().window(_sound(item)))
    elif modality.info.medium == "pictures":
        pictures = frames(item.path, start=item.start, end=item.end, longest=modality.largest)
        for picture in pictures:
            modality.watch(modality.look(picture))
        answer = modality.observe(Segment().window())
    else:
        answer = modality.observe(Segment().window(media={name: item}))
    return answer if isinstance(answer, Absent) else answer[0]


def _sound(clip: Clip) -> Sound | None:
    """Read the samples of a clip; None if it is intact and has no sound."""
    try:
        return Sound(read_audio(clip.path, rate=RATE, start=clip.start, end=clip.end))
    except DataError:
        if probe(clip.path).has_audio:
            raise
        return None


@dataclass(frozen=True)
class RowEncoder(Encoder):
    """The encoder of a row: it observes one utterance and encodes the observation.

    Subclasses reduce the frames to what a scorer needs of them.

    Attributes:
        modality: its name.
        reader: the encoder.
        heard: how the words of clips are transcribed, for text; None where items are texts.
    """

    modality: str
    reader: Encoder
    heard: Hearing | None = None
    name: ClassVar[str] = "row"
    rate: ClassVar[None] = None

    @property
    def stream(self) -> str:
        """The modality."""
        return self.modality

    @property
    def width(self) -> int:
        """The width of the reader's frames."""
        return self.reader.width

    @property
    def reduction(self) -> str:
        """The end of the fingerprint, which says how the frames are reduced."""
        return ""

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        own = self.reader.spec()
        how = f"heard-{_digest(self.heard)}" if self.heard else "row"
        fingerprint = f"{own['fingerprint']}-{how}{self.reduction}"
        return {**own, "name": self.name, "fingerprint": fingerprint}

    def encode(self, item: Item) -> np.ndarray:
        """Encode an item into frames [T, D]; T is 0 if nothing is observed.

        Raises:
            DataError: the clip cannot be read.
        """
        if isinstance(item, np.ndarray):  # pictures that need no observation
            return self.reader.encode(item)
        assert not isinstance(item, Sound)
        if self.heard and isinstance(item, Clip):
            sound = _sound(item)
            item = "" if sound is None else _words(spoken(sound.samples), self.heard)
        observed = observe_row(self.modality, item)
        if isinstance(observed, Absent):
            return np.zeros((0, self.width), np.float32)
        return self.reader.encode(observed.item)


def _digest(how: Hearing) -> str:
    """Return a short hash of all that decides what a transcript is."""
    folder = Path(how.model) / "model.bin"
    weights = file_hash(folder) if folder.is_file() else ""
    text = json.dumps([how.model, how.language, has_base(), weights])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _words(samples: np.ndarray, how: Hearing) -> str:
    said = transcript(samples, threads=1, model=how.model, language=how.language)
    return joined(word.text for word in said.words)


@dataclass
class Rows:
    """The states that one modality gives for N rows.

    Attributes:
        states: the states of each row that the scorer scores; length 0 where it has none.
        lost: row -> why it could not be read.
    """

    states: Frames
    lost: dict[int, str] = field(default_factory=dict)

    @property
    def present(self) -> np.ndarray:
        """Return whether each row has states: [N] bool."""
        return self.states.lengths > 0


def encode_rows(
    encoder: Encoder,
    items: Sequence[Item | None],
    store: FeatureStore,
    jobs: int,
    what: str,
) -> Rows:
    """Encode the rows that have an item, in parallel, through the store."""
    encoded, lost = encode_each(encoder, items, store, jobs, what)
    return Rows(encoded, lost)


def merged(first: Rows, second: Rows) -> Rows:
    """Fill the rows that ``first`` lacks with those of ``second``."""
    states = [
        np.asarray(a if len(a) else b) for a, b in zip(first.states, second.states, strict=True)
    ]
    return Rows(Frames.from_list(states), first.lost | second.lost)
