"""Second views of a corpus: those that it brings, and made ones where it brings none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Views
from moodal.features.encode import encode_items
from moodal.features.store import FeatureStore, as_item, item_of
from moodal.features.views.encoders import SpeechView, TextView
from moodal.modalities.encoder import Encoder, Item

_KINDS: dict[str, type[TextView] | type[SpeechView]] = {"text": TextView, "speech": SpeechView}

Block = tuple[Frames, np.ndarray, np.ndarray]
"""Views, their rows, and whether each was given."""


def with_views(
    manifest: Manifest,
    encoders: Mapping[str, Encoder],
    store: FeatureStore | None = None,
    jobs: int = 1,
    count: int = 1,
    seed: int = 0,
) -> Manifest:
    """``manifest`` with second views of each stream of ``encoders`` that can have any.

    An utterance has, in this order of preference: the views that ``manifest.views`` holds
    already (authors' features of their augmented transcripts); all that it brings as
    ``Utterance.views``, encoded, in their order; ``count`` made ones,
    where it has the medium. A view of which the encoder makes nothing is left out.

    Args:
        manifest: after `moodal.features.encode.encode_corpus` with the same encoders.
        encoders: stream -> its encoder; streams other than text and speech get no views.
        store: keeps them, so that a second run computes nothing.
        jobs: processes; 1 works in this one.
        count: made views of each utterance that brings none; 0 for none.
        seed: of what is made; each medium's views depend on it and on the medium alone.

    Raises:
        DataError: media cannot be read, all of them in one sentence.
        UsageError: ``count`` is negative.
        MissingDependencyError: python-stretch is not installed.
    """
    if count < 0:
        raise UsageError(f"views is how many to make of each utterance, 0 or more; got {count}.")
    views, notes = dict(manifest.views), list(manifest.notes)
    for stream, encoder in encoders.items():
        if stream not in _KINDS:
            continue
        there = views.pop(stream, None)
        if there is not None and there.frames.width != encoder.width:
            notes.append(
                f"{stream}: its {len(there.rows):,} second views came as features of width "
                f"{there.frames.width}, {encoder.spec()['name']} makes {encoder.width}; left out."
            )
            there = None
        elif there is not None:
            notes.append(
                f"{stream}: its {len(there.rows):,} second views came as features; they fit those "
                f"that {encoder.spec()['name']} makes only if the same network made both."
            )
        made = _stream_views(manifest, encoder, there, store, jobs, count, seed)
        if len(made.rows):
            views[stream] = made
    return dataclasses.replace(manifest, views=views, notes=tuple(notes))


def _stream_views(
    manifest: Manifest,
    encoder: Encoder,
    there: Views | None,
    store: FeatureStore | None,
    jobs: int,
    count: int,
    seed: int,
) -> Views:
    """All views of one stream, in the order of their rows."""
    what = f"{manifest.corpus} {encoder.stream}"
    blocks: list[Block] = []
    has: set[int] = set()
    if there is not None:
        blocks.append((there.frames, np.asarray(there.rows), np.asarray(there.given)))
        has.update(np.asarray(there.rows).tolist())

    brought = [
        (row, item)
        for row in range(len(manifest))
        if row not in has
        for item in _brought(manifest, row, encoder.stream)
    ]
    if brought:
        blocks.append(_block(manifest, encoder, brought, store, jobs, f"{what}, given views", True))
        has.update(row for row, _ in brought)

    bare = [
        (row, item)
        for row in range(len(manifest))
        if row not in has and (item := _medium(manifest, row, encoder.stream)) is not None
    ]
    for number in range(count if bare else 0):
        view = _KINDS[encoder.stream](encoder, number, seed)
        view.spec()  # says at once what is not installed
        name = f"{what}, view {number + 1} of {count}"
        blocks.append(_block(manifest, view, bare, store, jobs, name, False))

    if there is not None and len(blocks) == 1:
        return there
    made = f"{count} made of each of {len(bare):,} utterances, seed {seed}"
    source = [f"given for {len(has):,} utterances"] * bool(has) + [made] * bool(bare and count)
    return _joined(blocks, encoder, "; ".join(source))


def _joined(blocks: list[Block], encoder: Encoder, source: str) -> Views:
    """The views of all ``blocks`` by row, empty ones left out; ``blocks`` is emptied.

    One array is made and filled: a corpus's views may be most of the memory.
    """
    nothing = np.zeros(0, np.int64)
    lengths = np.concatenate([nothing, *(frames.lengths for frames, _, _ in blocks)])
    rows = np.concatenate([nothing, *(rows for _, rows, _ in blocks)])
    given = np.concatenate([nothing.astype(bool), *(given for _, _, given in blocks)])
    order = np.argsort(rows, kind="stable")
    order = order[lengths[order] > 0]
    starts = np.zeros(len(rows), np.int64)
    starts[order] = np.cumsum(lengths[order]) - lengths[order]
    values = np.empty((int(lengths.sum()), encoder.width), encoder.dtype)
    view = 0
    while blocks:
        frames, _, _ = blocks.pop(0)
        for features in frames:
            values[starts[view] : starts[view] + len(features)] = features
            view += 1
        del frames
    return Views(Frames(values, lengths[order], encoder.rate), rows[order], given[order], source)


def _block(
    manifest: Manifest,
    encoder: Encoder,
    items: Sequence[tuple[int, Item]],
    store: FeatureStore | None,
    jobs: int,
    what: str,
    given: bool,
) -> Block:
    names = [manifest.utterances[row].id for row, _ in items]
    frames, _ = encode_items(encoder, [item for _, item in items], store, jobs, what, names=names)
    return frames, np.array([row for row, _ in items], np.int64), np.full(len(items), given)


def _brought(manifest: Manifest, row: int, stream: str) -> list[Item]:
    views = manifest.utterances[row].views.get(stream, ())
    items = (as_item(view, manifest.root) for view in views)
    return [item for item in items if item is not None]


def _medium(manifest: Manifest, row: int, stream: str) -> Item | None:
    """What views of an utterance are made from; None where its stream is absent."""
    frames = manifest.features.get(stream)
    if frames is not None and not frames.lengths[row]:
        return None  # nothing there to encode, or unreadable and left out
    return item_of(manifest.utterances[row], stream, manifest.root)
