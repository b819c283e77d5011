"""branches: each branch of a fused artefact, trained by its recipe and kept.

No report is written here: a fused artefact is tested as a whole, by `moodal evaluate`. Killed and
started again, a training goes on, and one that is done is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodal.core import recipe as config
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.core.recipe import Recipe
from moodal.evaluation.protocols.experiment import Experiment
from moodal.train.engine.fit import launch
from moodal.train.experiment import assemble
from moodal.train.experiment.train import Trained, train
from moodal.train.systems.branch import Branch


@dataclass(frozen=True)
class Learned:
    """A trained branch.

    Attributes:
        recipe: by which it was trained.
        experiment: its corpus, and which rows trained, validated and test.
        space: its emotions, with vectors.
        trained: the system, and its scores of any rows.
        folder: of its training.
    """

    recipe: Recipe
    experiment: Experiment
    space: EmotionSpace
    trained: Trained
    folder: Path

    @property
    def system(self) -> Branch:
        """The branch itself."""
        system = self.trained.system
        assert isinstance(system, Branch)
        return system

    def logits(self, states: np.ndarray) -> np.ndarray:
        """Logits [n, C] of all its words, of mean states [n, H]; in double precision."""
        keys, offset = (x.double().cpu().numpy() for x in self.system.carried())
        vectors = np.asarray(self.space.vectors, np.float64)
        return np.asarray(states @ keys @ vectors.T + vectors @ offset)

    @property
    def stream(self) -> str:
        """Its modality."""
        return self.system.streams[0]


def learn_branch(path: Path | str, folder: Path | str, overrides: Sequence[str] = ()) -> Learned:
    """Train the branch of a recipe, or go on with it, in ``folder``.

    Raises:
        UsageError: the recipe's system is no branch, or it asks for several trainings.
        DataError: its corpus was not prepared, or by other encoders.
    """
    folder = Path(folder)
    recipe = config.load(path, overrides)
    if recipe.system.get("name") != "branch":
        raise UsageError(f"{path}: a fused artefact is made of branches; set system.name=branch.")
    manifest = assemble.corpus(recipe)
    experiments = assemble.experiments(recipe, manifest)
    if len(experiments) != 1:
        raise UsageError(f"{path}: one training makes a branch; choose a fold with split.only=[0].")
    [experiment] = experiments
    space = assemble.space_of(recipe, manifest)
    folder.mkdir(parents=True, exist_ok=True)
    fabric = launch(recipe.train)
    system = assemble.system(recipe, manifest, space)
    assemble.require_features(recipe, system, manifest)
    experiment = assemble.readable(experiment, system, recipe.data.trim_padding)
    trained = train(fabric, recipe, experiment, space, folder, manifest.fingerprint)
    trained.system.eval()
    return Learned(recipe, experiment, space, trained, folder)
