"""KeptBranch: a branch of a finished artefact that is fused again as it is, without training.

So the fusion can be fitted anew, or one branch replaced, and the others stay to the last byte.
Everything is computed with the graph that prediction runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodal.core import recipe as recipes
from moodal.core.concatenation import origins
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import UsageError
from moodal.core.recipe import Recipe
from moodal.core.records import Frames
from moodal.evaluation.protocols.experiment import Experiment
from moodal.model import artefact as artefacts
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch, read_branches
from moodal.model.info import AgreementInfo, GuessInfo
from moodal.train.experiment.run import Run
from moodal.train.fuse.train_branch import FusedBranch, branch_run


@dataclass(frozen=True)
class KeptBranch(FusedBranch):
    """A branch of a finished artefact, with the rows on which it was trained and tested.

    Attributes:
        run: the run that its recipe describes, which is not trained.
        artefact: the artefact.
        branch: its network.
    """

    run: Run
    artefact: Artefact
    branch: Branch

    @property
    def recipe(self) -> Recipe:
        """The recipe by which it was trained."""
        return self.run.recipe

    @property
    def experiment(self) -> Experiment:
        """The experiment: its corpus, and which rows trained, validated and test."""
        return self.run.experiment

    @property
    def space(self) -> EmotionSpace:
        """The emotions, with vectors."""
        assert isinstance(self.run.space, EmotionSpace)  # `branch_run` refuses values
        return self.run.space

    @property
    def folder(self) -> Path:
        """The folder that keeps what is computed with it."""
        return self.run.folder

    @property
    def stream(self) -> str:
        """The modality."""
        return self.branch.modality

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The maps of its words: "map" [H, d], "offset" [d] and "bias" [H].

        Where the artefact knows words by other vectors than the recipe, the maps are carried over.
        """
        bias = self.branch.bias
        given = {
            "map": self.branch.map,
            "offset": self.branch.offset,
            "bias": np.zeros(len(self.branch.map)) if bias is None else bias,
        }
        maps = {name: np.asarray(values, np.float64) for name, values in given.items()}
        if self.artefact.info.vectors == self.recipe.space.vectors:
            return maps
        known = self.artefact.word_vectors()
        old = np.stack([known[word] for word in self.branch.learned]).astype(np.float64)
        new = self.space.select(list(self.branch.learned)).vectors
        return carried(maps, old, np.asarray(new, np.float64))

    @property
    def digest(self) -> bytes:
        """A hash of the graph."""
        return hashlib.sha256(self.graph(0)).digest()

    @property
    def agrees(self) -> AgreementInfo | None:
        """The agreement of the graph with the network that it was exported from."""
        return self.artefact.fused.branches[self.stream].graph_agrees

    @property
    def guess(self) -> GuessInfo | None:
        """The quality of its scores of words that it never learned, as it was measured."""
        return self.artefact.fused.branches[self.stream].guess

    def row_states(self, rows: np.ndarray) -> np.ndarray:
        """Compute the mean states [n, H] of rows of its corpus."""
        frames = self.experiment.manifest.features[self.stream]
        return self._means([np.asarray(frames[int(row)], np.float32) for row in rows])

    def states_of(self, frames: Frames) -> np.ndarray:
        """Compute the mean states [n, H] of other utterances, from the frames of its encoder."""
        return self._means(list(frames))

    def _means(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        states = [self.branch.states(own) for own in frames]
        empty = np.zeros(len(self.branch.map))
        return np.stack([own.mean(0) if len(own) else empty for own in states]).astype(np.float64)

    def graph(self, bits: int) -> bytes:
        """Return the graph of the artefact as it is, whatever ``bits``."""
        return Path(self.branch.graph).read_bytes()


def carried(
    maps: Mapping[str, np.ndarray], old: np.ndarray, new: np.ndarray
) -> dict[str, np.ndarray]:
    """Carry the maps of a branch over to other vectors of its words.

    Of all maps that give its words the logits that they had, these are the smallest ones, so that
    a word that it never learned is scored by its likeness to those that it did.

    Args:
        maps: "map" [H, d], "offset" [d] and "bias" [H].
        old, new: [W, d] and [W, d'] the vectors of the W words that it learned, W <= d'.
    """
    across = old.T @ np.linalg.pinv(new.T)
    return {
        "map": maps["map"] @ across,
        "offset": maps["offset"] @ across,
        "bias": maps["bias"],
    }


def keep_branch(
    source: Path | str,
    modality: str,
    recipe: Path | str,
    folder: Path | str,
    overrides: Sequence[str] = (),
) -> KeptBranch:
    """Take the branch of a modality out of a fused artefact.

    Args:
        source: the folder of the artefact, or "default" for the one in the package.
        recipe: the recipe by which the branch was trained: it says on which rows.
        folder: keeps what is computed with it.

    Raises:
        UsageError: the artefact has no such branch, or was trained on other rows.
        DataError: it is damaged or no fused artefact, or the corpus was not prepared.
    """
    artefact = artefacts.read(artefacts.DEFAULT if str(source) == "default" else source)
    branches = read_branches(artefact)
    if modality not in branches:
        raise UsageError(f"{source} has no branch of {modality}; it has {', '.join(branches)}.")
    run = branch_run(recipes.load(recipe, overrides), Path(folder), str(recipe))
    experiment = run.experiment
    trained = np.union1d(experiment.train, experiment.valid)
    own = artefacts.marks(origins(experiment.manifest, trained))
    if set(own.tolist()) != set(artefact.vectors()[f"{modality}.trained"].tolist()):
        raise UsageError(
            f"{source}: its branch of {modality} was trained on other rows than {recipe} says; "
            "give the recipe and corpus by which it was made, or train a new one."
        )
    Path(folder).mkdir(parents=True, exist_ok=True)
    return KeptBranch(run, artefact, branches[modality])
