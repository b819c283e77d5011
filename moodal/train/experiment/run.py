"""Run: the training of one experiment of a recipe, in a separate folder.

Everything that trains uses it: `moodal train` for each fold, the null tests for models with
permuted vectors, and `moodal compose` for the branches of a fused artefact.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from moodal.core.concatenation import origins
from moodal.core.emotions import Targets, Values
from moodal.core.errors import DataError
from moodal.core.recipe import Recipe
from moodal.core.targets import JointTargets
from moodal.evaluation.protocols.experiment import Experiment
from moodal.train.backbones.layered import Layered
from moodal.train.data.dataset import Scale, TensorData, scales
from moodal.train.data.label_shift import label_shift
from moodal.train.engine.fit import fit
from moodal.train.engine.gem import Gem
from moodal.train.engine.scoring import score, scoring_sizes
from moodal.train.engine.training import Constrain, Training
from moodal.train.experiment import assemble
from moodal.train.experiment.vote_targets import training_labels
from moodal.train.layers.losses import pos_weight, range_weight
from moodal.train.systems.system import System


@dataclass(frozen=True)
class Run:
    """The training of one experiment of a recipe.

    Attributes:
        fabric: devices, processes and precision.
        recipe: how it is trained.
        experiment: which rows of which corpus train, validate and test.
        space: every emotion of the test, with vectors where the system uses them.
        folder: keeps checkpoints, learning curves, and later the report and the artefact.
        fingerprint: identifies the data; a checkpoint of other data is refused.
        initial: weights to start from instead of random ones.
    """

    fabric: Fabric
    recipe: Recipe
    experiment: Experiment
    space: Targets
    folder: Path
    fingerprint: str
    initial: Mapping[str, Tensor] | None = None

    def train(self) -> Trained:
        """Train the system, or resume its training; few-shot methods then adapt it to the shots."""
        recipe, experiment, seen = self.recipe, self.experiment, self.seen
        system = assemble.system(recipe, experiment.manifest, seen)
        load_weights(system, self.initial)
        standardised: dict[str, Scale] = {}
        if recipe.data.standardise:
            standardised = scales(experiment.manifest, system.streams, experiment.train)
        data = self.tensors(
            system,
            standardised,
            labels=self.targets,
            transcripts=system.transcribes,
            views=recipe.data.views if system.second_views else "none",
        )
        history = fit(
            Training(
                self.fabric,
                system,
                seen,
                data,
                experiment.train,
                experiment.valid,
                recipe.train,
                self.folder,
                weight=self.loss_weight(data, experiment.train),
                shift=self.label_shift(data),
                row_weights=self.row_weights(data),
                signature=self.signature(experiment.name),
                title=f"{recipe.title}: {experiment.name}",
            )
        )
        trained = Trained(self, system, data, standardised, history)
        if recipe.protocol.name == "few_shot" and recipe.protocol.method != "scratch":
            trained = self.adapt(trained)
        for module in system.modules():
            if isinstance(module, Layered):
                module.merge()  # so that what is tested is what the artefact holds
        return trained

    def adapt(self, before: Trained) -> Trained:
        """Train a second time, on the shots: alone, with GEM, or jointly with the seen rows.

        No validation rows of the unseen emotion are used: the last epoch is kept.
        """
        recipe, experiment = self.recipe, self.experiment
        protocol, system = recipe.protocol, before.system
        data = self.tensors(system, before.scales, labels=self.labels)
        rows, weight = experiment.shots, None
        constrain: Constrain | None = None
        if protocol.method == "joint":
            rows = experiment.shown
            weight = self.loss_weight(data, rows)
        elif protocol.method == "gem":
            constrain = Gem(
                self.seen,
                before.data,
                experiment.train,
                size=recipe.train.batch_size,
                loss=recipe.train.loss,
                margin=protocol.margin,
            )
        settings = {"epochs": protocol.adapt_epochs, "select": "last", "early_stop": 0}
        history = fit(
            Training(
                self.fabric,
                system,
                self.space,
                data,
                rows,
                experiment.shots,
                recipe.train.model_copy(update=settings),
                self.folder / "adapted",
                weight=weight,
                constrain=constrain,
                signature=self.signature(f"{experiment.name} adapted"),
                title=f"{recipe.title}: {protocol.method} on {len(experiment.shots)} rows",
            )
        )
        return dataclasses.replace(before, data=data, history=[*before.history, *history])

    def with_space(self, space: Targets, folder: Path) -> Run:
        """Return the same run in another folder, with other vectors of its emotions."""
        fingerprint = f"{self.fingerprint} {space.fingerprint}"
        return dataclasses.replace(
            self, space=space, folder=folder, fingerprint=fingerprint, initial=None
        )

    def tensors(
        self, system: System, standardised: Mapping[str, Scale], **options: Any
    ) -> TensorData:
        """Put the corpus on the device, with further ``options`` of `TensorData`."""
        return TensorData(
            self.experiment.manifest,
            system.streams,
            trim=self.recipe.data.trim_padding,
            max_steps=self.recipe.data.max_steps,
            scales=standardised,
            device=self.fabric.device,
            **options,
        )

    @property
    def seen(self) -> Targets:
        """The emotions that training sees."""
        return assemble.seen_of(self.space, self.experiment)

    @property
    def targets(self) -> np.ndarray:
        """The labels [N, C] of `seen`: of emotions, and after them the numbers of values."""
        manifest = self.experiment.manifest
        labels = self.labels[:, self.experiment.seen_columns]
        if manifest.ratings is None:
            return labels
        return np.concatenate([labels, manifest.ratings.numbers], 1)

    @property
    def labels(self) -> np.ndarray:
        """The targets of training [N, C]: labels, or one emotion made of the shares of raters."""
        return training_labels(self.recipe, self.experiment.manifest)

    def loss_weight(self, data: TensorData, rows: np.ndarray) -> Tensor | None:
        """Weigh the columns [C]: emotions by negatives/positives of ``rows``, values by range.

        Returns:
            None where all columns weigh the same. Weights exist for a weighted bce, and for l1 and
            mse of values with different ranges.
        """
        seen = self.seen
        targets = data.targets[torch.as_tensor(rows, device=data.device)]
        if not isinstance(seen, JointTargets):
            weight = self._weight(seen, targets)
        else:
            count = len(seen.words)
            parts = [
                (seen.words, self._weight(seen.words, targets[:, :count])),
                (seen.values, self._weight(seen.values, targets[:, count:])),
            ]
            weight = torch.cat(
                [torch.ones(len(part)) if w is None else w.cpu() for part, w in parts]
            )
        return None if weight is None else weight.to(data.device)

    def _weight(self, seen: Targets, targets: Tensor) -> Tensor | None:
        """Weigh the columns of emotions by their rows [n, C], or those of values by range."""
        if isinstance(seen, Values):
            return range_weight(seen)
        config = self.recipe.train
        return pos_weight(targets) if config.loss == "bce" and config.weighted else None

    def label_shift(self, data: TensorData) -> Tensor | None:
        """Return by how much logits are moved in training [N, C]; None for not at all."""
        columns, manifest = self.recipe.train.shift_by, self.experiment.manifest
        if not columns:
            return None
        groups = list(zip(*(manifest.column(name) for name in columns), strict=True))
        labels = self.labels[:, self.experiment.seen_columns]
        shift = label_shift(labels, self.experiment.train, groups)
        further = len(self.seen) - shift.shape[1]  # values are not moved
        return torch.from_numpy(np.pad(shift, ((0, 0), (0, further)))).to(data.device)

    def row_weights(self, data: TensorData) -> Tensor | None:
        """Return how much each row counts in training [N]; None where all count alike."""
        weights = self.recipe.train.weights
        if not weights:
            return None
        each = [weights.get(corpus, 1.0) for corpus, _ in origins(self.experiment.manifest)]
        return torch.tensor(each, dtype=torch.float32, device=data.device)

    def signature(self, part: str) -> str:
        """Hash what determines the weights: the recipe, the data, and the part of the run."""
        values = self.recipe.model_dump(mode="json", exclude={"report", "title", "about"})
        values["data"].pop("prepared")  # the content of that folder counts, not its path
        text = json.dumps([values, self.fingerprint, part], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Trained:
    """A system after training, and the tensors that it was trained on.

    Attributes:
        run: the run that trained it.
        system: the system.
        data: the corpus as tensors.
        scales: modality -> the mean and deviation that standardised its features.
        history: one row per epoch.
    """

    run: Run
    system: System
    data: TensorData
    scales: Mapping[str, Scale]
    history: Sequence[Mapping[str, float]]

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of the batches that are scored, see `moodal.train.engine.scoring.score`."""
        return scoring_sizes(self.system, self.run.recipe.train)

    def scores(self, rows: np.ndarray, space: Targets | None = None) -> np.ndarray:
        """Compute the logits [n, C] of ``rows`` for every emotion of the test, or of ``space``.

        Every process must call it: each scores a share.
        """
        space = space or self.run.space
        return score(self.system, space, self.data, rows, fabric=self.run.fabric, **self.sizes)


def load_weights(system: System, initial: Mapping[str, Tensor] | None) -> None:
    """Load the weights to start from, if any are given.

    Raises:
        DataError: they belong to another system.
    """
    if initial is None:
        return
    try:
        system.load_state_dict(dict(initial))
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise DataError(f"The checkpoint does not fit this system: {first}") from None
