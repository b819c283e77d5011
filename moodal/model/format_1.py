"""Format 1 of artefact.json, which moodal wrote until version 0.1.0, as the content of format 2.

Nothing is checked here: content that does not follow format 1 is passed on unchanged, so that
the one check in `moodal.model.artefact.read` reports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moodal.core.emotions import RANGES
from moodal.model.fusion_info import FusionFigures
from moodal.model.info import ACTIVATIONS


def from_format_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of an artefact.json of format 1 under the keys of format 2."""
    new = dict(content)
    system, fused = new.pop("system", None), new.pop("fused", None)
    if isinstance(system, dict):
        is_fused = system.get("name") == "fused"
        new["body"] = _fused(fused) if is_fused else {**system, "kind": "system"}
    new.setdefault("trained", new.get("labels"))
    if isinstance(new.get("task"), str):
        new.setdefault("activation", ACTIVATIONS.get(new["task"]))
    if new.get("task") == "regression" and isinstance(new.get("labels"), list):
        known = [name for name in new["labels"] if isinstance(name, str) and name in RANGES]
        new["values"] = [{"name": x, "low": RANGES[x][0], "high": RANGES[x][1]} for x in known]
    if isinstance(new.get("encoders"), dict):
        # a stream without an encoder had an empty object
        new["encoders"] = {stream: spec for stream, spec in new["encoders"].items() if spec != {}}
    if isinstance(new.get("protocol"), dict):
        new["protocol"] = _protocol(new["protocol"])
    if isinstance(new.get("data"), dict):
        new["data"] = {key: value for key, value in new["data"].items() if value not in (None, {})}
    return new


def _fused(body: Any) -> Any:
    """Return the body of a fused artefact, with the figures of each set in a separate object."""
    if not isinstance(body, dict):
        return body
    sets = body.get("fusion")
    if isinstance(sets, dict):
        sets = {name: _measured(weights) for name, weights in sets.items()}
    return {**body, "kind": "fused", "fusion": sets}


def _measured(weights: Any) -> Any:
    """Return the weights of a set with its figures under ``measured``, if all are present."""
    if not isinstance(weights, dict):
        return weights
    figures = {key: weights[key] for key in FusionFigures.model_fields if key in weights}
    whole = figures if len(figures) == len(FusionFigures.model_fields) else None
    own = {key: value for key, value in weights.items() if key not in figures}
    return {**own, "measured": whole}


def _protocol(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol with the recipe's keys under ``settings``."""
    own = ("name", "experiment", "stamps", "checkpoint")
    return {
        **{key: value for key, value in values.items() if key in own},
        "settings": {key: value for key, value in values.items() if key not in own},
    }
