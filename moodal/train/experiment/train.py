"""training: one experiment becomes a trained system.

With a few-shot method there is a second training, on the shots.
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
from torch import Tensor

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.recipe import Recipe, Train
from moodal.evaluation.protocols.experiment import Experiment
from moodal.train.data.dataset import Scale, TensorData, scales
from moodal.train.engine.fit import fit
from moodal.train.engine.gem import Gem
from moodal.train.engine.scoring import score, scoring_sizes
from moodal.train.experiment import assemble
from moodal.train.layers.losses import pos_weight
from moodal.train.systems.system import System


@dataclasses.dataclass
class Trained:
    """A system after training, and what it was trained with."""

    system: System
    space: EmotionSpace
    """Every emotion of the test, with vectors."""
    seen: EmotionSpace
    data: TensorData
    scales: Mapping[str, Scale]
    history: list[dict[str, float]]

    fabric: Fabric
    sizes: Mapping[str, int]

    def scores(self, rows: np.ndarray, space: EmotionSpace | None = None) -> np.ndarray:
        """Logits [n, C] of ``rows`` for every emotion of the test, or of ``space``.

        To be called in every process: each scores its share.
        """
        return score(
            self.system,
            space or self.space,
            self.data,
            rows,
            fabric=self.fabric,
            **self.sizes,
        )


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
    system = assemble.system(recipe, experiment.manifest, seen)
    start_from(system, initial)
    data = tensors(
        recipe,
        experiment,
        streams,
        scaled,
        fabric,
        experiment.seen_columns,
        transcripts=system.transcribes,
        views=recipe.data.views if system.second_views else "none",
    )
    history = fit(
        fabric,
        system,
        seen,
        data,
        experiment.train,
        experiment.valid,
        recipe.train,
        folder,
        pos_weight=weights(recipe.train, data, experiment.train),
        signature=signature(recipe, fingerprint, experiment.name),
        title=f"{recipe.title}: {experiment.name}",
    )
    trained = Trained(
        system,
        space,
        seen,
        data,
        scaled,
        history,
        fabric,
        scoring_sizes(system, recipe.train),
    )
    if recipe.protocol.name == "few_shot" and recipe.protocol.method != "scratch":
        trained = adapt(fabric, recipe, experiment, trained, folder / "adapted", fingerprint)
    return trained


def start_from(system: System, initial: Mapping[str, Tensor] | None) -> None:
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
            before.seen,
            before.data,
            experiment.train,
            size=recipe.train.batch_size,
            loss=recipe.train.loss,
            margin=protocol.margin,
        )
    settings = recipe.train.model_copy(
        update={"epochs": protocol.adapt_epochs, "select": "last", "early_stop": 0}
    )
    history = fit(
        fabric,
        before.system,
        before.space,
        data,
        rows,
        experiment.shots,
        settings,
        folder,
        pos_weight=weighted,
        constrain=constrain,
        signature=signature(recipe, fingerprint, f"{experiment.name} adapted"),
        title=f"{recipe.title}: {protocol.method} on {len(experiment.shots)} rows",
    )
    return dataclasses.replace(before, data=data, history=before.history + history)


def tensors(
    recipe: Recipe,
    experiment: Experiment,
    streams: Sequence[str],
    scaled: Mapping[str, Scale],
    fabric: Fabric,
    columns: Sequence[int] | None,
    **more: Any,
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
        **more,
    )


def weights(config: Train, data: TensorData, rows: np.ndarray) -> Tensor | None:
    """[C] negatives/positives of the training rows, where the loss is a weighted bce."""
    if config.loss != "bce" or not config.weighted:
        return None
    return pos_weight(data.targets[torch.as_tensor(rows, device=data.device)]).to(data.device)


def signature(recipe: Recipe, fingerprint: str, part: str) -> str:
    """A hash of all that decides the weights: recipe (not its report), data, part of the run."""
    decides = recipe.model_dump(mode="json", exclude={"report", "title", "about"})
    decides["data"].pop("prepared")  # what lies there counts, not where
    text = json.dumps([decides, fingerprint, part], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
