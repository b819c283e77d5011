"""Checks of a recipe against its system and its corpus, before any training starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodal.core.emotions import Targets, Values
from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.evaluation.protocols.experiment import Experiment
from moodal.modalities.build import build
from moodal.train.backbones.layered import Layered
from moodal.train.encoders import ENCODERS
from moodal.train.engine.fit import machines
from moodal.train.engine.step import depths_of
from moodal.train.systems.system import System


def require_objective(recipe: Recipe, system: System, space: Targets) -> None:
    """Check that the recipe's training keys fit the objective of a multitask system.

    Args:
        space: what it learns; values have other losses, which `selection.require` checks.

    Raises:
        UsageError: they do not; the message names the key to change.
    """
    if not system.multitask:
        return
    name, train = recipe.system["name"], recipe.train
    own = train.loss == system.loss_name or (system.loss_name == "ce" and isinstance(space, Values))
    if not own:
        raise UsageError(
            f"{name} defines its own objective; set train.loss={system.loss_name}, its main term."
        )
    if system.loss_name == "bce" and train.weighted:
        raise UsageError(f"{name}'s objective does not weigh positives; set train.weighted=false.")
    processes = train.devices * machines()
    if system.keeps_rows and processes > 1:
        raise UsageError(
            f"{name} compares each row with all others that it has read; set train.devices=1, and "
            "train on one machine."
        )
    if system.second_views and recipe.data.views == "none":
        raise UsageError(
            f"{name} is to contrast second views (system.losses has augmentation), but data.views "
            'is "none": prepare the corpus with --views and set data.views, or leave that loss out.'
        )
    if system.faithful and (train.max_frames or processes > 1):
        raise UsageError(
            f"{name} in faithful mode computes over a whole batch; set train.max_frames=0 and "
            "train.devices=1, and train on one machine."
        )


def require_balance(recipe: Recipe, system: System) -> None:
    """Check that the keys which balance groups of rows fit the loss.

    Raises:
        UsageError: they do not; the message names the key to change.
    """
    if recipe.train.shift_by and (system.multitask or recipe.train.loss != "bce"):
        raise UsageError(
            "train.shift_by moves the logits of bce; leave it out, or set train.loss=bce."
        )
    if recipe.train.weights and system.multitask:
        raise UsageError(
            f"{recipe.system['name']} defines its own objective, which train.weights do not weigh; "
            "leave them out."
        )


def require_rates(recipe: Recipe, system: System) -> None:
    """Check that there is a backbone for the rates that fall with depth.

    Raises:
        UsageError: the system trains none.
    """
    if recipe.train.layer_decay < 1 and not depths_of(system):
        raise UsageError(
            f"train.layer_decay is for a backbone that trains, and {recipe.system['name']} trains "
            "none here; leave it out."
        )


def require_layers(system: System, manifest: Manifest) -> None:
    """Check that features of several layers hold as many as the system is to sum.

    Raises:
        UsageError: they hold others; the message has the number.
    """
    for module in system.modules():
        if not isinstance(module, Layered) or not module.settings.stored_layers:
            continue
        spec = manifest.encoders.get(module.stream, {})
        if spec.get("name") not in ("speech-layers", "text-layers"):
            continue
        encoder: Any = build(spec, ENCODERS)
        if encoder.layers != module.settings.stored_layers:
            raise UsageError(
                f"stored_layers = {module.settings.stored_layers}: {manifest.corpus} was prepared "
                f"with {module.stream}={_written(spec)}, which stores {encoder.layers}; set "
                f"stored_layers = {encoder.layers}."
            )


def require_features(recipe: Recipe, system: System, manifest: Manifest) -> None:
    """Check that the corpus was prepared with the encoders that the system's backbone needs.

    Raises:
        DataError: it was not; the message says how to prepare it.
        UsageError: the recipe would change the features first.
    """
    if not system.features:
        return
    changed = [k for k in ("standardise", "trim_padding") if getattr(recipe.data, k)]
    if changed:
        raise UsageError(
            f"{recipe.system['name']}'s backbone reads the frames unchanged; set "
            f"data.{changed[0]}=false."
        )
    for stream, required in system.features.items():
        actual = manifest.encoders.get(stream, {})
        if not _same_encoder(required, actual):
            raise DataError(
                f"{manifest.corpus} was prepared with {stream}={_written(actual)}; this system "
                f"needs --encoder {stream}={_written(required)}. Prepare it again with that "
                "encoder, or change the recipe's backbone."
            )


def require_open(recipe: Recipe, experiment: Experiment, system: System) -> None:
    """Check that the system can score the emotions that its training does not show.

    Raises:
        SpaceError: it is a closed-set system.
    """
    if experiment.held_out and not system.open_set:
        raise SpaceError(
            f"{recipe.system['name']} is a closed-set system and cannot score "
            f"{', '.join(experiment.held_out)}, which training does not show; use eea, or "
            'protocol.method = "scratch".'
        )


def _same_encoder(required: Mapping[str, Any], actual: Mapping[str, Any]) -> bool:
    """Check whether an encoder has the required name, parameters and weights."""
    if actual.get("name") != required["name"]:
        return False
    parameters = {**actual.get("parameters", {}), **required.get("parameters", {})}
    encoder: Any = build({"name": required["name"], "parameters": parameters}, ENCODERS)
    return bool(encoder.spec()["fingerprint"] == actual.get("fingerprint"))


def _written(spec: Mapping[str, Any]) -> str:
    """Write an encoder's specification as `moodal prepare --encoder` takes it."""
    parameters = ",".join(f"{key}={value}" for key, value in spec.get("parameters", {}).items())
    return f"{spec.get('name', 'nothing')}" + (f":{parameters}" if parameters else "")
