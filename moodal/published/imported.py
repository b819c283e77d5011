"""Imported: a checkpoint of the authors' code, as one of our systems."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor


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
