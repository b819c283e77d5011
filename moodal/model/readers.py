"""Readers: the encoders by which a fused artefact reads media that its training read otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from moodal.modalities.face.pixels import Pixels
from moodal.model.info import EncoderInfo

LONGEST = 2**31 - 1
"""The limit of samples in prediction: practically all of them, window by window."""


def readers(encoders: Mapping[str, EncoderInfo]) -> dict[str, EncoderInfo]:
    """Return the encoders of a fused artefact's prediction that its training did not use.

    If training read crops of faces, any version of the encoder `pixels` cuts faces out of pictures.
    An encoder with a limit on length reads sounds to their end, because a branch divides what is
    longer than its window.
    """
    pixels = Pixels()
    other: dict[str, EncoderInfo] = {}
    for modality, encoder in encoders.items():
        crops = encoder.name == "as-given" and encoder.width == pixels.width
        if crops and modality == pixels.stream:
            other[modality] = EncoderInfo(name=pixels.name, width=pixels.width)
        if "longest" in encoder.parameters:
            parameters = {**encoder.parameters, "longest": LONGEST}
            other[modality] = EncoderInfo(
                name=encoder.name, parameters=parameters, width=encoder.width
            )
    return other
