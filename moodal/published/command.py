"""What the published command lines share: recipes built from their flags, and files as theirs."""

from __future__ import annotations

import argparse
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moodal.core.files import replacing
from moodal.train.engine.selection import merit


def recipe_values(
    args: argparse.Namespace, keys: Mapping[str, str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Build a recipe's values from settings and, over them, from the flags that stand for a key.

    Args:
        args: the command's arguments; a flag whose value is None sets nothing.
        keys: flag -> the recipe key that it sets.
        settings: recipe key -> value.

    >>> args = argparse.Namespace(learning_rate=0.1, alpha=None)
    >>> keys = {"learning_rate": "train.lr", "alpha": "system.alpha"}
    >>> recipe_values(args, keys, {"title": "x", "train.lr": 1, "train.seed": 0})
    {'title': 'x', 'train': {'lr': 0.1, 'seed': 0}}
    """
    flags = {key: getattr(args, name) for name, key in keys.items()}
    chosen = {key: value for key, value in flags.items() if value is not None}
    values: dict[str, Any] = {}
    for key, value in {**settings, **chosen}.items():
        *sections, last = key.split(".")
        section = values
        for name in sections:
            section = section.setdefault(name, {})
        section[last] = value
    return values


def write_recipe(values: Mapping[str, Any], path: Path) -> Path:
    """Write a recipe's values as a TOML file, for `moodal train`."""
    lines = [f"{k} = {_toml(v)}" for k, v in values.items() if not isinstance(v, dict)]
    for section, entries in values.items():
        if isinstance(entries, dict):
            lines += ["", f"[{section}]", *(f"{k} = {_toml(v)}" for k, v in entries.items())]
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


def best_epoch(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the learning curves' row of the epoch that a report's run selected."""
    select = report["extras"]["recipe"]["train"]["select"]
    best: dict[str, Any] = max(report["extras"]["epochs"], key=lambda row: merit(select, row))
    return best


def write_pickle(value: Any, path: Path) -> Path:
    """Write a plain pickle, as the authors' code reads it."""
    with replacing(path) as part, open(part, "wb") as file:
        pickle.dump(value, file)
    return path
