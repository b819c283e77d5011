"""The rows of a corpus as utterances: each observed as prediction observes one, then encoded.

What a row makes of a model goes through `moodal.features.encode`: in parallel, with progress, kept
in a store, so that a run that was stopped goes on, and another question about the same rows is
answered from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import RATE, Clip, Frames, Sound
from moodal.features.encode import encode_each
from moodal.features.store import FeatureStore, resolved
from moodal.media.audio import read_audio
from moodal.media.probe import probe
from moodal.media.video import frames
from moodal.modalities import MODALITIES
from moodal.modalities.encoder import Encoder, Item
from moodal.modalities.modality import Absent, Observed, Settings, Window
from moodal.modalities.speech.spoken import spoken


def observe_row(name: str, item: str | Clip) -> Observed | Absent:
    """Observe a text or a clip as one utterance.

    Args:
        name: of the modality.
        item: the text, or a clip whose path can be opened as it stands.

    Raises:
        DataError: the clip cannot be read.
    """
    modality = MODALITIES[name](Settings())
    if isinstance(item, str):
        answer = modality.observe(Window(text=item))
    elif modality.info.medium == "sound":
        answer = modality.observe(Window(sound=_sound(item)))
    elif modality.info.medium == "pictures":
        pictures = frames(item.path, start=item.start, end=item.end, longest=modality.largest)
        for picture in pictures:
            modality.watch(picture)
        answer = modality.observe(Window())
    else:
        answer = modality.observe(Window(media={name: item}))
    return answer if isinstance(answer, Absent) else answer[0]


def _sound(clip: Clip) -> Sound | None:
    """The samples of a clip; None where it has no sound, which is no damage."""
    try:
        return Sound(read_audio(clip.path, rate=RATE, start=clip.start, end=clip.end))
    except DataError:
        if probe(clip.path).has_audio:
            raise
        return None


@dataclass(frozen=True)
class RowEncoder(Encoder):
    """The frames of one utterance, made by a reader from what is observed of it.

    Attributes:
        modality: its name.
        reader: the encoder.
        heard: items are clips, whose words Whisper hears; for texts.
    """

    modality: str
    reader: Encoder
    heard: bool = False
    name: ClassVar[str] = "row"
    rate: ClassVar[None] = None

    @property
    def stream(self) -> str:
        """The modality."""
        return self.modality

    @property
    def width(self) -> int:
        """The reader's."""
        return self.reader.width

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        return {
            **(own := self.reader.spec()),
            "name": self.name,
            "fingerprint": f"{own['fingerprint']}-{'heard' if self.heard else 'row'}",
        }

    def encode(self, item: Item) -> np.ndarray:
        """Frames [T, D]; T is 0 where nothing is observed.

        Raises:
            DataError: the clip cannot be read.
        """
        assert not isinstance(item, np.ndarray | Sound)
        if self.heard and isinstance(item, Clip):
            sound = _sound(item)
            item = "" if sound is None else _words(spoken(sound.samples))
        observed = observe_row(self.modality, item)
        if isinstance(observed, Absent):
            return np.zeros((0, self.width), np.float32)
        return self.reader.encode(observed.item)


def _words(samples: np.ndarray) -> str:
    from moodal.modalities.speech.transcribe import words

    return " ".join(word.text for word in words(samples, threads=1))


@dataclass
class Rows:
    """The states that one modality gives for N rows.

    Attributes:
        states: of each row what the scorer scores; length 0 where there is nothing.
        lost: row -> why it could not be read.
        text: whether the rows are texts that were read here, of any language.
    """

    states: Frames
    lost: dict[int, str] = field(default_factory=dict)

    @property
    def present(self) -> np.ndarray:
        """[N] bool."""
        return self.states.lengths > 0


def media_of(manifest: Manifest, modality: str) -> list[str | Clip | None]:
    """Return the medium of a modality in each row: a text, a clip that can be opened, or None."""
    items: list[str | Clip | None] = []
    for utterance in manifest.utterances:
        item = utterance.media.get(modality)
        if isinstance(item, str):
            items.append(item if item.strip() else None)
        else:
            items.append(None if item is None else resolved(item, manifest.root))
    return items


def encode_rows(
    encoder: Encoder,
    items: Sequence[str | Clip | None],
    store: FeatureStore,
    jobs: int,
    what: str,
) -> Rows:
    """Encode the rows that have an item, in parallel, through the store."""
    encoded, lost = encode_each(encoder, items, store, jobs, what)
    return Rows(encoded, lost)


def merged(first: Rows, second: Rows) -> Rows:
    """Take the rows of ``second`` where ``first`` has nothing."""
    states = [
        np.asarray(a if len(a) else b) for a, b in zip(first.states, second.states, strict=True)
    ]
    return Rows(Frames.from_list(states), first.lost | second.lost)
