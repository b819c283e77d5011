"""Training of the branches of a fused artefact, each by its recipe.

No report is written here: a fused artefact is tested as a whole, by `moodal evaluate`. A training
that was killed resumes, and one that is finished is not run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodal.core import recipe as recipes
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.core.recipe import Recipe
from moodal.core.records import Frames
from moodal.evaluation.protocols.experiment import Experiment
from moodal.train.data.dataset import TensorData
from moodal.train.engine.fit import launch
from moodal.train.experiment.run import Trained
from moodal.train.experiment.train import make_plan
from moodal.train.export.onnx import Preparation
from moodal.train.systems.system import Keyed, System


@dataclass(frozen=True)
class Learned:
    """A trained branch.

    Attributes:
        trained: the system, its scores of any rows, and the run that trained it.
    """

    trained: Trained

    @property
    def recipe(self) -> Recipe:
        """The recipe by which it was trained."""
        return self.trained.run.recipe

    @property
    def experiment(self) -> Experiment:
        """The experiment: its corpus, and which rows trained, validated and test."""
        return self.trained.run.experiment

    @property
    def space(self) -> EmotionSpace:
        """The emotions, with vectors."""
        space = self.trained.run.space
        assert isinstance(space, EmotionSpace)  # `learn_branch` refuses values
        return space

    @property
    def folder(self) -> Path:
        """The folder of its training."""
        return self.trained.run.folder

    @property
    def system(self) -> System:
        """The branch itself."""
        return self.trained.system

    @property
    def keyed(self) -> Keyed:
        """Its states, and the maps of its words."""
        keyed = self.system.keyed()
        assert keyed is not None, "learn_branch checks it"
        return keyed

    @property
    def stream(self) -> str:
        """The modality."""
        return self.keyed.stream

    @property
    def preparation(self) -> Preparation:
        """What is done to its features before its network reads them."""
        data = self.recipe.data
        return Preparation(self.trained.scales.get(self.stream), data.trim_padding, data.max_steps)

    def tensors(self, frames: Frames) -> TensorData:
        """Hold frames of other utterances as those of the training are held."""
        own = self.preparation
        return TensorData.of_frames(
            {self.stream: frames}, self.trained.scales, trim=own.trim, max_steps=own.max_steps
        )

    def logits(self, states: np.ndarray) -> np.ndarray:
        """Compute logits [n, C] of all its words, in double precision, of mean states [n, H]."""
        maps = (self.keyed.map, self.keyed.bias, self.keyed.offset)
        keys, bias, offset = (x.double().cpu().numpy() for x in maps)
        vectors = np.asarray(self.space.vectors, np.float64)
        return np.asarray(states @ keys @ vectors.T + (states @ bias)[:, None] + vectors @ offset)


def learn_branch(path: Path | str, folder: Path | str, overrides: Sequence[str] = ()) -> Learned:
    """Train the branch of a recipe in ``folder``, or resume its training there.

    Raises:
        UsageError: the recipe's system is no branch, or it asks for several trainings.
        DataError: its corpus was not prepared, or by other encoders.
    """
    folder = Path(folder)
    recipe = recipes.load(path, overrides)
    if recipe.system.get("name") != "branch":
        raise UsageError(f"{path}: a fused artefact is made of branches; set system.name=branch.")
    plan = make_plan(recipe)
    if not isinstance(plan.space, EmotionSpace):
        raise UsageError(
            f"{path}: a fused artefact chooses among emotions; {plan.manifest.corpus} has the "
            f"values {', '.join(plan.space.labels)}. Train a system on them with `moodal train`."
        )
    if len(plan.experiments) != 1:
        raise UsageError(f"{path}: one training makes a branch; choose a fold with split.only=[0].")
    folder.mkdir(parents=True, exist_ok=True)
    trained = plan.run(launch(recipe.train), plan.experiments[0], folder).train()
    trained.system.eval()
    return Learned(trained)
