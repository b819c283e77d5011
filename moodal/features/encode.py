"""Encoding of a whole corpus: every text or clip once, in parallel, through a feature store."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from typing import Any, Protocol

import numpy as np

from moodal.core.errors import AbsentError, DataError, MoodalError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Utterance
from moodal.features.acoustics import SoundMeasures
from moodal.features.store import FeatureStore, items_of
from moodal.modalities.encoder import Encoder, Item
from moodal.modalities.infos import info_of
from moodal.modalities.speech.samples import samples_of

PACK = {"text": 256, "sound": 16, "pictures": 4}
"""Medium -> items encoded and kept at a time: what a kill may lose, per process."""

ATTEMPTS = 3
"""How often damaged entries of a store are computed again before the store is given up."""

Result = tuple[str, np.ndarray | str]
"""A key with its features [T, D], or with the reason for their absence in one sentence."""

Pack = tuple[list[Result], dict[str, np.ndarray]]
"""The results of some items, and what a companion encoder gave: key -> [T, D]."""


class Workers(Protocol):
    """Processes elsewhere that encode, such as those of a cluster."""

    def encode(
        self,
        encoder: Encoder,
        packs: Sequence[Sequence[tuple[str, Item]]],
        companion: Encoder | None,
    ) -> Iterator[Pack]:
        """Yield what `encode_pack` returns of each pack, or of parts of it, in any order."""
        ...


Jobs = int | Workers
"""The number of processes of this machine that encode, 1 or more; or workers elsewhere."""


def encode_corpus(
    manifest: Manifest,
    encoders: Mapping[str, Encoder],
    store: FeatureStore | None = None,
    jobs: Jobs = 1,
    *,
    skip_unreadable: bool = False,
) -> Manifest:
    """Return the manifest with features for each stream of ``encoders``.

    Equal texts and clips are encoded once. With a store, stored features are read, and missing ones
    are computed and stored pack by pack, so that a run that was stopped continues.
    An utterance without the medium, whose film has no sound, or in whose text an encoder
    knows no word, has length 0: the stream is absent in it. With a store, every sound
    is measured while it is encoded, see `moodal.features.acoustics`.

    Args:
        manifest: a corpus whose utterances have media of these streams.
        encoders: stream -> encoder of that stream.
        store: where features are stored; None stores nothing.
        jobs: number of processes, of which 1 is this process; or workers elsewhere.
        skip_unreadable: whether unreadable media are taken out of their utterances, with a note
            that counts them; it is an error if no medium of a stream can be read.

    Raises:
        DataError: media cannot be read, all of them in one sentence: before anything is computed
            if their headers show it, else after everything else is stored.
        UsageError: an encoder is given for a stream that it does not read.
    """
    features, specs = dict(manifest.features), dict(manifest.encoders)
    notes, utterances = list(manifest.notes), list(manifest.utterances)
    for stream, encoder in encoders.items():
        if encoder.stream != stream:
            raise UsageError(
                f"Encoder {encoder.spec()['name']} reads {encoder.stream}, not {stream}."
            )
        what = f"{manifest.corpus} {stream}"
        names = [u.id for u in manifest.utterances]
        items = items_of(manifest, stream, encoder)
        settle = _ignored if skip_unreadable else _refusing(what, names)
        measures = SoundMeasures() if store and info_of(stream).medium == "sound" else None
        frames, lost = encode_each(encoder, items, store, jobs, what, settle, measures)
        features[stream], specs[stream] = frames, encoder.spec()
        if lost and frames.lengths.any():
            reasons = {names[row]: reason for row, reason in lost.items()}
            notes.append(f"{stream}: {_listed(reasons)}; left out as absent.")
            utterances = [
                _without(u, stream) if row in lost else u for row, u in enumerate(utterances)
            ]
        elif lost:
            _refusing(what, names)(lost)
        elif not frames.lengths.any():
            raise DataError(
                f"{manifest.corpus}: not one utterance has {stream} that "
                f"{encoder.spec()['name']} can encode; leave that stream out."
            )
    return dataclasses.replace(
        manifest,
        utterances=tuple(utterances),
        features=features,
        encoders=specs,
        notes=tuple(notes),
        aligned=False,
    )


def _without(utterance: Utterance, modality: str) -> Utterance:
    """Return an utterance without the medium of a modality."""
    media = {name: medium for name, medium in utterance.media.items() if name != modality}
    return dataclasses.replace(utterance, media=media)


def _ignored(lost: Mapping[int, str]) -> None:
    """Go on without the rows that are lost."""


def _refusing(what: str, names: Sequence[str]) -> Callable[[Mapping[int, str]], None]:
    """Return a function that refuses lost rows, all of them in one sentence."""

    def refuse(lost: Mapping[int, str]) -> None:
        if lost:
            reasons = {names[row]: reason for row, reason in lost.items()}
            raise DataError(f"{what}: {_listed(reasons)}; correct or remove them.")

    return refuse


def encode_items(
    encoder: Encoder,
    items: Sequence[Item | None],
    store: FeatureStore | None = None,
    jobs: Jobs = 1,
    what: str = "items",
    *,
    skip_unreadable: bool = False,
    names: Sequence[str] | None = None,
) -> tuple[Frames, str]:
    """Encode any texts or clips into frames, in their order; None gets length 0.

    Args:
        encoder: the encoder; equal items are encoded once.
        items: texts, or clips with paths that can be opened.
        store: where features are stored; None stores nothing.
        jobs: number of processes, of which 1 is this process; or workers elsewhere.
        what: name of the items in the progress bar and in messages, such as "crema-d speech".
        skip_unreadable: whether unreadable media get length 0 and a note.
        names: name of each item in messages (default: its number).

    Returns:
        The frames, in the encoder's dtype, and a sentence about unreadable media ("" for none).

    Raises:
        DataError: media cannot be read, see `encode_corpus`.
    """
    labels = [names[row] if names else f"number {row}" for row in range(len(items))]
    settle = _ignored if skip_unreadable else _refusing(what, labels)
    frames, lost = encode_each(encoder, items, store, jobs, what, settle)
    reasons = {labels[row]: reason for row, reason in lost.items()}
    return frames, _listed(reasons) if reasons else ""


def encode_each(
    encoder: Encoder,
    items: Sequence[Item | None],
    store: FeatureStore | None = None,
    jobs: Jobs = 1,
    what: str = "items",
    settle: Callable[[Mapping[int, str]], None] = _ignored,
    companion: Encoder | None = None,
) -> tuple[Frames, dict[int, str]]:
    """Encode items as `encode_items` does, and return the reason for each unreadable row.

    Args:
        settle: called with row -> reason, before anything is computed and afterwards; it may raise.
        companion: another encoder of sound, whose frames of each clip that is decoded are stored.
    """
    # Without a store, its keys are still used to find equal media; nothing is written.
    keeper = store or FeatureStore("unused")
    media, keys, lost = _keyed(items, keeper)
    if store:
        store.remember()

    def unreadable(failed: Mapping[str, str]) -> dict[int, str]:
        for row, key in keys.items():
            if key in failed and row not in lost:
                lost[row] = _reason(encoder, items[row], media[key], failed[key])
        return {row: lost[row] for row in sorted(lost)}

    failed: dict[str, str] = {}
    for _ in range(ATTEMPTS):
        # The lengths of all, and the values only of what no store keeps.
        stored = store.lengths(encoder, media.keys()) if store else {}
        held: dict[str, np.ndarray] = {}
        missing = {k: m for k, m in media.items() if k not in stored and k not in failed}
        failed |= _refused(encoder, missing)
        settle(unreadable(failed))
        work = [(key, item) for key, item in missing.items() if key not in failed]
        for results, further in _computed(encoder, work, jobs, what, companion):
            fresh = {key: value for key, value in results if not isinstance(value, str)}
            failed.update((key, value) for key, value in results if isinstance(value, str))
            stored |= {key: len(value) for key, value in fresh.items()}
            if store:
                store.write(encoder, fresh)
                if companion is not None:
                    store.write(companion, further)
            else:
                held.update(fresh)
        settle(unreadable(failed))
        lengths = np.array(
            [stored.get(keys.get(row, ""), 0) for row in range(len(items))], np.int64
        )
        source = store.packs(encoder, stored.keys()) if store else _taken(held)
        values = _filled(encoder, lengths, keys, source)
        if values is not None:  # else a pack was damaged and deleted: compute its entries again
            return Frames(values, lengths, encoder.rate), unreadable(failed)
    raise DataError(
        f"The feature store in {keeper.folder} cannot be read; delete it or name another."
    )


def _keyed(
    items: Sequence[Item | None], store: FeatureStore
) -> tuple[dict[str, Item], dict[int, str], dict[int, str]]:
    """Return key -> the first item of that content, row -> key, and row -> why it has none."""
    media: dict[str, Item] = {}
    keys: dict[int, str] = {}
    lost: dict[int, str] = {}
    for row, item in enumerate(items):
        if item is not None:
            try:
                keys[row] = store.key(item)
                media.setdefault(keys[row], item)
            except DataError as error:
                lost[row] = str(error)
    return media, keys, lost


def _taken(held: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Yield entries one by one and remove each, so that memory is freed."""
    for key in list(held):
        yield {key: held.pop(key)}


