"""TextLayers: the upper layers of a text network, on states that an encoder computed below them.

The lower layers are never trained, so the encoder e5 computes them once, in training and in
prediction alike: what trains is small, and so is what an artefact carries.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from moodal.core.errors import UsageError
from moodal.modalities.text.e5 import MIDDLE, WIDTH
from moodal.train.backbones.layered import Layered
from moodal.train.backbones.locate import find
from moodal.train.backbones.pretrained import from_architecture, from_files, sizes_of
from moodal.train.backbones.settings import Backbone

NAME = "e5-small"


class TextLayers(Layered):
    """The layers of multilingual-e5-small above those of the encoder e5.

    Args:
        settings: ``path`` is "e5-small", ``freeze`` the layers of the encoder; those above it, up
            to ``layers`` (0: all 12), train.
        width: the values of a step, 384.

    Attributes:
        width: H, of the states.
        settings: with the architecture filled in.

    Raises:
        UsageError: another network, other features, or no layer above those of the encoder.
    """

    stream: ClassVar[str] = "text"
    place = "layers"

    def __init__(self, settings: Backbone, width: int):
        super().__init__()
        if width != WIDTH or settings.freeze != MIDDLE or settings.path not in ("", NAME):
            raise UsageError(
                f"A network on text features of {width} values: only {NAME} with freeze = {MIDDLE} "
                f"has one, on the features of --encoder text=e5:layers={MIDDLE}."
            )
        if settings.time_masks or settings.feature_masks:
            raise UsageError("time_masks and feature_masks are for speech; text has none.")
        sizes = settings.architecture
        model: Any = from_architecture(sizes) if sizes else from_files(find(settings.path))
        count = len(model.encoder.layer)
        if not MIDDLE < (settings.layers or count) <= count:
            raise UsageError(
                f"{NAME} has {count} layers, and the encoder {MIDDLE}: layers must be from "
                f"{MIDDLE + 1} to {count}; got {settings.layers}."
            )
        self.layers: nn.ModuleList = model.encoder.layer[MIDDLE : settings.layers or count]
        self.width = int(model.config.hidden_size)
        self.settings = settings.model_copy(update={"architecture": sizes_of(model)})
        self.adjust()

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute states [B, T, H], zero beyond the lengths [B], of features [B, T, 384]."""
        inside = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        seen = inside.clone()
        seen[:, 0] = True  # attention over nothing is not a number
        states = self._through(values, seen[:, None, None])
        return states.masked_fill(~inside[..., None], 0.0), lengths

    def states(self, frames: Tensor) -> Tensor:
        """Compute the states [T, H] of the features [T, 384] of one text."""
        return self._through(frames[None], None)[0]

    def _through(self, states: Tensor, mask: Tensor | None) -> Tensor:
        each = [states]
        for layer in self.layers:
            out = layer(states, mask)
            states = out[0] if isinstance(out, tuple) else out
            each.append(states)
        return self.summed(each, states)
