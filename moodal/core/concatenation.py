"""Concatenation of corpora: several as one, so that a system can be trained on all of them.

Equal names in two corpora are different people, raters, sessions and utterances, so each gets the
name of its corpus before it: "ravdess:01". The corpus of the whole is called "crema-d+ravdess".
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from moodal.core.acoustics import Acoustics
from moodal.core.emotions import EmotionSpace, Targets
from moodal.core.errors import DataError
from moodal.core.manifest import MADE_UP, Manifest, Ratings
from moodal.core.records import Clip, Frames, Medium, Utterance, ordered
from moodal.core.votes import name_raters

JOINT, SEPARATOR = "+", ":"
"""Between the names of corpora; between the name of a corpus and a name in it."""
CORPUS = "corpus"
"""The column that names the corpus of an utterance; one that a corpus has itself is replaced."""

SAME_ROWS = {
    "ferplus": "fer2013",
    "fer2013-both": "fer2013",
    "crema-d-votes": "crema-d",
    "crema-d-voice-votes": "crema-d",
    "crema-d-face-votes": "crema-d",
    "crema-d-panels": "crema-d",
    "iemocap-votes": "iemocap-release",
}
"""Corpus -> the corpus whose rows it has under the same names."""
SAME_TURNS = ("iemocap-release", "mmer")
"""Corpora whose utterances are the same turns under the same names."""


def concatenate(manifests: Sequence[Manifest]) -> Manifest:
    """Concatenate the utterances of several corpora.

    Emotions are those of all corpora. Where rows may have several, a row says nothing of those
    that its corpus lacks: their labels are NaN. Streams that not all corpora have, and second
    views, are left out; so are values next to emotions, unless all corpora have the same.

    Raises:
        DataError: they are of different tasks or values; two have the same utterances; the
            features of a stream are of different encoders; or they have no stream in common.
    """
    first, names = manifests[0], [m.corpus for m in manifests]
    require_different(names)
    space = _space(manifests)
    common = ordered(s for s in first.features if all(s in m.features for m in manifests))
    features = {stream: _features(stream, manifests) for stream in common}
    if first.features and not features:
        raise DataError(
            f"{' and '.join(names)} have no stream of features in common; prepare them with the "
            "same encoders."
        )
    root = _common_root(manifests)
    unsaid = 0.0 if space.task == "single" else np.nan
    labels = np.full((sum(map(len, manifests)), len(space)), unsaid, np.float32)
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
        licence="; ".join(dict.fromkeys(m.licence for m in manifests)),
        notes=(
            *dict.fromkeys(_note(m, note) for m in manifests for note in m.notes),
            *notes_of_ratings(manifests),
        ),
        root=None if root is None else str(root),
        acoustics=joined_acoustics(manifests),
        ratings=joined_ratings(manifests),
    )


def joined_acoustics(manifests: Sequence[Manifest]) -> Acoustics | None:
    """Join the measures of sounds where all corpora have them."""
    own = [m.acoustics for m in manifests if m.acoustics is not None]
    return functools.reduce(Acoustics.concatenate, own) if len(own) == len(manifests) else None


def origins(manifest: Manifest, rows: Iterable[int] | None = None) -> list[tuple[str, str]]:
    """Return the corpus of each row, and the row's name there.

    Args:
        manifest: a corpus, which may be a concatenation of others.
        rows: row numbers; None for all rows.
    """
    chosen = range(len(manifest)) if rows is None else rows
    names = [manifest.utterances[int(i)].id for i in chosen]
    if JOINT not in manifest.corpus:
        return [(manifest.corpus, name) for name in names]
    parts = [name.partition(SEPARATOR) for name in names]
    return [(corpus, name) for corpus, _, name in parts]


def name_in(whole: str, corpus: str, name: str) -> str | None:
    """Return the name of a corpus's row in another corpus, None where that has no such row.

    >>> name_in("crema-d+ravdess", "ravdess", "01"), name_in("mmer", "iemocap-votes", "Ses01")
    ('ravdess:01', 'Ses01')
    """
    if corpus == whole:
        return name
    for part in whole.split(JOINT):
        if _rows_of(part) == _rows_of(corpus):
            return name if part == whole else f"{part}{SEPARATOR}{name}"
    return None


def _rows_of(corpus: str) -> str:
    """Return the corpus that stands for all those with the same rows."""
    return SAME_TURNS[0] if corpus in SAME_TURNS else SAME_ROWS.get(corpus, corpus)


def require_different(names: Sequence[str]) -> None:
    """Refuse corpora with the same utterances.

    Raises:
        DataError: two of the names are of corpora with the same rows.
    """
    turns = [_rows_of(name) for name in names]
    for number, name in enumerate(turns):
        if name in turns[:number]:
            both = f"{names[turns.index(name)]} and {names[number]}"
            raise DataError(
                f"{both} have the same utterances; name one of them."
                if name != "table"
                else "Two tables have the same corpus name; put their rows into one table."
            )


def _space(manifests: Sequence[Manifest]) -> Targets:
    """Return the emotions of all corpora, or the values that all have."""
    spaces = [m.space for m in manifests]
    first = spaces[0]
    different = next((m for m in manifests if m.space.task != first.task), None)
    if different is not None:
        raise DataError(
            f"{manifests[0].corpus} is {first.task} and {different.corpus} {different.space.task}; "
            "only corpora of one task can be concatenated."
        )
    labels = tuple(dict.fromkeys(label for space in spaces for label in space.labels))
    if first.task != "regression":
        return EmotionSpace(labels, first.task)
    other = next((m for m in manifests if m.space.identity != first.identity), None)
    if other is not None:
        raise DataError(
            f"{manifests[0].corpus} and {other.corpus} have different values; only corpora of the "
            "same values can be concatenated."
        )
    return first


def joined_ratings(manifests: Sequence[Manifest]) -> Ratings | None:
    """Concatenate the values next to emotions, if all corpora have the same."""
    ratings = [m.ratings for m in manifests if m.ratings is not None]
    if len(ratings) < len(manifests) or any(r.space != ratings[0].space for r in ratings):
        return None
    return Ratings(ratings[0].space, np.concatenate([r.numbers for r in ratings]))


def notes_of_ratings(manifests: Sequence[Manifest]) -> list[str]:
    """Name the corpora whose values next to emotions a concatenation leaves out."""
    rated = [m.corpus for m in manifests if m.ratings is not None]
    if not rated or joined_ratings(manifests) is not None:
        return []
    return [
        f"The values of {' and '.join(rated)} next to emotions were left out: not all corpora have "
        "the same."
    ]


def _features(stream: str, manifests: Sequence[Manifest]) -> Frames:
    """Concatenate the features of a stream."""
    first, *others = manifests
    frames = first.features[stream]
    for other in others:
        specs = [m.encoders.get(stream, {}).get("fingerprint") for m in (first, other)]
        if specs[0] != specs[1]:
            raise DataError(
                f"The {stream} of {first.corpus} and of {other.corpus} is of different encoders; "
                f"prepare them with the same one, or one of them with --encoder {stream}=none."
            )
        frames = frames.concatenate(other.features[stream])
    return frames


def _note(manifest: Manifest, note: str) -> str:
    """Return a note with the name of its corpus; what is made up stays a note of the whole."""
    return note if note == MADE_UP else f"{manifest.corpus}: {note}"


def _common_root(manifests: Sequence[Manifest]) -> Path | None:
    """Return the folder that holds the media of all corpora; None where one has none."""
    roots = [Path(m.root).absolute() for m in manifests if m.root]
    if len(roots) < len(manifests):
        return None
    shared = [a for a in (roots[0], *roots[0].parents) if all(r.is_relative_to(a) for r in roots)]
    return shared[0] if shared else None


def _renamed(utterance: Utterance, manifest: Manifest, root: Path | None) -> Utterance:
    """Return an utterance under the name of its corpus, its media below the common root."""

    def prefixed(value: str) -> str:
        return f"{manifest.corpus}{SEPARATOR}{value}"

    def named(value: str | None) -> str | None:
        return None if value is None else prefixed(value)

    def placed(medium: Medium) -> Medium:
        if not isinstance(medium, Clip) or manifest.root is None:
            return medium
        path = Path(manifest.root).absolute() / medium.path
        inside = path.relative_to(root) if root and path.is_relative_to(root) else path
        return dataclasses.replace(medium, path=inside.as_posix())

    return dataclasses.replace(
        utterance,
        id=prefixed(utterance.id),
        speaker=named(utterance.speaker),
        session=named(utterance.session),
        dialogue=named(utterance.dialogue),
        media={name: placed(medium) for name, medium in utterance.media.items()},
        views={},
        extra={**name_raters(utterance, prefixed), CORPUS: manifest.corpus},
    )