def _filled(
    encoder: Encoder,
    lengths: np.ndarray,
    keys: Mapping[int, str],
    source: Iterator[dict[str, np.ndarray]],
) -> np.ndarray | None:
    """Fill one array [sum of lengths, D] with every row's values; None if the source lacks some.

    It is filled pack by pack, since a corpus may be most of the memory.
    """
    values = np.empty((int(lengths.sum()), encoder.width), encoder.dtype)
    starts = np.cumsum(lengths) - lengths
    rows: dict[str, list[int]] = {}
    for row, key in keys.items():
        if lengths[row]:
            rows.setdefault(key, []).append(row)
    for pack in source:
        for key, entry in pack.items():
            for row in rows.pop(key, ()):
                if len(entry) != lengths[row]:
                    return None
                values[starts[row] : starts[row] + lengths[row]] = entry
    return None if rows else values


def _refused(encoder: Encoder, items: Mapping[str, Item]) -> dict[str, str]:
    """Return the items that the encoder's quick check refuses, and why."""
    refused = {}
    for key, item in items.items():
        try:
            encoder.check(item)
        except AbsentError:
            continue  # it is encoded as length 0
        except DataError as error:
            refused[key] = str(error)
    return refused


def _reason(encoder: Encoder, item: Item | None, first: Item, reason: str) -> str:
    """Return why an item cannot be read, given the reason for one of equal content.

    Media of equal content are read once, but each is refused by its own path.
    """
    if isinstance(item, Clip) and isinstance(first, Clip) and item != first:
        try:
            encoder.check(item)
            encoder.encode(item)
        except DataError as error:
            return str(error)
    return reason


