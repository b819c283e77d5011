"""Consistency: what the keys and tensors of an artefact must agree on."""

from __future__ import annotations

from collections.abc import Iterator

from moodal.model.info import ArtefactInfo


def contradiction(info: ArtefactInfo) -> str:
    """Return the first contradiction in a description, "" where there is none."""
    return next(_contradictions(info), "")


def _contradictions(info: ArtefactInfo) -> Iterator[str]:
    if len(set(info.labels)) < len(info.labels):
        yield "labels must be different words"
    if len(info.thresholds.values) != len(info.labels):
        yield f"thresholds must hold {len(info.labels)} numbers, one for each label"
    if "weights.safetensors" not in info.files:
        yield "files does not list weights.safetensors"
