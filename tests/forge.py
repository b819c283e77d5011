"""Artefacts that were changed and then signed again, as a careful forger or a faulty writer would.

draft = forge.Draft.of(folder)
draft.content["labels"] = ["a"]
draft.sign(other_folder)
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

TENSORS = {"weights": "weights.safetensors", "vectors": "vectors.safetensors"}


@dataclass(frozen=True)
class Draft:
    """The parts of an artefact, to be changed in place.

    Attributes:
        content: of artefact.json.
        weights, vectors: the tensors; removed from the artefact where they are empty.
        files: name -> content of every other file.
    """

    content: dict[str, Any]
    weights: dict[str, np.ndarray]
    vectors: dict[str, np.ndarray]
    files: dict[str, bytes]

    @classmethod
    def of(cls, folder: Path) -> Draft:
        """Read an artefact."""
        content = json.loads((folder / "artefact.json").read_text(encoding="utf-8"))
        files = {name: (folder / name).read_bytes() for name in content["files"]}
        tensors = {part: load(files.pop(name)) for part, name in TENSORS.items() if name in files}
        return cls(content, tensors["weights"], tensors.get("vectors", {}), files)

    def copy(self) -> Draft:
        """Return a draft whose content and dicts can be changed without changing this one."""
        parts = copy.deepcopy(self.content), dict(self.weights), dict(self.vectors)
        return replace(
            self, content=parts[0], weights=parts[1], vectors=parts[2], files={**self.files}
        )

    def sign(self, folder: Path, *, listed: bool = True) -> Path:
        """Write the artefact with fitting hashes.

        Args:
            listed: False: keep ``files`` as the content has it.
        """
        folder.mkdir(parents=True)
        files = {**self.files, TENSORS["weights"]: save(self.weights)}
        if self.vectors:
            files[TENSORS["vectors"]] = save(self.vectors)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        if listed:
            hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
            self.content["files"] = hashes
        self.describe(folder, self.content)
        return folder

    def describe(self, folder: Path, content: dict[str, Any]) -> None:
        """Write the artefact.json of a folder, with a digest that fits."""
        signed = {key: value for key, value in content.items() if key != "digest"}
        digest = hashlib.sha256(json.dumps(signed, sort_keys=True).encode()).hexdigest()
        (folder / "artefact.json").write_text(json.dumps({**signed, "digest": digest}))


Change = Callable[[Draft], Any]


def _parent(draft: Draft, path: str) -> tuple[Any, Any]:
    """Return what holds a key, and the key; list indices are numbers."""
    *places, last = path.split("/")
    value: Any = draft.content
    for place in places:
        value = value[int(place)] if isinstance(value, list) else value[place]
    return value, int(last) if isinstance(value, list) else last


def put(path: str, value: Any) -> Change:
    """Set a value of artefact.json, by keys with slashes between."""

    def change(draft: Draft) -> None:
        holder, key = _parent(draft, path)
        holder[key] = value

    return change


def drop(path: str) -> Change:
    """Remove a key of artefact.json."""

    def change(draft: Draft) -> None:
        holder, key = _parent(draft, path)
        del holder[key]

    return change


def rename(path: str, name: str) -> Change:
    """Give a key of artefact.json another name."""

    def change(draft: Draft) -> None:
        holder, key = _parent(draft, path)
        holder[name] = holder.pop(key)

    return change


def weight(name: str, values: Any) -> Change:
    """Set a tensor of the weights; None removes it, a function is given the present one."""
    return lambda draft: _set(draft.weights, name, values)


def vector(name: str, values: Any) -> Change:
    """Set a tensor of the vectors; see `weight`."""
    return lambda draft: _set(draft.vectors, name, values)


def _set(tensors: dict[str, np.ndarray], name: str, values: Any) -> None:
    if values is None:
        del tensors[name]
    else:
        tensors[name] = np.ascontiguousarray(values(tensors[name]) if callable(values) else values)


def all_of(*changes: Change) -> Change:
    """Make several changes."""

    def change(draft: Draft) -> None:
        for one in changes:
            one(draft)

    return change


def with_one(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that sets the first number of an array."""

    def change(values: np.ndarray) -> np.ndarray:
        changed = values.copy()
        changed.flat[0] = value
        return changed

    return change
