"""Assembly of a recipe: its corpus, its experiments, its emotions and its system."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from moodal.core import manifest as manifests
from moodal.core.concatenation import concatenate, origins
from moodal.core.emotions import Targets, Values
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import MADE_UP, Manifest
from moodal.core.recipe import Recipe
from moodal.core.targets import JointTargets
from moodal.evaluation.protocols import PROTOCOLS, folds, zero_shot
from moodal.evaluation.protocols.disjoint import disjoint_by
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.protocols.select_on_test import select_on_test
from moodal.evaluation.protocols.subset import only
from moodal.model.languages import COLUMN
from moodal.train.data.dataset import valid_spans
from moodal.train.systems import SYSTEMS
from moodal.train.systems.section import parse_system
from moodal.train.systems.system import System


def corpus(recipe: Recipe) -> Manifest:
    """Read the prepared corpus of a recipe, and merge, choose and append its emotions."""
    prepared = recipe.data.prepared
    folders = [prepared] if isinstance(prepared, str) else prepared
    if not folders:
        raise UsageError("data.prepared names no folder.")
    corpora = [manifests.read(folder) for folder in folders]
    manifest = only(corpora[0] if len(corpora) == 1 else concatenate(corpora), recipe.data.where)
    manifest = learned_part(manifest, recipe)
    if recipe.data.merges:
        manifest = manifest.merged(recipe.data.merges)
    if recipe.protocol.append_from:
        extra = manifests.read(recipe.protocol.append_from)
        manifest = zero_shot.append(manifest, extra, recipe.protocol.unseen)
    if recipe.data.labels and manifest.ratings is None:
        manifest = manifest.only(recipe.data.labels)
    elif recipe.data.labels and manifest.ratings is not None:
        values = [x for x in recipe.data.labels if x in manifest.ratings.space.labels]
        words = [x for x in recipe.data.labels if x not in values]
        ratings = manifest.ratings.only(values) if values else manifest.ratings
        manifest = dataclasses.replace(manifest, ratings=ratings)
        manifest = manifest.only(words) if words else manifest
    return manifest


def learned_part(manifest: Manifest, recipe: Recipe) -> Manifest:
    """Keep what the recipe learns of a corpus: its emotions, its values, or both.

    Raises:
        DataError: the corpus has no values.
        UsageError: both are asked for, and the corpus has no emotions, or the protocol holds out
            emotions.
    """
    wanted = recipe.data.targets
    if not wanted:
        return dataclasses.replace(manifest, ratings=None)
    if wanted == "values":
        return manifest.rated
    if isinstance(manifest.space, Values):
        raise UsageError(
            f"data.targets = 'both' needs emotions next to values; {manifest.corpus} has "
            f"{', '.join(manifest.space.labels)} alone: leave data.targets out."
        )
    if recipe.protocol.name != "supervised":
        raise UsageError(
            f"protocol {recipe.protocol.name} holds out emotions, which data.targets = 'both' does "
            "not allow; leave data.targets out."
        )
    return manifest if manifest.ratings is not None else manifest.rated


def targets_of(manifest: Manifest) -> Targets:
    """Return what a system learns of a corpus: its labels, with the values next to them."""
    space = manifest.space
    if manifest.ratings is None or isinstance(space, Values):
        return space
    return JointTargets(space, manifest.ratings.space)


def seen_of(space: Targets, experiment: Experiment) -> Targets:
    """Return the targets that training sees; of emotions with values that is all."""
    return space if isinstance(space, JointTargets) else space.select(experiment.seen)


def space_of(recipe: Recipe, manifest: Manifest) -> Targets:
    """Look up the vectors of what is learned of the corpus in the source of the recipe.

    Raises:
        SpaceError: a word has no vector.
    """
    space = targets_of(manifest)
    if not recipe.space.vectors:
        return space
    from moodal.modalities.text.emotion_vectors import word_vectors

    source = word_vectors(recipe.space.vectors)
    vectors = source.vectors(
        space.labels,
        synonyms=recipe.space.synonyms,
        capitalised=recipe.space.capitalised,
    )
    return space.with_vectors(vectors, source.source).of_length(recipe.space.length)


def experiments(recipe: Recipe, manifest: Manifest) -> list[Experiment]:
    """List the experiments that the recipe's split and protocol ask for.

    Raises:
        UsageError: a fold that does not exist, or a protocol that lacks its emotions, or holds
            out emotions of a corpus that has values instead.
    """
    protocol = recipe.protocol
    entry = PROTOCOLS[protocol.name]
    if entry.needs_unseen and isinstance(manifest.space, Values):
        raise UsageError(
            f"protocol {protocol.name} holds out emotions, and {manifest.corpus} has the values "
            f'{", ".join(manifest.space.labels)} instead; set protocol.name = "supervised".'
        )
    if len(set(protocol.unseen)) < len(protocol.unseen):
        raise UsageError("protocol.unseen names an emotion twice.")
    if entry.needs_unseen and not protocol.unseen:
        raise UsageError(f"protocol {protocol.name} needs protocol.unseen, a list of emotions.")
    chosen = []
    for experiment in _chosen(recipe, list(_split(recipe, manifest))):
        if entry.apply is not None:
            experiment = entry.apply(experiment, protocol)
        if recipe.train.select_on == "test":
            experiment = select_on_test(experiment)
        if stamp := _shared_speakers(experiment):
            experiment = dataclasses.replace(experiment, stamps=(*experiment.stamps, stamp))
        if MADE_UP in manifest.notes:
            experiment = dataclasses.replace(experiment, stamps=(*experiment.stamps, MADE_UP[:-1]))
        chosen.append(experiment)
    return chosen


def _shared_speakers(experiment: Experiment) -> str:
    """Return a stamp if test speakers are also in training; else "".

    An official split gets none, because its audit reports the same.
    """
    if experiment.name == "official":
        return ""
    speakers = experiment.manifest.column("speaker")
    tested = {speakers[row] for row in experiment.test} - {None}
    shared = tested & {speakers[row] for row in experiment.shown}
    if not shared:
        return ""
    return f"speaker-dependent: {len(shared)} of {len(tested)} test speakers are in training too"


def _split(recipe: Recipe, manifest: Manifest) -> Iterator[Experiment]:
    """Yield the folds, each split again by a column whose values are held out too, if any."""
    for fold in (_limited(fold, recipe) for fold in _folds(recipe, manifest)):
        if recipe.split.apart:
            yield from disjoint_by(fold, recipe.split.apart)
        else:
            yield fold


def _folds(recipe: Recipe, manifest: Manifest) -> Iterator[Experiment]:
    split = recipe.split
    share = (split.valid_share, split.seed, split.valid_by)
    if split.file:
        by = "speaker" if split.by == "official" else split.by
        yield from folds.from_file(manifest, split.file, by, *share)
    elif split.by == "official":
        yield folds.official(manifest, split.rest)
    else:
        yield from folds.grouped(manifest, split.by, split.folds, *share)


def require_corpora(names: Iterable[str], manifest: Manifest, key: str) -> None:
    """Check that a corpus, or a language of one, is among those that train.

    Raises:
        UsageError: it is not; the message names the key and the corpora.
    """
    languages = manifest.column(COLUMN)
    corpora = [corpus for corpus, _ in origins(manifest)]
    known = {*corpora, *(f"{c} {own}" for c, own in zip(corpora, languages, strict=True))}
    for name in names:
        if name not in known:
            listed = ", ".join(dict.fromkeys(corpora))
            raise UsageError(f"{key} names {name}, which is not there; the corpora are {listed}.")


def _limited(experiment: Experiment, recipe: Recipe) -> Experiment:
    """Keep at most so many training rows of each language of the corpora that `Data.most` names."""
    most = recipe.data.most
    if not most:
        return experiment
    manifest = experiment.manifest
    languages = manifest.column(COLUMN)
    rows_by_group: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    drawn = np.random.default_rng(recipe.train.seed).permutation(experiment.train)
    for row, (corpus, _) in zip(drawn, origins(manifest, drawn), strict=True):
        rows_by_group[corpus, languages[row]].append(int(row))
    kept = [
        rows[: most.get(f"{corpus} {language}", most.get(corpus))]
        for (corpus, language), rows in rows_by_group.items()
    ]
    train = np.sort(np.concatenate([np.array(rows, np.int64) for rows in kept]))
    if not len(train):
        raise UsageError("data.most leaves no training row.")
    return dataclasses.replace(experiment, train=train)


def _chosen(recipe: Recipe, all_folds: list[Experiment]) -> list[Experiment]:
    wrong = [i for i in recipe.split.only if not 0 <= i < len(all_folds)]
    if wrong:
        raise UsageError(f"split.only names fold {wrong[0]}; there are {len(all_folds)}, from 0.")
    return [all_folds[i] for i in recipe.split.only] or all_folds


def readable(experiment: Experiment, system: System, trim: bool) -> Experiment:
    """Leave out the rows that the system cannot read, and count them in a stamp.

    A closed-set system needs every stream of a row, an open-set one any of them; a
    stream of nothing but padding is absent where padding is trimmed.

    Raises:
        DataError: nothing is left to train, validate or test on.
    """
    streams = system.streams
    present = []
    for stream in streams:
        frames = experiment.manifest.features[stream]
        present.append((valid_spans(frames)[1] if trim else frames.lengths) > 0)
    needs_all = not system.open_set
    read = np.all(present, axis=0) if needs_all else np.any(present, axis=0)
    parts = {**experiment.parts, "shots": experiment.shots}
    kept = {part: rows[read[rows]] for part, rows in parts.items()}
    for part in ("train", "valid", "test"):
        if not len(kept[part]):
            raise DataError(
                f"{experiment.name}: no {part} row has {' and '.join(streams)}; choose another "
                "split or other streams."
            )
    used = np.unique(np.concatenate(list(parts.values())))
    left_out = int((~read[used]).sum())
    stamps = experiment.stamps
    if left_out:
        what = f"one of {', '.join(streams)}" if needs_all else f"any of {', '.join(streams)}"
        stamps = (*stamps, f"{left_out} rows without {what} left out")
    return dataclasses.replace(experiment, **kept, stamps=stamps)


def system(recipe: Recipe, manifest: Manifest, space: Targets) -> System:
    """Build the recipe's system, with random weights drawn by the recipe's seed."""
    name, settings = parse_system(recipe.system, recipe.title)
    widths = {stream: frames.width for stream, frames in manifest.features.items()}
    torch.manual_seed(recipe.train.seed)
    return SYSTEMS[name].build(settings, widths, space)
