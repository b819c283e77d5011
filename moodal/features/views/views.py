"""Second views of a corpus: those that it contains, and augmented views of sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moodal.core.errors import UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames, Views
from moodal.features.encode import Jobs, encode_items
from moodal.features.store import FeatureStore, as_item, item_of
from moodal.features.views.encoders import SpeechView
from moodal.modalities.encoder import Encoder, Item
from moodal.modalities.infos import info_of


@dataclass(frozen=True)
class _Block:
    """The views of one origin: their frames, their rows, and whether the corpus contains them."""

    frames: Frames
    rows: np.ndarray
    brought: np.ndarray


def with_views(
    manifest: Manifest,
    encoders: Mapping[str, Encoder],
    store: FeatureStore | None = None,
    jobs: Jobs = 1,
    count: int = 1,
    seed: int = 0,
) -> Manifest:
    """Return the manifest with second views of each stream of ``encoders`` that can have any.

    An utterance has, in this order of preference: the views that ``manifest.views`` holds as
    features (authors' features of their augmented transcripts); all ``Utterance.views``, encoded
    in their order; and, for sound alone, ``count`` augmented views. A view without any encoded
    step is left out, and so are given views that cannot be read, which a note counts.

    Args:
        manifest: after `moodal.features.encode.encode_corpus` with the same encoders.
        encoders: stream -> its encoder.
        store: keeps the views, so that a second run computes nothing.
        jobs: the number of processes; 1 is this process.
        count: the number of augmented views of each utterance without given ones; 0 for none.
        seed: the seed of augmented views; each depends on it and on the sound alone.

    Raises:
        DataError: media of which views are made cannot be read, all of them in one sentence.
        UsageError: ``count`` is negative.
        MissingDependencyError: python-stretch is not installed.
    """
    if count < 0:
        raise UsageError(f"views is how many to make of each utterance, 0 or more; got {count}.")
    views, notes = dict(manifest.views), list(manifest.notes)
    for stream, encoder in encoders.items():
        as_features = views.pop(stream, None)
        if as_features is not None:
            fits = as_features.frames.width == encoder.width
            notes.append(_note_of_features(stream, as_features, encoder, fits))
            as_features = as_features if fits else None
        maker = _Maker(manifest, encoder, store, jobs, count, seed)
        stream_views, unreadable = maker.views(as_features)
        notes += [f"{stream}: of its second views, {reasons}; left out." for reasons in unreadable]
        if len(stream_views.rows):
            views[stream] = stream_views
        bare = {row for row, _ in maker.media()} - set(stream_views.rows.tolist())
        if count and bare and not maker.makes:
            notes.append(
                f"{stream}: second views are made of sound only; {len(bare):,} utterances bring "
                "none, and have none."
            )
    return dataclasses.replace(manifest, views=views, notes=tuple(notes))


def _note_of_features(stream: str, views: Views, encoder: Encoder, fits: bool) -> str:
    """Describe whether views that came as features are used together with encoded ones."""
    name, count = encoder.spec()["name"], len(views.rows)
    if fits:
        return (
            f"{stream}: its {count:,} second views came as features; they fit those that {name} "
            "makes only if the same network made both."
        )
    return (
        f"{stream}: its {count:,} second views came as features of width {views.frames.width}, "
        f"{name} makes {encoder.width}; left out."
    )


@dataclass(frozen=True)
class _Maker:
    """The encoder of one stream's views; the fields are the arguments of `with_views`."""

    manifest: Manifest
    encoder: Encoder
    store: FeatureStore | None
    jobs: Jobs
    count: int
    seed: int

    @property
    def makes(self) -> bool:
        """Return whether this stream can be augmented."""
        return info_of(self.encoder.stream).medium == "sound"

    def views(self, as_features: Views | None) -> tuple[Views, list[str]]:
        """Return all views of the stream, in the order of their rows, and what was unreadable."""
        blocks: list[_Block] = []
        unreadable: list[str] = []
        rows_with_views: set[int] = set()
        if as_features is not None:
            rows = np.asarray(as_features.rows)
            blocks.append(_Block(as_features.frames, rows, np.asarray(as_features.given)))
            rows_with_views.update(rows.tolist())
        brought = [item for item in self._brought() if item[0] not in rows_with_views]
        if brought:
            block, reasons = self._encoded(self.encoder, brought, "given views", brought=True)
            blocks.append(block)
            unreadable += [reasons] if reasons else []
            # who brings none that can be read gets augmented ones
            rows_with_views.update(block.rows[block.frames.lengths > 0].tolist())
        bare = [item for item in self.media() if item[0] not in rows_with_views]
        count = self.count if bare and self.makes else 0
        for number in range(count):
            view = SpeechView(self.encoder, number, self.seed)
            view.spec()  # a missing package is named before anything is computed
            name = f"view {number + 1} of {self.count}"
            blocks.append(self._encoded(view, bare, name, brought=False)[0])
        if as_features is not None and len(blocks) == 1:
            return as_features, unreadable
        sources = []
        if rows_with_views:
            sources.append(f"given for {len(rows_with_views):,} utterances")
        if count:
            sources.append(f"{count} made of each of {len(bare):,} utterances, seed {self.seed}")
        return _joined(blocks, self.encoder, "; ".join(sources)), unreadable

    def _brought(self) -> Iterator[tuple[int, Item]]:
        """Yield the rows and media of the views that the corpus contains as texts or clips."""
        for row, utterance in enumerate(self.manifest.utterances):
            for view in utterance.views.get(self.encoder.stream, ()):
                item = as_item(view, self.manifest.root)
                if item is not None:
                    yield row, item

    def media(self) -> Iterator[tuple[int, Item]]:
        """Yield the rows in which the stream is present, and their media."""
        frames = self.manifest.features.get(self.encoder.stream)
        for row, utterance in enumerate(self.manifest.utterances):
            item = item_of(utterance, self.encoder.stream, self.manifest.root)
            if item is not None and (frames is None or frames.lengths[row]):
                yield row, item

    def _encoded(
        self, encoder: Encoder, items: Sequence[tuple[int, Item]], what: str, *, brought: bool
    ) -> tuple[_Block, str]:
        """Encode views; also say which of the given ones cannot be read, "" for none."""
        utterances = self.manifest.utterances
        frames, reasons = encode_items(
            encoder,
            [item for _, item in items],
            self.store,
            self.jobs,
            f"{self.manifest.corpus} {encoder.stream}, {what}",
            skip_unreadable=brought,
            names=[utterances[row].id for row, _ in items],
        )
        rows = np.array([row for row, _ in items], np.int64)
        return _Block(frames, rows, np.full(len(items), brought)), reasons


def _joined(blocks: list[_Block], encoder: Encoder, source: str) -> Views:
    """Sort the views of all ``blocks`` by row, without empty ones; ``blocks`` is emptied.

    One array is allocated and filled: a corpus's views may be most of the memory.
    """
    none = np.zeros(0, np.int64)
    lengths = np.concatenate([none, *(block.frames.lengths for block in blocks)])
    rows = np.concatenate([none, *(block.rows for block in blocks)])
    brought = np.concatenate([none.astype(bool), *(block.brought for block in blocks)])
    order = np.argsort(rows, kind="stable")
    order = order[lengths[order] > 0]
    starts = np.zeros(len(rows), np.int64)
    starts[order] = np.cumsum(lengths[order]) - lengths[order]
    values = np.empty((int(lengths.sum()), encoder.width), encoder.dtype)
    view = 0
    while blocks:
        block = blocks.pop(0)
        for features in block.frames:
            values[starts[view] : starts[view] + len(features)] = features
            view += 1
        del block
    return Views(Frames(values, lengths[order], encoder.rate), rows[order], brought[order], source)