def _listed(unreadable: Mapping[str, str]) -> str:
    """Name the first three unreadable media with their reasons, and count the rest."""
    first = [f"{name} ({reason.rstrip('.')})" for name, reason in list(unreadable.items())[:3]]
    more = f" and {len(unreadable) - 3} more" if len(unreadable) > 3 else ""
    return f"{len(unreadable)} media cannot be read: {'; '.join(first)}{more}"


def _computed(
    encoder: Encoder,
    items: Sequence[tuple[str, Item]],
    jobs: Jobs,
    what: str,
    companion: Encoder | None,
) -> Iterator[Pack]:
    """Yield the results of the items pack by pack, in the order in which they finish."""
    size = PACK.get(info_of(encoder.stream).medium, 16)
    packs = [items[i : i + size] for i in range(0, len(items), size)]
    with _progress(what, len(items)) as advance:
        if not isinstance(jobs, int):
            for results, further in jobs.encode(encoder, packs, companion) if packs else ():
                yield results, further
                advance(len(results))
            return
        if jobs == 1 or len(packs) < 2:
            for pack in packs:
                yield encode_pack(encoder, pack, companion)
                advance(len(pack))
            return
        # spawn, since a fork would copy locks that numerical libraries hold.
        # imported here, since a prediction needs neither
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        context = get_context("spawn")
        pool = ProcessPoolExecutor(min(jobs, len(packs)), mp_context=context)
        try:
            tasks = [pool.submit(encode_pack, encoder, pack, companion) for pack in packs]
            for task in as_completed(tasks):
                results, further = task.result()
                yield results, further
                advance(len(results))
        except BrokenExecutor:
            raise MoodalError(
                f"A process that encoded {what} was ended from outside, perhaps for lack of "
                "memory; finished features are in the store, if there is one: run again, with "
                "fewer jobs."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def encode_pack(
    encoder: Encoder, pack: Sequence[tuple[str, Item]], companion: Encoder | None = None
) -> Pack:
    """Encode a pack of items in one batch, or one by one where an item cannot be read.

    With a companion, each clip of sound is decoded once and encoded by both.
    """
    if type(encoder).encode_many is not Encoder.encode_many:  # else nothing is faster together
        with contextlib.suppress(DataError):
            arrays = encoder.encode_many([item for _, item in pack])
            return [(key, array) for (key, _), array in zip(pack, arrays, strict=True)], {}
    results: list[Result] = []
    further: dict[str, np.ndarray] = {}
    for key, item in pack:
        try:
            if companion is not None and isinstance(item, Clip):
                item = samples_of(item)
                further[key] = companion.encode(item)
            results.append((key, encoder.encode(item)))
        except AbsentError:
            results.append((key, np.zeros((0, encoder.width), encoder.dtype)))
        except DataError as error:
            results.append((key, str(error)))
    return results, further


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Any]:
    """Show a progress bar on stderr with the time left, if any item must be computed."""
    if not total:
        yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *times, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"encoding {what}", total=total)
        yield lambda n: progress.advance(task, n)
