"""Ensemble: networks of one modality, each fitted to the same rows by itself.

Their evidence is the mean of their logits. For emotions of which one is right, that is the mean of
their log probabilities but for a constant of each row, which the fusion does not read. A branch's
logits are linear in its states, so an ensemble is a branch as well: its states are those of its
members side by side, and its maps are theirs divided by their number. One graph computes all of
them, and nothing that predicts needs to know of members.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.recipe import Recipe
from moodal.core.records import Frames
from moodal.evaluation.protocols.experiment import Experiment
from moodal.train.export.combined_graph import combine_graphs
from moodal.train.export.quantisation import in_8_bits
from moodal.train.fuse.train_branch import FusedBranch


@dataclass(frozen=True)
class Ensemble(FusedBranch):
    """A branch of several networks.

    Attributes:
        members: two branches or more, of the same modality, rows and words.
    """

    members: tuple[FusedBranch, ...]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first member, whose data and split are those of all."""
        return self.members[0].recipe

    @property
    def experiment(self) -> Experiment:
        """The experiment: its corpus, and which rows trained, validated and test."""
        return self.members[0].experiment

    @property
    def space(self) -> EmotionSpace:
        """The emotions, with vectors."""
        return self.members[0].space

    @property
    def folder(self) -> Path:
        """The folder that keeps what is computed with it."""
        return self.members[0].folder

    @property
    def stream(self) -> str:
        """The modality."""
        return self.members[0].stream

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The maps of its words: "map" [H, d], "offset" [d] and "bias" [H]."""
        each = [member.maps for member in self.members]
        count = len(each)
        return {
            "map": np.concatenate([maps["map"] for maps in each]) / count,
            "offset": np.mean([maps["offset"] for maps in each], axis=0),
            "bias": np.concatenate([maps["bias"] for maps in each]) / count,
        }

    @property
    def digest(self) -> bytes:
        """A hash of the weights."""
        return hashlib.sha256(b"".join(member.digest for member in self.members)).digest()

    def row_states(self, rows: np.ndarray) -> np.ndarray:
        """Compute the mean states [n, H] of rows of its corpus."""
        return np.concatenate([member.row_states(rows) for member in self.members], axis=1)

    def states_of(self, frames: Frames) -> np.ndarray:
        """Compute the mean states [n, H] of other utterances, from the frames of its encoder."""
        return np.concatenate([member.states_of(frames) for member in self.members], axis=1)

    def graph(self, bits: int) -> bytes:
        """Return one ONNX graph of the states of all members, with weights in 32 or 8 bits."""
        joined = combine_graphs([member.graph(32) for member in self.members])
        return joined if bits == 32 else in_8_bits(joined)
