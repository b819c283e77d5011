"""Branches of a fused artefact: trained by their recipes, or taken from finished runs.

No report is written here: a fused artefact is tested as a whole, by `moodal evaluate`. A training
that was killed resumes, and one that is finished is not run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from moodal.core import recipe as recipes
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, UsageError
from moodal.core.files import load_json
from moodal.core.recipe import Recipe, Space
from moodal.core.records import Frames
from moodal.core.strict import parse
from moodal.evaluation.protocols.experiment import Experiment
from moodal.model.info import AgreementInfo, GuessInfo
from moodal.model.readers import readers
from moodal.train.data.batch import Stream
from moodal.train.data.dataset import TensorData
from moodal.train.engine.fit import launch
from moodal.train.engine.scoring import batches_of
from moodal.train.experiment.run import Run, Trained
from moodal.train.experiment.train import make_plan
from moodal.train.export import onnx
from moodal.train.export.artefact import load
from moodal.train.export.onnx import Preparation
from moodal.train.layers.pooling import masked_mean
from moodal.train.systems import branch, eea
from moodal.train.systems.section import parse_system
from moodal.train.systems.system import KeyedScoring, System

VECTORS = "e5"
"""The source of the vectors by which a fused artefact knows words."""


class FusedBranch(Protocol):
    """The base of branches that are fused: `Learned` here, `KeptBranch`, or an `Ensemble`."""

    @property
    def recipe(self) -> Recipe:
        """The recipe by which it was trained."""
        ...

    @property
    def experiment(self) -> Experiment:
        """The experiment: its corpus, and which rows trained, validated and test."""
        ...

    @property
    def space(self) -> EmotionSpace:
        """The emotions, with vectors."""
        ...

    @property
    def folder(self) -> Path:
        """The folder that keeps what is computed with it."""
        ...

    @property
    def stream(self) -> str:
        """The modality."""
        ...

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The maps of its words: "map" [H, d], "offset" [d] and "bias" [H]."""
        ...

    @property
    def digest(self) -> bytes:
        """A hash of the weights."""
        ...

    @property
    def agrees(self) -> AgreementInfo | None:
        """The agreement of its graph with its network; None if it is still to be measured."""
        return None

    @property
    def guess(self) -> GuessInfo | None:
        """The quality of its scores of unlearned words; None if it is still to be measured."""
        return None

    def row_states(self, rows: np.ndarray) -> np.ndarray:
        """Compute the mean states [n, H] of rows of its corpus."""
        ...

    def states_of(self, frames: Frames) -> np.ndarray:
        """Compute the mean states [n, H] of other utterances, from the frames of its encoder."""
        ...

    def logits(self, states: np.ndarray) -> np.ndarray:
        """Compute logits [n, C] of all its words, in double precision, of mean states [n, H]."""
        length = self.recipe.space.length or 1.0
        return logits_of(states, self.maps, np.asarray(self.space.vectors, np.float64) / length)

    def graph(self, bits: int) -> bytes:
        """Return the ONNX graph of its states, with weights in 32 or 8 bits."""
        ...


@dataclass(frozen=True)
class Learned(FusedBranch):
    """A branch that was trained by its recipe.

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
        assert keyed is not None, "a system of one modality that `branch_run` allows"
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

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The maps of its words: "map" [H, d], "offset" [d] and "bias" [H]."""
        keyed = self.keyed
        maps = {"map": keyed.map, "offset": keyed.offset, "bias": keyed.bias}
        return {name: values.double().cpu().numpy() for name, values in maps.items()}

    @property
    def digest(self) -> bytes:
        """A hash of the weights."""
        values = self.system.state_dict().values()
        return hashlib.sha256(b"".join(v.cpu().numpy().tobytes() for v in values)).digest()

    def row_states(self, rows: np.ndarray) -> np.ndarray:
        """Compute the mean states [n, H] of rows of its corpus."""
        return self._pooled(rows, self.trained.data, self.trained.sizes)

    def states_of(self, frames: Frames) -> np.ndarray:
        """Compute the mean states [n, H] of other utterances, from the frames of its encoder."""
        own = self.preparation
        data = TensorData.of_frames(
            {self.stream: frames}, self.trained.scales, trim=own.trim, max_steps=own.max_steps
        )
        return self._pooled(np.arange(len(frames)), data, {"size": 1})

    def _pooled(self, rows: np.ndarray, data: TensorData, sizes: dict[str, int]) -> np.ndarray:
        keyed = self.keyed
        self.system.eval()
        states = np.zeros((len(rows), len(keyed.map)))
        place = {int(row): i for i, row in enumerate(rows)}
        with torch.no_grad():
            for part in batches_of(data, rows, **sizes):
                batch = data.batch(part, views=False)
                stream = Stream(*keyed.states(*batch.streams[self.stream]))
                means = masked_mean(stream.values, stream.mask).float().cpu().numpy()
                states[[place[row] for row in part.tolist()]] = means
        return states

    def graph(self, bits: int) -> bytes:
        """Export the network of its states as an ONNX graph with weights in 32 or 8 bits."""
        width = self.experiment.manifest.features[self.stream].width
        return onnx.graph(self.keyed, width, bits=bits, preparation=self.preparation)


def logits_of(
    states: np.ndarray, maps: Mapping[str, np.ndarray], vectors: np.ndarray
) -> np.ndarray:
    """Compute logits [n, C] of mean states [n, H] for words with vectors [C, d] of length 1."""
    keys = states @ maps["map"] @ vectors.T
    return np.asarray(keys + (states @ maps["bias"])[:, None] + vectors @ maps["offset"])


def learn_branch(path: Path | str, folder: Path | str, overrides: Sequence[str] = ()) -> Learned:
    """Train the branch of a recipe in ``folder``, or resume its training there.

    Raises:
        UsageError: the recipe's system is no branch, or it asks for several trainings.
        DataError: its corpus was not prepared, or by other encoders.
    """
    folder = Path(folder)
    run = branch_run(recipes.load(path, overrides), folder, str(path))
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
        values = load_json(source / "recipe.json")
    except (OSError, ValueError) as error:
        raise DataError(f"{source}/recipe.json cannot be read: {error}.") from None
    run = branch_run(parse(Recipe, values, f"{source}/recipe.json"), folder, str(source))
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


def branch_run(recipe: Recipe, folder: Path, where: str) -> Run:
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
