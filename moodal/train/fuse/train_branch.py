"""Branches of a fused artefact: trained by their recipes, or taken from finished runs.

No report is written here: a fused artefact is tested as a whole, by `moodal evaluate`. A training
that was killed resumes, and one that is finished is not run again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodal.core import recipe as recipes
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, UsageError
from moodal.core.recipe import Recipe, Space
from moodal.core.records import Frames
from moodal.evaluation.protocols.experiment import Experiment
from moodal.model.readers import readers
from moodal.train.data.dataset import TensorData
from moodal.train.engine.fit import launch
from moodal.train.experiment.run import Run, Trained
from moodal.train.experiment.train import make_plan
from moodal.train.export.artefact import load
from moodal.train.export.onnx import Preparation
from moodal.train.systems import branch, eea
from moodal.train.systems.section import parse_system
from moodal.train.systems.system import KeyedScoring, System

VECTORS = "minilm"
"""The source of the vectors by which a fused artefact knows words."""


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
    def keyed(self) -> KeyedScoring:
        """The network of its states, and the maps of its words by their vectors of length 1."""
        keyed = self.system.keyed()
        assert keyed is not None, "a system of one modality that `_run` allows"
        length = self.recipe.space.length or 1.0
        return keyed._replace(map=length * keyed.map, offset=length * keyed.offset)

    @property
    def stream(self) -> str:
        """The modality."""
        return self.keyed.stream

    @property
    def preparation(self) -> Preparation:
        """The preparation of its features before its network reads them."""
        data = self.recipe.data
        return Preparation(self.trained.scales.get(self.stream), data.trim_padding, data.max_steps)

    def tensors(self, frames: Frames) -> TensorData:
        """Prepare the frames of other utterances as those of the training are prepared."""
        own = self.preparation
        return TensorData.of_frames(
            {self.stream: frames}, self.trained.scales, trim=own.trim, max_steps=own.max_steps
        )

    def logits(self, states: np.ndarray) -> np.ndarray:
        """Compute logits [n, C] of all its words, in double precision, of mean states [n, H]."""
        maps = (self.keyed.map, self.keyed.bias, self.keyed.offset)
        keys, bias, offset = (x.double().cpu().numpy() for x in maps)
        vectors = np.asarray(self.space.vectors, np.float64) / (self.recipe.space.length or 1.0)
        return np.asarray(states @ keys @ vectors.T + (states @ bias)[:, None] + vectors @ offset)


def learn_branch(path: Path | str, folder: Path | str, overrides: Sequence[str] = ()) -> Learned:
    """Train the branch of a recipe in ``folder``, or resume its training there.

    Raises:
        UsageError: the recipe's system is no branch, or it asks for several trainings.
        DataError: its corpus was not prepared, or by other encoders.
    """
    folder = Path(folder)
    run = _run(recipes.load(path, overrides), folder, str(path))
    folder.mkdir(parents=True, exist_ok=True)
    trained = run.train()
    trained.system.eval()
    return Learned(trained)


def finished_branch(source: Path | str, folder: Path | str) -> Learned:
    """Take the system of a finished run of `moodal train` as a branch.

    Args:
        source: the run.
        folder: keeps what is computed with it.

    Raises:
        UsageError: it is no finished run, or its system cannot be a branch.
        DataError: its artefact is damaged, or its corpus has changed.
    """
    source, folder = Path(source), Path(folder)
    if not (source / "recipe.json").exists():
        raise UsageError(f"{source} is no run of `moodal train`.")
    if not (source / "report.json").exists():
        raise UsageError(f"{source} is not finished; run `moodal train` with it again.")
    try:
        values = json.loads((source / "recipe.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{source}/recipe.json cannot be read: {error}.") from None
    run = _run(recipes.parse(Recipe, values, f"{source}/recipe.json"), folder, str(source))
    system, artefact, scales = load(source / "artefact")
    if artefact.info.data.fingerprint != run.fingerprint:
        raise DataError(
            f"{source} was trained on another corpus than {run.recipe.data.prepared} holds now; "
            "prepare it again as it was, or train again."
        )
    encoder = artefact.info.encoders.get(system.streams[0])
    if encoder is None or (encoder.name == "as-given" and not readers(artefact.info.encoders)):
        raise UsageError(
            f"{source}: its features came in files, and nothing here computes them from a "
            "recording, so it cannot be a part of an artefact that predicts."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return Learned(Trained(run, system, run.tensors(system, scales), scales, ()))


def _run(recipe: Recipe, folder: Path, where: str) -> Run:
    """Check that a recipe trains one branch of a fused artefact, and return its run.

    Raises:
        UsageError: it does not; the message names the key to change.
    """
    _, settings = parse_system(recipe.system, where)
    single = isinstance(settings, branch.Config | eea.Config) and len(settings.streams) == 1
    if not single:
        raise UsageError(
            f"{where}: a fused artefact consists of branches, or of EEAs, of one modality each; "
            "set system.name=branch and system.streams."
        )
    if recipe.protocol.name != "supervised":
        raise UsageError(f"{where}: a branch has learned all its words; set protocol.name.")
    _require_vectors(recipe.space, where)
    plan = make_plan(recipe)
    if not isinstance(plan.space, EmotionSpace):
        raise UsageError(
            f"{where}: a fused artefact chooses among emotions; {plan.manifest.corpus} has the "
            f"values {', '.join(plan.space.labels)}. Train a system on them with `moodal train`."
        )
    if len(plan.experiments) != 1:
        raise UsageError(
            f"{where}: one training makes a branch; choose a fold with split.only=[0]."
        )
    return plan.run(launch(recipe.train), plan.experiments[0], folder)


def _require_vectors(space: Space, where: str) -> None:
    """Check that the branch uses the word vectors that a fused artefact carries."""
    if space.vectors != VECTORS or space.capitalised:
        raise UsageError(
            f"{where}: a fused artefact knows words by {VECTORS}'s vectors; set "
            f"space.vectors={VECTORS} and space.capitalised=false."
        )
    if space.length and space.synonyms:
        raise UsageError(f"{where}: of space.length and space.synonyms, leave one out.")
