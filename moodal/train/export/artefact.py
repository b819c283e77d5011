"""Export: a trained system becomes an artefact, and an artefact a system again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import nn

from moodal.core import recipe as config
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, UsageError
from moodal.evaluation.report.card import model_card
from moodal.model import artefact
from moodal.train.data.dataset import Scale
from moodal.train.systems import SYSTEMS

ACTIVATION = {"multi": "sigmoid", "single": "softmax", "regression": "identity"}
"""How scores become the probabilities that reports and thresholds speak of."""


def parse_system(section: Mapping[str, Any], where: str) -> tuple[str, BaseModel]:
    """A recipe's [system] section as the system's name and its own, checked, config.

    Raises:
        UsageError: no such system, or a key it does not have.
    """
    values = dict(section)
    name = str(values.pop("name", ""))
    if name not in SYSTEMS:
        raise UsageError(f"{where}: no system {name!r}; choose among {', '.join(SYSTEMS)}.")
    return name, config.parse(SYSTEMS[name].Config, values, f"{where}, [system]")


def export(
    folder: Path,
    system: nn.Module,
    name: str,
    config: BaseModel,
    widths: Mapping[str, int],
    space: EmotionSpace,
    *,
    scales: Mapping[str, Scale],
    about: Mapping[str, Any],
    report: Mapping[str, Any] | None = None,
    trained_ids: Sequence[str] = (),
) -> Path:
    """Write a trained system as an artefact.

    Args:
        space: the emotions it was trained for, with their vectors.
        scales: what its features were standardised by.
        about: the keys of artefact.json that are not the system's own (see docs/artefact.md).
        report: of its test, for the model card.
        trained_ids: of the training's utterances; their hashes are kept, so that an
            evaluation can tell which of its rows were trained on.
    """
    vectors: dict[str, np.ndarray] = {}
    if space.vectors is not None:
        vectors["emotions"] = space.vectors
    if trained_ids:
        vectors["trained.ids"] = artefact.hashes(trained_ids)
    for stream, scale in scales.items():
        vectors[f"{stream}.mean"] = scale.mean
        vectors[f"{stream}.deviation"] = scale.deviation
    whole = {
        "system": {"name": name, "config": config.model_dump(mode="json")},
        "widths": dict(widths),
        "labels": list(space.labels),
        "task": space.task,
        "vectors": space.source or None,
        **about,
    }
    weights = {key: value.detach().cpu().numpy() for key, value in system.state_dict().items()}
    return artefact.write(folder, whole, weights, vectors, _card(whole, weights, report))


def _card(
    about: Mapping[str, Any], weights: Mapping[str, np.ndarray], report: Mapping[str, Any] | None
) -> str:
    """The model card of artefact.json's content."""
    data = about["data"]
    rows = data.get("rows", {})
    told = {
        "name": f"{about['system']['name']} on {data.get('corpus', 'unknown data')}",
        "system": about["system"]["name"],
        "paper": (SYSTEMS[about["system"]["name"]].__doc__ or "").splitlines()[0],
        "labels": about["labels"],
        "task": about["task"],
        "streams": list(about["widths"]),
        "vectors": about["vectors"],
        "parameters": int(sum(value.size for value in weights.values())),
        "licence": about["licence"],
        "data": [{**data, "licence": about["licence"], "utterances": rows.get("train")}],
        "encoders": about["encoders"],
        "protocol": f"{about['protocol'].get('name')}, {about['protocol'].get('experiment', '')}",
        "limits": data.get("notes", ()),
        "use": "moodal evaluate ARTEFACT PREPARED --out REPORT",
    }
    return model_card(told, report)


def load(folder: Path | str) -> tuple[nn.Module, artefact.Artefact, dict[str, Scale]]:
    """A system with its weights, the artefact it came from, and the scales of its features.

    Raises:
        DataError: the artefact is damaged, or its weights are not those of its system.
    """
    found = artefact.read(folder)
    about = found.about
    name, settings = parse_system(
        {"name": about["system"]["name"], **about["system"]["config"]}, f"{folder}/artefact.json"
    )
    system: nn.Module = SYSTEMS[name].build(settings, about["widths"], found.space)
    weights = {key: torch.from_numpy(value) for key, value in found.weights().items()}
    try:
        system.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise DataError(f"{folder}/weights.safetensors does not fit {name}: {first}") from None
    tensors = found.vectors()
    scales = {
        stream: Scale(tensors[f"{stream}.mean"], tensors[f"{stream}.deviation"])
        for stream in about["widths"]
        if f"{stream}.mean" in tensors
    }
    return system.eval(), found, scales
