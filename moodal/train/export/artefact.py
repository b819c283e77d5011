"""Export: write a trained system as an artefact, and rebuild the system of an artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moodal.core.errors import DataError, MoodalError, UsageError
from moodal.model import artefact
from moodal.model.card import card_of
from moodal.model.info import ArtefactInfo
from moodal.train.data.dataset import Scale
from moodal.train.systems import SYSTEMS
from moodal.train.systems.section import parse_system
from moodal.train.systems.system import System


def export(
    folder: Path,
    system: System,
    info: ArtefactInfo,
    emotions: np.ndarray | None,
    *,
    scales: Mapping[str, Scale] | None = None,
    report: Mapping[str, Any] | None = None,
    trained_ids: Sequence[str] = (),
) -> Path:
    """Write a trained system as an artefact.

    Args:
        emotions: the vectors [C, d] of the labels, where the system uses vectors.
        scales: modality -> the mean and deviation that standardised its features.
        report: the report of its test, for the model card.
        trained_ids: the ids of the training's utterances; their hashes are stored, so that an
            evaluation can find the rows that were trained on.
    """
    vectors: dict[str, np.ndarray] = {}
    if emotions is not None:
        vectors["emotions"] = emotions
    if trained_ids:
        vectors["trained.ids"] = artefact.hashes(trained_ids)
    for stream, scale in (scales or {}).items():
        vectors[f"{stream}.mean"] = scale.mean
        vectors[f"{stream}.deviation"] = scale.deviation
    weights = {key: value.detach().cpu().numpy() for key, value in system.state_dict().items()}
    card = card_of(
        info,
        parameters=int(sum(value.size for value in weights.values())),
        paper=(SYSTEMS[info.name].__doc__ or "").splitlines()[0],
        report=report,
    )
    return artefact.write(folder, info, weights, vectors, card)


def load(folder: Path | str) -> tuple[System, artefact.Artefact, dict[str, Scale]]:
    """Read an artefact and rebuild its system.

    Returns:
        The system with its weights, the artefact, and the scales of its features.

    Raises:
        DataError: the artefact is damaged, or its weights do not fit its system.
    """
    read = artefact.read(folder)
    return rebuild(read), read, scales_of(read)


def scales_of(read: artefact.Artefact) -> dict[str, Scale]:
    """Return the mean and deviation of each modality whose features were standardised."""
    tensors = read.vectors()
    return {
        stream: Scale(tensors[f"{stream}.mean"], tensors[f"{stream}.deviation"])
        for stream in read.info.widths
        if f"{stream}.mean" in tensors
    }


def rebuild(read: artefact.Artefact) -> System:
    """Build the system of an artefact, with its weights, ready to score.

    Raises:
        DataError: its config does not fit its system, or its weights do not.
    """
    described = f"{read.folder}/{artefact.DESCRIPTION}"
    if "name" in read.system.config:
        raise DataError(f"{described}: body.config has a key name, which is the system's.")
    try:
        name, config = parse_system({"name": read.system.name, **read.system.config}, described)
    except UsageError as error:
        raise DataError(str(error)) from None
    weights = read.weights()
    if (depth := _depth(read.system.config)) > len(weights):
        raise DataError(f"{described}, [system]: {depth} layers have no weights.")
    try:
        with torch.device("meta"):  # the shapes alone: a forged width would fill the memory
            shapes = SYSTEMS[name].build(config, read.info.widths, read.space).state_dict()
        if fault := _misfit(weights, shapes):
            raise DataError(f"{read.folder}/{artefact.WEIGHTS} does not fit {name}: {fault}.")
        system = SYSTEMS[name].build(config, read.info.widths, read.space)
        if set(system.streams) != set(read.info.widths):
            own, named = ", ".join(system.streams), ", ".join(read.info.widths)
            raise DataError(f"{described}: its {name} reads {own}, but widths names {named}.")
        system.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    except MoodalError:
        raise
    except Exception as error:  # PyTorch has no class for a config that makes no sense
        first = (str(error).splitlines() or [""])[0]
        raise DataError(f"{described}: its {name} cannot be built ({first[:160]}).") from None
    return system.eval()


def _depth(config: Mapping[str, Any]) -> int:
    """Return the largest number of layers that a config asks for, at any depth.

    Layers that features store are none of the system's: it has one share for each, in one tensor.
    """
    inner = [_depth(value) for value in config.values() if isinstance(value, Mapping)]
    own = [
        int(value)
        for key, value in config.items()
        if "layers" in key and key != "stored_layers" and isinstance(value, int | float)
    ]
    return max(inner + own, default=0)


def _misfit(weights: Mapping[str, np.ndarray], expected: Mapping[str, torch.Tensor]) -> str:
    """Return the first tensor that is missing, foreign, or of another shape; "" if all fit."""
    for key in (*expected, *weights):
        if key not in weights:
            return f"{key} is missing"
        if key not in expected:
            return f"the system has no {key}"
        has, needs = list(weights[key].shape), list(expected[key].shape)
        if has != needs:
            return f"{key} is {has}, and the system has {needs}"
    return ""
