"""Zero-shot: emotions that training does not contain, in the two ways of EEA.

On MOSEI, the rows with the emotion are removed from training and validation, its column is
dropped, and all emotions are tested. On IEMOCAP, rows of a class that the corpus does not have are
appended to the test as an additional emotion. Source: Dai et al. 2020, section 4.4; the rows equal
those of the published code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from moodal.core.concatenation import joined_acoustics, joined_ratings, notes_of_ratings
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.recipe import Protocol
from moodal.evaluation.protocols.experiment import Experiment


def apply(experiment: Experiment, protocol: Protocol) -> Experiment:
    """Hold the unseen emotions of a recipe out.

    Raises:
        SpaceError, DataError: as `hold_out`.
    """
    return hold_out(experiment, protocol.unseen)


def hold_out(experiment: Experiment, unseen: Sequence[str]) -> Experiment:
    """Remove the unseen emotions from training and validation; test on every emotion.

    Validation loses their rows too, so that the epoch is selected without them.

    Raises:
        SpaceError: the corpus does not have an emotion.
        DataError: no row or no emotion is left to train or validate on.
    """
    manifest = experiment.manifest
    columns = [manifest.space.index(label) for label in unseen]
    hidden = np.any(manifest.labels[:, columns] > 0, axis=1)
    train = experiment.train[~hidden[experiment.train]]
    valid = experiment.valid[~hidden[experiment.valid]]
    if not len(train) or not len(valid):
        raise DataError(
            f"Without {', '.join(unseen)}, {len(train)} training and {len(valid)} validation "
            "rows are left; hold out fewer emotions."
        )
    seen = tuple(label for label in experiment.seen if label not in unseen)
    if not seen:
        raise DataError("Every emotion is held out; leave at least one to train on.")
    return dataclasses.replace(experiment, train=train, valid=valid, seen=seen)


def append(manifest: Manifest, extra: Manifest, emotions: Sequence[str]) -> Manifest:
    """Append the rows of another corpus that have one of ``emotions``, as new classes.

    The label columns of ``emotions`` are appended, and the rows keep their split. Only streams of
    both corpora are kept; so are measures of sounds, and values if both have the same.

    Args:
        manifest: the corpus to extend.
        extra: the corpus that has the emotions.
        emotions: the new classes.

    Raises:
        DataError: the corpus already has an emotion, the other corpus has no rows of it, widths
            differ, or a corpus has values instead of emotions.
    """
    if not isinstance(manifest.space, EmotionSpace) or not isinstance(extra.space, EmotionSpace):
        raise DataError(
            f"{manifest.corpus} and {extra.corpus} must both have emotions, not values."
        )
    known = [label for label in emotions if label in manifest.space.labels]
    if known:
        raise DataError(f"{manifest.corpus} already has {', '.join(known)}; nothing to append.")
    columns = [extra.space.index(label) for label in emotions]
    rows = np.flatnonzero((extra.labels[:, columns] > 0).any(axis=1))
    if not len(rows):
        raise DataError(f"{extra.corpus} has no row of {', '.join(emotions)}.")
    added = extra.select(rows)
    labels = np.zeros((len(manifest) + len(added), len(manifest.space) + len(emotions)), np.float32)
    labels[: len(manifest), : len(manifest.space)] = manifest.labels
    labels[len(manifest) :, len(manifest.space) :] = added.labels[:, columns]
    for column, label in enumerate(manifest.space.labels):
        if label in extra.space.labels:  # keep the other emotions of a row
            labels[len(manifest) :, column] = added.labels[:, extra.space.index(label)]
    shared = [stream for stream in manifest.features if stream in added.features]
    utterances = tuple(
        dataclasses.replace(u, id=f"{extra.corpus}:{u.id}") for u in added.utterances
    )
    return dataclasses.replace(
        manifest,
        space=EmotionSpace((*manifest.space.labels, *emotions), manifest.space.task),
        utterances=manifest.utterances + utterances,
        labels=labels,
        features={
            stream: manifest.features[stream].concatenate(added.features[stream])
            for stream in shared
        },
        encoders={s: e for s, e in manifest.encoders.items() if s in shared},
        notes=(
            *manifest.notes,
            *(n for n in extra.notes if n not in manifest.notes),
            *notes_of_ratings((manifest, added)),
        ),
        acoustics=joined_acoustics((manifest, added)),
        ratings=joined_ratings((manifest, added)),
    )
