"""joined: several corpora as one, so that a system can train on all of them.

Equal names in two corpora are different people, sessions and utterances, so each gets the name of
its corpus before it: "ravdess:01". The corpus of the whole is called "crema-d+ravdess".
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace, Targets
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Medium, Utterance, ordered

JOINT, MARK = "+", ":"
"""Between the names of corpora that were joined; between the name of a corpus and its own."""
CORPUS = "corpus"
"""The column of a joined corpus that names where an utterance comes from."""


def join(manifests: Sequence[Manifest]) -> Manifest:
    """Join the utterances of several corpora.

    Emotions are those of all corpora. Streams that not all corpora have, and second views, are
    left out.

    Raises:
        DataError: they are of different tasks; emotions that one corpus may not have asked for
            would count as absent in its rows (multi-label); two have the same name; the features
            of a stream are of different encoders; or no stream is common to all.
    """
    first, names = manifests[0], [m.corpus for m in manifests]
    if len(set(names)) < len(names):
        raise DataError(f"{', '.join(names)}: a corpus can be joined only once.")
    space = _space(manifests)
    features = {s: _features(s, manifests) for s in _common(manifests, lambda m: m.features)}
    held = [m for m in manifests if m.features]
    if held and not features:
        raise DataError(
            f"{' and '.join(names)} have no stream of features in common; prepare them with the "
            "same encoders."
        )
    roots = [m.root for m in manifests if m.root]
    root = os.path.commonpath(roots) if len(roots) == len(manifests) else None
    labels = np.zeros((sum(map(len, manifests)), len(space)), np.float32)
    utterances: list[Utterance] = []
    for manifest in manifests:
        columns = [space.index(label) for label in manifest.space.labels]
        begin = len(utterances)
        utterances += (_renamed(u, manifest, root) for u in manifest.utterances)
        labels[begin : len(utterances), columns] = manifest.labels
    return Manifest(
        corpus=JOINT.join(names),
        space=space,
        utterances=tuple(utterances),
        labels=labels,
        features=features,
        encoders={s: first.encoders[s] for s in features if s in first.encoders},
        aligned=all(m.aligned for m in manifests),
        licence=JOINT.join(dict.fromkeys(m.licence for m in manifests)),
        notes=tuple(dict.fromkeys(f"{m.corpus}: {note}" for m in manifests for note in m.notes)),
        root=root,
    )


def origins(manifest: Manifest, rows: Iterable[int] | None = None) -> list[tuple[str, str]]:
    """Return the corpus of each row, and its name there; those of a joined corpus are its parts'.

    Args:
        rows: row numbers; None for all rows.
    """
    chosen = range(len(manifest)) if rows is None else rows
    names = [manifest.utterances[int(i)].id for i in chosen]
    if JOINT not in manifest.corpus:
        return [(manifest.corpus, name) for name in names]
    parts = [name.partition(MARK) for name in names]
    return [(corpus, name) for corpus, _, name in parts]


def _space(manifests: Sequence[Manifest]) -> Targets:
    """Return the emotions of all corpora, or the values that all have."""
    spaces = [m.space for m in manifests]
    first = spaces[0]
    different = next((m for m in manifests if m.space.task != first.task), None)
    if different is not None:
        raise DataError(
            f"{manifests[0].corpus} is {first.task} and {different.corpus} {different.space.task}; "
            "only corpora of one task can be joined."
        )
    labels = tuple(dict.fromkeys(label for space in spaces for label in space.labels))
    if first.task == "single":
        return EmotionSpace(labels, "single")
    other = next((m for m in manifests if m.space.identity != first.identity), None)
    if other is not None:
        raise DataError(
            f"{manifests[0].corpus} and {other.corpus} have different labels; a row says nothing "
            "of an emotion that its corpus does not have, so only corpora of the same labels can "
            "be joined unless each row has one label."
        )
    return first


def _common(
    manifests: Sequence[Manifest], held: Callable[[Manifest], Mapping[str, Frames]]
) -> tuple[str, ...]:
    """Return the streams that all corpora have."""
    return ordered(s for s in held(manifests[0]) if all(s in held(m) for m in manifests))


def _features(stream: str, manifests: Sequence[Manifest]) -> Frames:
    """Concatenate the features of a stream."""
    for manifest in manifests[1:]:
        specs = [m.encoders.get(stream, {}).get("fingerprint") for m in (manifests[0], manifest)]
        if specs[0] != specs[1]:
            raise DataError(
                f"The {stream} of {manifests[0].corpus} and of {manifest.corpus} was encoded by "
                "different encoders; prepare them with the same one."
            )
    frames = [m.features[stream] for m in manifests]
    if len({f.width for f in frames}) > 1:
        raise DataError(f"The {stream} of {' and '.join(m.corpus for m in manifests)} differ.")
    values = np.concatenate([f.values for f in frames])
    return Frames(values, np.concatenate([f.lengths for f in frames]), frames[0].rate)


def _renamed(utterance: Utterance, manifest: Manifest, root: str | None) -> Utterance:
    """Return an utterance under the name of its corpus, its media below the common root."""

    def named(value: str | None) -> str | None:
        return None if value is None else f"{manifest.corpus}{MARK}{value}"

    def placed(medium: Medium) -> Medium:
        if not isinstance(medium, Clip) or root is None:
            return medium
        path = Path(str(manifest.root)) / medium.path
        inside = path.relative_to(root) if path.is_relative_to(root) else path
        return dataclasses.replace(medium, path=inside.as_posix())

    return dataclasses.replace(
        utterance,
        id=f"{manifest.corpus}{MARK}{utterance.id}",
        speaker=named(utterance.speaker),
        session=named(utterance.session),
        dialogue=named(utterance.dialogue),
        media={name: placed(medium) for name, medium in utterance.media.items()},
        views={},
        extra={**utterance.extra, CORPUS: manifest.corpus},
    )
