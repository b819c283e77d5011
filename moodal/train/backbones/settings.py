"""Backbone: the section of a recipe that names a pre-trained network and how it is trained."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from moodal.core.errors import UsageError
from moodal.core.strict import Strict


class Backbone(Strict):
    """A system's ``speech = {...}`` or ``text = {...}`` section."""

    path: str = ""
    """An embedded network ("whisper-tiny", "minilm", ...), a folder, or a name in the local hub
    cache; "": the features are used as they are, frozen."""
    layers: int = Field(default=0, ge=0)
    """Transformer layers used, counted from below (0: all)."""
    freeze: int = Field(default=0, ge=-1)
    """Layers, counted from below, that keep their weights, as does all below them (-1: all)."""
    time_masks: float = Field(default=0.0, ge=0, lt=1)
    """SpecAugment (Park et al. 2019), in training only: the share of frames masked (0: off)."""
    time_length: int = Field(default=10, ge=1)
    """Frames of one time mask."""
    feature_masks: float = Field(default=0.0, ge=0, lt=1)
    """The share of values masked, the same values in all frames of a clip (0: off)."""
    feature_length: int = Field(default=16, ge=1)
    """Values of one feature mask."""
    architecture: dict[str, Any] = Field(default_factory=dict)
    """The network's sizes, as in its config.json; filled in when a system is exported or imported,
    so that it can be built again without the files of ``path``."""

    def require(self, stream: str, kind: str) -> None:
        """Check that a network is named, which a stream of samples or token ids needs.

        Raises:
            UsageError: none is.
        """
        if not (self.path or self.architecture):
            raise UsageError(
                f"The {stream} of this corpus is {kind}, which a backbone must read: set "
                f"system.{stream}.path, or prepare the corpus with an encoder that gives features."
            )
