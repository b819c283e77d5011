"""Encoding a whole corpus: every text or clip once, in parallel, through the store."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import numpy as np

from moodal.corpora.manifest import Manifest
from moodal.encoders.encoder import Encoder, Item
from moodal.encoders.store import FeatureStore, resolved
from moodal.errors import DataError, MoodalError, UsageError
from moodal.types import Frames, Utterance

PACK = {"text": 256, "speech": 16, "face": 4}
"""Items encoded and kept at a time: what a kill may lose, per process."""

Result = tuple[str, np.ndarray | str]
"""A key with its features [T, D], or with the sentence that says why there are none."""


def encode_corpus(
    manifest: Manifest,
    encoders: Mapping[str, Encoder],
    store: FeatureStore | None = None,
    jobs: int = 1,
    *,
    skip_unreadable: bool = False,
) -> Manifest:
    """``manifest`` with features for each stream of ``encoders``.

    Equal texts and clips are encoded once. With a store, what is there is read, what is
    not is computed and kept as it comes, so a run that was stopped goes on where it was.
    An utterance without the medium, or in whose text an encoder knows no word, has length
    0 there: the stream is absent for it.

    Args:
        manifest: whose utterances have ``text`` or ``audio`` or ``video``.
        encoders: stream -> encoder of that stream.
        store: None computes everything and keeps nothing.
        jobs: processes; 1 works in this one.
        skip_unreadable: unreadable media become absent streams and a note.

    Raises:
        DataError: media cannot be read: all of them in one sentence, before anything is
            computed where their headers tell, and after everything else is in the store
            where only decoding does.
        UsageError: an encoder stands under a stream that it does not read.
    """
    features, specs = dict(manifest.features), dict(manifest.encoders)
    notes = list(manifest.notes)
    for stream, encoder in encoders.items():
        if encoder.stream != stream:
            raise UsageError(
                f"Encoder {encoder.spec()['name']} reads {encoder.stream}, not {stream}."
            )
        frames, unreadable = _encode_stream(manifest, encoder, store, jobs, skip_unreadable)
        features[stream], specs[stream] = frames, encoder.spec()
        if unreadable:
            notes.append(f"{stream}: {unreadable}; left out as absent.")
        if not frames.lengths.any():
            raise DataError(
                f"{manifest.corpus}: not one utterance has {stream} that "
                f"{encoder.spec()['name']} can encode; leave that stream out."
            )
    return dataclasses.replace(
        manifest, features=features, encoders=specs, notes=tuple(notes), aligned=False
    )


def _encode_stream(
    manifest: Manifest, encoder: Encoder, store: FeatureStore | None, jobs: int, skip: bool
) -> tuple[Frames, str]:
    """The frames of one stream, and what media could not be read, if any."""
    # Without a store its keys still tell equal media apart; nothing is written.
    keeper = store or FeatureStore("unused")
    items: dict[str, Item] = {}
    keys: dict[int, str] = {}
    lost: dict[int, str] = {}
    for row, u in enumerate(manifest.utterances):
        item = _medium(u, encoder.stream, manifest.root)
        if item is None:
            continue
        try:
            keys[row] = keeper.key(item)
            items[keys[row]] = item
        except DataError as error:
            lost[row] = str(error)
    if store:
        store.remember()

    def settle(failed: Mapping[str, str]) -> str:
        """What could not be read, in words; an error unless it may be skipped."""
        lost.update((row, failed[key]) for row, key in keys.items() if key in failed)
        why = {manifest.utterances[row].id: lost[row] for row in sorted(lost)}
        if lost and not skip:
            raise DataError(f"{manifest.corpus}: {_listed(why)}; mend or remove them.")
        return _listed(why) if lost else ""

    found = store.read(encoder, items.keys()) if store else {}
    missing = {key: item for key, item in items.items() if key not in found}
    failed = _refused(encoder, missing)
    settle(failed)
    work = [(key, item) for key, item in missing.items() if key not in failed]
    for results in _computed(encoder, work, jobs, f"{manifest.corpus} {encoder.stream}"):
        fresh = {key: value for key, value in results if not isinstance(value, str)}
        failed.update((key, value) for key, value in results if isinstance(value, str))
        if store:
            store.write(encoder, fresh)
        found.update(fresh)
    unreadable = settle(failed)

    nothing = np.zeros((0, encoder.width), np.float32)
    rows = [found.get(keys.get(row, ""), nothing) for row in range(len(manifest))]
    values = np.concatenate([nothing, *rows])
    return Frames(values, np.array([len(row) for row in rows]), encoder.rate), unreadable


def _refused(encoder: Encoder, items: Mapping[str, Item]) -> dict[str, str]:
    """Those that the encoder's quick look refuses, and why."""
    check: Any = getattr(encoder, "check", None)
    refused = {}
    for key, item in items.items() if check else ():
        try:
            check(item)
        except DataError as error:
            refused[key] = str(error)
    return refused


def _medium(u: Utterance, stream: str, root: str | None) -> Item | None:
    if stream == "text":
        return u.text if u.text and u.text.strip() else None
    clip = u.audio if stream == "speech" else u.video
    return None if clip is None else resolved(clip, root)


def _listed(unreadable: Mapping[str, str]) -> str:
    """The first few of them in words, and how many there are."""
    first = [f"{name} ({why.rstrip('.')})" for name, why in list(unreadable.items())[:3]]
    more = f" and {len(unreadable) - 3} more" if len(unreadable) > 3 else ""
    return f"{len(unreadable)} media cannot be read: {'; '.join(first)}{more}"


def _computed(
    encoder: Encoder, items: Sequence[tuple[str, Item]], jobs: int, what: str
) -> Iterator[list[Result]]:
    """The items' results, pack by pack, in whatever order they are done."""
    size = PACK.get(encoder.stream, 16)
    packs = [items[i : i + size] for i in range(0, len(items), size)]
    with _progress(what, len(items)) as advance:
        if jobs == 1 or len(packs) < 2:
            for pack in packs:
                yield encode_pack(encoder, pack)
                advance(len(pack))
            return
        # spawn: a fork would copy half-made locks of the numerical libraries.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(jobs, len(packs)), mp_context=context)
        try:
            for task in as_completed([pool.submit(encode_pack, encoder, pack) for pack in packs]):
                results = task.result()
                yield results
                advance(len(results))
        except BrokenProcessPool:
            raise MoodalError(
                f"A process that encoded {what} was ended from outside, perhaps for want of "
                "memory; what was done is kept in the store, if there is one: run again, with "
                "fewer jobs."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def encode_pack(encoder: Encoder, pack: Sequence[tuple[str, Item]]) -> list[Result]:
    """The features of each item, together where the encoder can."""
    many: Any = getattr(encoder, "encode_many", None)
    if many:
        arrays = many([item for _, item in pack])
        return [(key, array) for (key, _), array in zip(pack, arrays, strict=True)]
    results: list[Result] = []
    for key, item in pack:
        try:
            results.append((key, encoder.encode(item)))
        except DataError as error:
            results.append((key, str(error)))
    return results


@contextmanager
def _progress(what: str, total: int) -> Iterator[Any]:
    """A bar on stderr with the time left; nothing where there is nothing to do."""
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
