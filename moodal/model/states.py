"""States: what a branch makes of a whole text, clip or picture: the mean of its states.

A branch's logit is linear in this mean, so it is all that need be kept of a row to ask for any
words, and all that need be known of a clip to learn a word from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from moodal.modalities.encoder import Encoder, Item
from moodal.model import artefact as artefacts
from moodal.model.artefact import Artefact
from moodal.model.branches import Branch, read_branches
from moodal.model.rows import RowEncoder


@dataclass(frozen=True)
class States(Encoder):
    """The mean state [1, H] of a text or clip; [0, H] where there is no word, sound or face.

    The whole clip is one utterance, as its encoder cuts it.

    Attributes:
        folder: of the artefact.
        network: hash of what makes the states, so that artefacts of the same networks share them.
        frames: what observes and encodes the item.
        size: H.
    """

    folder: str
    network: str
    frames: RowEncoder
    size: int
    name: ClassVar[str] = "states"
    rate: ClassVar[None] = None

    @classmethod
    def of(cls, artefact: Artefact, branch: Branch, frames: RowEncoder) -> States:
        """Return the states of a branch of an artefact that was read."""
        graph = artefact.fused.branches[branch.modality].graph
        network = artefact.info.files[graph][:24]
        return cls(str(artefact.folder), network, frames, len(branch.map))

    @property
    def stream(self) -> str:
        """The modality."""
        return self.frames.modality

    @property
    def width(self) -> int:
        """H, the width of a state."""
        return self.size

    def spec(self) -> dict[str, Any]:
        """See `moodal.modalities.encoder.specification`."""
        own = self.frames.spec()
        return {**own, "name": self.name, "fingerprint": f"{own['fingerprint']}-{self.network}"}

    def encode(self, item: Item) -> np.ndarray:
        """The mean state [1, H], or [0, H].

        Raises:
            DataError: the clip cannot be read.
        """
        frames = self.frames.encode(item)
        if not len(frames):
            return np.zeros((0, self.width), np.float32)
        states = _branch(self.folder, self.stream).states(frames)
        return np.asarray(states.mean(0, keepdims=True), np.float32)


@cache
def _branch(folder: str, modality: str) -> Branch:
    """Read the branch, once in each process."""
    return read_branches(artefacts.read(folder))[modality]
