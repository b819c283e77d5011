"""From a recipe to what a training needs: corpus, experiments, space, system."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from moodal.core import manifest as manifests
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import MADE_UP, Manifest
from moodal.core.recipe import Recipe
from moodal.evaluation.protocols import few_shot, folds, zero_shot
from moodal.evaluation.protocols.disjoint import hold_apart
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.protocols.select_on_test import authors
from moodal.evaluation.protocols.subset import only
from moodal.modalities.build import build
from moodal.train.data.dataset import valid_spans
from moodal.train.encoders import ENCODERS
from moodal.train.systems import SYSTEMS
from moodal.train.systems.section import parse_system
from moodal.train.systems.system import System


def corpus(recipe: Recipe) -> Manifest:
    """The prepared corpus of a recipe, its emotions merged, chosen and appended as asked."""
    manifest = only(manifests.read(recipe.data.prepared), recipe.data.where)
    if recipe.data.merges:
        manifest = manifest.merged(recipe.data.merges)
    if recipe.protocol.append_from:
        extra = manifests.read(recipe.protocol.append_from)
        manifest = zero_shot.append(manifest, extra, recipe.protocol.unseen)
    if recipe.data.labels:
        manifest = manifest.only(recipe.data.labels)
    return manifest


def space_of(recipe: Recipe, manifest: Manifest) -> EmotionSpace:
    """The corpus's emotions with the vectors that the recipe names.

    Raises:
        SpaceError: a word has no vector.
    """
    if not recipe.space.vectors:
        return manifest.space
    from moodal.modalities.text.emotion_vectors import word_vectors

    return (
        word_vectors(recipe.space.vectors)
        .space(
            manifest.space.labels,
            manifest.space.task,
            synonyms=recipe.space.synonyms,
            capitalised=recipe.space.capitalised,
        )
        .of_length(recipe.space.length)
    )


def experiments(recipe: Recipe, manifest: Manifest) -> list[Experiment]:
    """The trainings that the recipe's split and protocol ask for.

    Raises:
        UsageError: a fold that does not exist, or a protocol that lacks its emotions.
    """
    protocol = recipe.protocol
    if len(set(protocol.unseen)) < len(protocol.unseen):
        raise UsageError("protocol.unseen names an emotion twice.")
    if protocol.name != "supervised" and not protocol.unseen:
        raise UsageError(f"protocol {protocol.name} needs protocol.unseen, a list of emotions.")
    made = []
    for experiment in _chosen(recipe, list(_split(recipe, manifest))):
        if protocol.name == "zero_shot":
            experiment = zero_shot.hold_out(experiment, protocol.unseen)
        elif protocol.name == "few_shot":
            experiment = few_shot.keep(
                experiment,
                protocol.unseen,
                shots=protocol.shots,
                share=protocol.share,
                seed=protocol.shots_seed,
            )
            if protocol.method == "scratch":
                train = np.union1d(experiment.train, experiment.shots)
                seen = manifest.space.labels
                experiment = dataclasses.replace(experiment, train=train, seen=seen)
        if recipe.train.select_on == "test":
            experiment = authors(experiment)
        if known := _known_speakers(experiment):
            experiment = dataclasses.replace(experiment, stamps=(*experiment.stamps, known))
        if MADE_UP in manifest.notes:
            experiment = dataclasses.replace(experiment, stamps=(*experiment.stamps, MADE_UP[:-1]))
        made.append(experiment)
    return made


def _known_speakers(experiment: Experiment) -> str:
    """The stamp of figures for voices that training has heard; "" where it has heard none.

    A corpus's own split is the corpus's affair: its audit says the same.
    """
    if experiment.name == "official":
        return ""
    speakers = experiment.manifest.column("speaker")
    tested = {speakers[row] for row in experiment.test} - {None}
    heard = tested & {speakers[row] for row in experiment.shown}
    if not heard:
        return ""
    return f"speaker-dependent: {len(heard)} of {len(tested)} test speakers are in training too"


def _split(recipe: Recipe, manifest: Manifest) -> Iterator[Experiment]:
    """The folds, each parted by the column whose values are held out too, if there is one."""
    for fold in _folds(recipe, manifest):
        if recipe.split.apart:
            yield from hold_apart(fold, recipe.split.apart)
        else:
            yield fold


def _folds(recipe: Recipe, manifest: Manifest) -> Iterator[Experiment]:
    split = recipe.split
    share = (split.valid_share, split.seed, split.valid_by)
    if split.file:
        by = "speaker" if split.by == "official" else split.by
        yield from folds.from_file(manifest, split.file, by, *share)
    elif split.by == "official":
        yield folds.official(manifest)
    else:
        yield from folds.grouped(manifest, split.by, split.folds, *share)


def _chosen(recipe: Recipe, made: list[Experiment]) -> list[Experiment]:
    wrong = [i for i in recipe.split.only if not 0 <= i < len(made)]
    if wrong:
        raise UsageError(f"split.only names fold {wrong[0]}; there are {len(made)}, from 0.")
    return [made[i] for i in recipe.split.only] or made


def readable(experiment: Experiment, system: System, trim: bool) -> Experiment:
    """Without the rows that the system cannot read; a stamp counts them.

    A closed-set system needs every stream of a row, an open-set one any of them; a
    stream of nothing but padding is absent where padding is trimmed.

    Raises:
        DataError: nothing is left to train, validate or test on.
    """
    streams = system.streams
    there = []
    for stream in streams:
        frames = experiment.manifest.features[stream]
        there.append((valid_spans(frames)[1] if trim else frames.lengths) > 0)
    every = not system.open_set
    read = np.all(there, axis=0) if every else np.any(there, axis=0)
    parts = {p: getattr(experiment, p) for p in ("train", "valid", "test", "shots")}
    kept = {part: rows[read[rows]] for part, rows in parts.items()}
    for part in ("train", "valid", "test"):
        if not len(kept[part]):
            raise DataError(
                f"{experiment.name}: no {part} row has {' and '.join(streams)}; choose another "
                "split or other streams."
            )
    both = np.unique(np.concatenate(list(parts.values())))
    lost = int((~read[both]).sum())
    stamps = experiment.stamps
    if lost:
        what = f"one of {', '.join(streams)}" if every else f"any of {', '.join(streams)}"
        stamps = (*stamps, f"{lost} rows without {what} left out")
    return dataclasses.replace(experiment, **kept, stamps=stamps)


def require_objective(recipe: Recipe, system: System) -> None:
    """Refuse settings under which a system's own objective would not be what the recipe says.

    Raises:
        UsageError: says which key to change.
    """
    if not system.multitask:
        return
    name, train = recipe.system["name"], recipe.train
    if train.loss != "ce":
        raise UsageError(f"{name} has an objective of its own; set train.loss=ce, its main term.")
    if system.second_views and recipe.data.views == "none":
        raise UsageError(
            f"{name} is to contrast second views (system.losses has augmentation), but data.views "
            'is "none": prepare the corpus with --views and set data.views, or leave that loss out.'
        )
    if system.faithful and (train.max_frames or train.devices > 1):
        raise UsageError(
            f"{name} in faithful mode computes over a whole batch; set train.max_frames=0 and "
            "train.devices=1."
        )


def require_features(recipe: Recipe, system: System, manifest: Manifest) -> None:
    """Refuse features that the system's backbone does not go on from.

    Raises:
        DataError: says how to prepare the corpus instead.
        UsageError: the recipe would change the features first.
    """
    wanted = system.features
    changed = [k for k in ("standardise", "trim_padding") if getattr(recipe.data, k)]
    if wanted and changed:
        raise UsageError(
            f"{recipe.system['name']}'s backbone goes on from the frames as they are; set "
            f"data.{changed[0]}=false."
        )
    for stream, about in wanted.items():
        there = manifest.encoders.get(stream, {})
        parameters = dict(about.get("parameters", {}))
        if not _same_encoder(about, there):
            spec = about["name"]
            if parameters:
                spec += ":" + ",".join(f"{key}={value}" for key, value in parameters.items())
            raise DataError(
                f"{manifest.corpus} was prepared with {stream}={_said(there)}; this system needs "
                f"--encoder {stream}={spec}. Prepare it so, or change the recipe's backbone."
            )


def _same_encoder(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether what the backbone wants is what made the features: of the same weights, that is."""
    if there.get("name") != wanted["name"]:
        return False
    asked = {**there.get("parameters", {}), **wanted.get("parameters", {})}
    now: Any = build({"name": wanted["name"], "parameters": asked}, ENCODERS)
    return bool(now.spec()["fingerprint"] == there.get("fingerprint"))


def _said(spec: Mapping[str, Any]) -> str:
    """An encoder as it is asked for."""
    given = ",".join(f"{key}={value}" for key, value in spec.get("parameters", {}).items())
    return f"{spec.get('name', 'nothing')}" + (f":{given}" if given else "")


def parse_streams(recipe: Recipe) -> tuple[str, ...]:
    """The modalities that the recipe's system reads."""
    return tuple(parse_system(recipe.system, recipe.title)[1].streams)  # type: ignore[attr-defined]


def system(recipe: Recipe, manifest: Manifest, space: EmotionSpace) -> System:
    """The recipe's system, with random weights of the recipe's seed."""
    name, settings = parse_system(recipe.system, recipe.title)
    widths = {stream: frames.width for stream, frames in manifest.features.items()}
    torch.manual_seed(recipe.train.seed)
    return SYSTEMS[name].build(settings, widths, space)
