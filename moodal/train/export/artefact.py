"""Export: a trained system becomes an artefact, and an artefact a system again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moodal.core.errors import DataError
from moodal.evaluation.report.card import model_card
from moodal.model import artefact
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
        emotions: the vectors [C, d] of the labels, where it knows them by such.
        scales: modality -> what its features were standardised by.
        report: of its test, for the model card.
        trained_ids: of the training's utterances; their hashes are kept, so that an
            evaluation can tell which of its rows were trained on.
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
    return artefact.write(folder, info, weights, vectors, _card(info, weights, report))


def _card(
    info: ArtefactInfo, weights: Mapping[str, np.ndarray], report: Mapping[str, Any] | None
) -> str:
    """Write the model card of a system."""
    data = {
        "corpus": info.data.corpus,
        "fingerprint": info.data.fingerprint,
        "licence": info.licence,
        "utterances": info.data.rows.get("train"),
    }
    told = {
        "name": f"{info.name} on {info.data.corpus}",
        "system": info.name,
        "paper": (SYSTEMS[info.name].__doc__ or "").splitlines()[0],
        "labels": info.labels,
        "task": info.task,
        "streams": list(info.widths),
        "vectors": info.vectors,
        "parameters": int(sum(value.size for value in weights.values())),
        "licence": info.licence,
        "data": [data],
        "encoders": {stream: encoder.spec() for stream, encoder in info.encoders.items()},
        "protocol": f"{info.protocol.name}, {info.protocol.experiment}",
        "limits": info.data.notes,
        "use": "moodal evaluate ARTEFACT PREPARED --out REPORT",
    }
    return model_card(told, report)


def load(folder: Path | str) -> tuple[System, artefact.Artefact, dict[str, Scale]]:
    """A system with its weights, the artefact it came from, and the scales of its features.

    Raises:
        DataError: the artefact is damaged, or its weights are not those of its system.
    """
    found = artefact.read(folder)
    name, settings = parse_system(
        {"name": found.system.name, **found.system.config}, f"{folder}/artefact.json"
    )
    system = SYSTEMS[name].build(settings, found.info.widths, found.space)
    weights = {key: torch.from_numpy(value) for key, value in found.weights().items()}
    try:
        system.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise DataError(f"{folder}/weights.safetensors does not fit {name}: {first}") from None
    tensors = found.vectors()
    scales = {
        stream: Scale(tensors[f"{stream}.mean"], tensors[f"{stream}.deviation"])
        for stream in found.info.widths
        if f"{stream}.mean" in tensors
    }
    return system.eval(), found, scales
