"""Imported: a checkpoint of the authors' code, as one of our systems."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from moodal.core.emotions import WordTask

MMER_SYSTEMS = ("mmer", "mmer_2022", "cai_sota", "unimodal_baseline")
"""The systems of MMER's authors; the others are those of EEA's."""


class Imported(NamedTuple):
    """A checkpoint as one of our systems.

    Attributes:
        name: the key in SYSTEMS.
        config: values of that system's Config.
        widths: stream -> D.
        state: our state dict.
        vectors: [C, d] emotion vectors (eea), else None.
        outputs: C.
    """

    name: str
    config: dict[str, Any]
    widths: dict[str, int]
    state: dict[str, Tensor]
    vectors: Tensor | None
    outputs: int

    @property
    def mmer(self) -> bool:
        """Return whether MMER's authors saved it."""
        return self.name in MMER_SYSTEMS

    @property
    def task(self) -> WordTask:
        """Return the task of the outputs, as the authors trained them on emotions."""
        return "single" if self.mmer else "multi"
