"""run: a recipe from end to end, into a folder that a killed run goes on in.

RUN/recipe.json, report.json, report.md, predictions.*, figures/, artefact/
RUN/<fold>/...        the same for each fold, where there are several
RUN/<fold>/adapted/   the second training of a few-shot protocol
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from moodal import config as recipes
from moodal.config import Recipe, Train
from moodal.emotions import EmotionSpace
from moodal.errors import DataError, SpaceError, UsageError
from moodal.files import replacing
from moodal.learn import assemble, nulls, results
from moodal.learn.data.dataset import Scale, TensorData, scales
from moodal.learn.few import Gem
from moodal.learn.fit import fit, launch, score
from moodal.learn.layers.losses import pos_weight
from moodal.learn.selection import require
from moodal.protocols.audit import audit
from moodal.protocols.experiment import Experiment


@dataclasses.dataclass
class Trained:
    """A system after training, and what it was trained with."""

    system: nn.Module
    space: EmotionSpace
    """Every emotion of the test, with vectors."""
    seen: EmotionSpace
    data: TensorData
    scales: Mapping[str, Scale]
    history: list[dict[str, float]]

    def scores(self, rows: np.ndarray, space: EmotionSpace | None = None) -> np.ndarray:
        """Logits [n, C] of ``rows`` for every emotion of the test, or of ``space``."""
        return score(self.system, space or self.space, self.data, rows)


def run(recipe_file: Path, overrides: Sequence[str], out: Path) -> dict[str, Any] | None:
    """Run a recipe file; see `run_recipe`."""
    return run_recipe(recipes.load(recipe_file, overrides), out)


def run_recipe(
    recipe: Recipe, out: Path, initial: Mapping[str, Tensor] | None = None
) -> dict[str, Any] | None:
    """Train, test and report every experiment of a recipe.

    Args:
        out: folder of the run; goes on there if it holds the same recipe, half done.
        initial: weights to start from.

    Returns:
        The report, as in report.json; None in all processes but the first.

    Raises:
        UsageError: ``out`` holds a run of another recipe.
    """
    manifest = assemble.corpus(recipe)
    require(recipe.train.select, recipe.train.loss, manifest.space.task)
    space = assemble.space_of(recipe, manifest)
    nulls.require(recipe, manifest, space)
    experiments = []
    for experiment in assemble.experiments(recipe, manifest):
        system = assemble.system(recipe, manifest, space.select(experiment.seen))
        _require_open(recipe, experiment, system)
        _start_from(system, initial)
        trim = recipe.data.trim_padding
        experiments.append(assemble.readable(experiment, system, trim))
    fingerprint = manifest.fingerprint
    fabric = launch(recipe.train)
    claim(recipe, fingerprint, out)
    folds = []
    for experiment in experiments:
        folder = out if len(experiments) == 1 else out / experiment.name.replace(" ", "-")
        done = results.finished(folder)
        if done is None:
            findings = audit(manifest, experiment.shown, experiment.valid, experiment.test)
            trained = train(fabric, recipe, experiment, space, folder, fingerprint, initial)
            null = against(fabric, recipe, experiment, trained, folder, fingerprint)
            if fabric.is_global_zero:
                logits = {p: trained.scores(getattr(experiment, p)) for p in ("test", "valid")}
                done = results.write(
                    folder, recipe, experiment, trained.system, space, logits, trained.history,
                    trained.scales, fingerprint, audit=findings, nulls=null,
                )  # fmt: skip
        if done is not None:
            folds.append(done)
    if not fabric.is_global_zero:
        return None
    if len(experiments) == 1:
        return folds[0].report
    return results.write_folds(out, recipe, folds)


def train(
    fabric: Fabric,
    recipe: Recipe,
    experiment: Experiment,
    space: EmotionSpace,
    folder: Path,
    fingerprint: str,
    initial: Mapping[str, Tensor] | None = None,
) -> Trained:
    """Train one experiment; with a few-shot method, then adapt it to its shots."""
    seen = space.select(experiment.seen)
    streams = assemble.parse_streams(recipe)
    scaled = (
        scales(experiment.manifest, streams, experiment.train) if recipe.data.standardise else {}
    )
    data = tensors(recipe, experiment, streams, scaled, fabric, experiment.seen_columns)
    system = assemble.system(recipe, experiment.manifest, seen)
    _start_from(system, initial)
    history = fit(
        fabric, system, seen, data, experiment.train, experiment.valid, recipe.train, folder,
        pos_weight=weights(recipe.train, data, experiment.train),
        signature=signature(recipe, fingerprint, experiment.name),
        title=f"{recipe.title}: {experiment.name}",
    )  # fmt: skip
    trained = Trained(system, space, seen, data, scaled, history)
    if recipe.protocol.name == "few_shot" and recipe.protocol.method != "scratch":
        trained = adapt(fabric, recipe, experiment, trained, folder / "adapted", fingerprint)
    return trained


def _require_open(recipe: Recipe, experiment: Experiment, system: nn.Module) -> None:
    """Refuse a closed-set system for emotions that its training does not show."""
    if experiment.held_out and not getattr(system, "open_set", False):
        raise SpaceError(
            f"{recipe.system['name']} is a closed-set system and cannot score "
            f"{', '.join(experiment.held_out)}, which training does not show; use eea, or "
            'protocol.method = "scratch".'
        )


def _start_from(system: nn.Module, initial: Mapping[str, Tensor] | None) -> None:
    """Load the weights to start from, if any."""
    if initial is None:
        return
    try:
        system.load_state_dict(dict(initial))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise DataError(f"The checkpoint does not fit this system: {first}") from None


def adapt(
    fabric: Fabric,
    recipe: Recipe,
    experiment: Experiment,
    before: Trained,
    folder: Path,
    fingerprint: str,
) -> Trained:
    """The second training, on the shots: plain, with GEM, or jointly with the seen rows.

    No validation rows of the unseen emotion are used: the last epoch is kept.
    """
    protocol = recipe.protocol
    streams = assemble.parse_streams(recipe)
    data = tensors(recipe, experiment, streams, before.scales, fabric, None)
    rows, weighted, constrain = experiment.shots, None, None
    if protocol.method == "joint":
        rows = experiment.shown
        weighted = weights(recipe.train, data, rows)
    elif protocol.method == "gem":
        constrain = Gem(
            before.seen, before.data, experiment.train, size=recipe.train.batch_size,
            loss=recipe.train.loss, margin=protocol.margin,
        )  # fmt: skip
    settings = recipe.train.model_copy(
        update={"epochs": protocol.adapt_epochs, "select": "last", "early_stop": 0}
    )
    history = fit(
        fabric, before.system, before.space, data, rows, experiment.shots, settings, folder,
        pos_weight=weighted, constrain=constrain,
        signature=signature(recipe, fingerprint, f"{experiment.name} adapted"),
        title=f"{recipe.title}: {protocol.method} on {len(experiment.shots)} rows",
    )  # fmt: skip
    return dataclasses.replace(before, data=data, history=before.history + history)


def against(
    fabric: Fabric,
    recipe: Recipe,
    experiment: Experiment,
    trained: Trained,
    folder: Path,
    fingerprint: str,
) -> dict[str, Any]:
    """The null distributions of the unseen emotions, see `moodal.learn.nulls`."""

    def retrain(space: EmotionSpace, place: Path) -> nulls.Scores:
        data = f"{fingerprint} {space.fingerprint}"
        other = train(fabric, recipe, experiment, space, place, data)
        return lambda asked: other.scores(experiment.test, asked)

    return nulls.of(
        recipe, experiment, lambda asked: trained.scores(experiment.test, asked), trained.space,
        folder / "null", retrain,
    )  # fmt: skip


def tensors(
    recipe: Recipe,
    experiment: Experiment,
    streams: Sequence[str],
    scaled: Mapping[str, Scale],
    fabric: Fabric,
    columns: Sequence[int] | None,
) -> TensorData:
    """The corpus on the device, its targets being ``columns`` of the labels (None: all)."""
    labels = experiment.manifest.labels
    return TensorData(
        experiment.manifest,
        streams,
        labels=labels if columns is None else labels[:, list(columns)],
        trim=recipe.data.trim_padding,
        max_steps=recipe.data.max_steps,
        scales=scaled,
        device=fabric.device,
    )


def weights(config: Train, data: TensorData, rows: np.ndarray) -> Tensor | None:
    """[C] negatives/positives of the training rows, where the loss is a weighted bce."""
    if config.loss != "bce" or not config.weighted:
        return None
    return pos_weight(data.targets[torch.as_tensor(rows, device=data.device)]).to(data.device)


def signature(recipe: Recipe, fingerprint: str, part: str) -> str:
    """A hash of all that decides the weights: recipe (not its report), data, part of the run."""
    decides = recipe.model_dump(mode="json", exclude={"report", "title", "about"})
    text = json.dumps([decides, fingerprint, part], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def claim(recipe: Recipe, fingerprint: str, out: Path) -> None:
    """Say in ``out`` what is run there; refuse a folder where something else was begun.

    Raises:
        UsageError: another recipe, or other data, was run there.
        OutputError: the folder cannot be written.
    """
    whole = {"data": fingerprint, **recipe.model_dump(mode="json")}
    path = out / "recipe.json"
    begun = (out / "report.json").exists() or any(out.rglob("resume.pt"))
    if path.exists() and begun:
        try:
            same = json.loads(path.read_text(encoding="utf-8")) == whole
        except ValueError:
            same = False
        if not same:
            raise UsageError(
                f"{out} holds a run of another recipe or other data; choose another --out, or "
                "delete that folder."
            )
        return
    with replacing(path) as part:
        part.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
