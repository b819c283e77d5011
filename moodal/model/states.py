"""States: the mean state that a branch computes of a whole text, clip or picture.

A branch's logit is linear in this mean, so the mean of a row is enough to score any words, and the
mean of a clip is enough to learn a word from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from moodal.core.errors import DataError
from moodal.core.records import Frames
from moodal.modalities.encoder import Item
from moodal.modalities.face.pixels import TOGETHER
from moodal.model import artefact as artefacts
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch, read_branches
from moodal.model.rows import RowEncoder


@dataclass(frozen=True, kw_only=True)
class States(RowEncoder):
    """An encoder of texts and clips into their mean state [1, H]; [0, H] if nothing is observed.

    The whole clip is one utterance, as its encoder cuts it.

    Attributes:
        folder: the absolute path of the artefact.
        network: the hash of the graph, so that artefacts with the same network share the states.
        size: H, the width of a state.
    """

    folder: str
    network: str
    size: int
    name: ClassVar[str] = "states"

    @classmethod
    def of(cls, artefact: Artefact, branch: Branch, frames: RowEncoder) -> States:
        """Make the encoder of the states of a branch."""
        graph = artefact.fused.branches[branch.modality].graph
        network = artefact.info.files[graph][:24]
        return cls(
            frames.modality,
            frames.reader,
            frames.heard,
            folder=str(artefact.folder.absolute()),
            network=network,
            size=len(branch.map),
        )

    @property
    def width(self) -> int:
        """H, the width of a state."""
        return self.size

    @property
    def reduction(self) -> str:
        """The end of the fingerprint."""
        return f"-{self.network}"

    def encode(self, item: Item) -> np.ndarray:
        """Compute the mean state [1, H]; [0, H] if nothing is observed.

        Raises:
            DataError: the clip cannot be read.
        """
        frames = super().encode(item)
        if not len(frames):
            return np.zeros((0, self.width), np.float32)
        states = _branch(self.folder, self.stream, self.network).states(frames)
        return np.asarray(states.mean(0, keepdims=True), np.float32)


@cache
def _branch(folder: str, modality: str, network: str) -> Branch:
    """Read the branch, once in each process for each network that the folder held.

    Raises:
        DataError: the folder holds another network by now.
    """
    artefact = artefacts.read(folder)
    graph = artefact.fused.branches[modality].graph
    if not artefact.info.files[graph].startswith(network):
        raise DataError(f"{folder} was replaced while it was in use; load it again.")
    return read_branches(artefact)[modality]


def mean_states(branch: Branch, frames: Frames, medium: str) -> Frames:
    """Compute the mean state [1, H] of each utterance; none of an empty one.

    Args:
        branch: the network.
        frames: the frames of n utterances.
        medium: of the modality; pictures are computed many utterances at a time.
    """
    if medium == "pictures":
        return _mean_of_pictures(branch, frames)
    means = [
        branch.states(np.asarray(values, np.float32)).mean(0, keepdims=True)
        if len(values)
        else np.zeros((0, len(branch.map)), np.float32)
        for values in frames
    ]
    return Frames.from_list([np.asarray(mean, np.float32) for mean in means])


def _mean_of_pictures(branch: Branch, frames: Frames) -> Frames:
    """Compute the mean states of sequences of pictures, many sequences in one batch."""
    means = np.zeros((int((frames.lengths > 0).sum()), len(branch.map)), np.float32)
    some = np.flatnonzero(frames.lengths)
    reached = 0
    for rows in np.array_split(some, max(1, len(some) // (8 * TOGETHER))):
        if not len(rows):
            continue
        portion = frames.select(rows)
        states = branch.states(np.asarray(portion.values, np.float32))
        sums = np.add.reduceat(states, portion.offsets[:-1])
        means[reached : reached + len(rows)] = sums / portion.lengths[:, None]
        reached += len(rows)
    return Frames(means, (frames.lengths > 0).astype(np.int64))
