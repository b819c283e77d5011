"""The rows of a corpus -> what each branch makes of them, in parallel, through a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from moodal.core.manifest import Manifest
from moodal.core.records import STREAMS, Clip, Frames
from moodal.features.encode import encode_each
from moodal.features.store import FeatureStore, resolved
from moodal.modalities.face.pixels import TOGETHER
from moodal.modalities.text.language import looks_english
from moodal.model.branches import Branch
from moodal.model.states import States

if TYPE_CHECKING:
    from moodal.model.predictor import Predictor


@dataclass
class Read:
    """What one branch made of N rows.

    Attributes:
        states: [N, H]; has: [N] bool, False where there is nothing.
        lost: row -> why it could not be read.
    """

    states: np.ndarray
    has: np.ndarray
    lost: dict[int, str] = field(default_factory=dict)


def has(manifest: Manifest, stream: str, asr: bool) -> bool:
    """Whether some row has a stream, or can be given it."""
    given = stream == "face" and _pixels(manifest) is not None
    return given or any(_items(manifest, stream)) or (stream == "text" and asr)


def _pixels(manifest: Manifest) -> Frames | None:
    """Faces that came with the corpus, as the face branch reads them."""
    frames = manifest.features.get("face")
    return frames if frames is not None and frames.width == 2304 else None


def _items(manifest: Manifest, stream: str) -> list[str | Clip | None]:
    """What a stream's branch reads of each row."""
    found: list[str | Clip | None] = []
    for u in manifest.utterances:
        if stream == "text":
            found.append(u.text if u.text and u.text.strip() else None)
        else:
            clip = u.video if stream == "face" else u.audio or u.video
            found.append(None if clip is None else resolved(clip, manifest.root))
    return found


def read_rows(
    predictor: Predictor,
    manifest: Manifest,
    streams: Sequence[str],
    store: FeatureStore,
    jobs: int,
    asr: bool,
) -> dict[str, Read]:
    """What the branches make of every row, from the store where it is there."""
    read = {}
    for stream in (s for s in STREAMS if s in streams):
        branch = predictor.branches[stream]
        pixels = _pixels(manifest) if stream == "face" else None
        if pixels is not None:
            read[stream] = _given(branch, pixels)
            continue
        what = f"{manifest.corpus} {stream}"
        items = _items(manifest, stream)
        encoder = States.of(predictor.found, branch)
        found = _encoded(encoder, items, store, jobs, what)
        if stream == "text" and asr:
            sound = [
                clip if said is None else None
                for said, clip in zip(items, _items(manifest, "speech"), strict=True)
            ]
            heard = States.of(predictor.found, branch, heard=True)
            more = _encoded(heard, sound, store, jobs, f"{what} (transcribing)")
            found.states[more.has] = more.states[more.has]
            found.has |= more.has
            found.lost |= more.lost
        read[stream] = found
    return read


def _encoded(
    encoder: States, items: Sequence[str | Clip | None], store: FeatureStore, jobs: int, what: str
) -> Read:
    frames, lost = encode_each(encoder, items, store, jobs, what)
    states = np.zeros((len(items), encoder.width), np.float32)
    has = frames.lengths > 0
    states[has] = frames.values
    return Read(states, has, lost)


def _given(branch: Branch, pixels: Frames) -> Read:
    """The mean state of each row's faces, a few hundred faces at a time."""
    states = np.zeros((len(pixels), len(branch.map)), np.float32)
    some = np.flatnonzero(pixels.lengths)
    for rows in np.array_split(some, max(1, len(some) // (8 * TOGETHER))):
        values = pixels.select(rows)
        each = branch.faces(np.asarray(values.values, np.float32))
        sums = np.add.reduceat(each, values.offsets[:-1]) if len(rows) else each
        states[rows] = sums / values.lengths[:, None]
    return Read(states, pixels.lengths > 0)


def without_foreign(manifest: Manifest, read: Mapping[str, Read]) -> list[str]:
    """Leave out texts that are not English, as prediction does, where there is more than them."""
    if "text" not in read:
        return []
    others = [r.has for s, r in read.items() if s != "text"]
    alone = ~np.any(others, axis=0) if others else np.ones(len(manifest), bool)
    foreign = (
        np.array([bool(u.text) and not looks_english(u.text or "") for u in manifest.utterances])
        & read["text"].has
    )
    read["text"].has &= ~(foreign & ~alone)
    stamps = []
    if count := int((foreign & ~alone).sum()):
        stamps.append(f"{count} texts do not look English and were not used")
    if count := int((foreign & alone).sum()):
        stamps.append(f"{count} texts do not look English, the one language known")
    return stamps
