"""Encoder: what turns a text or a span of a recording into frames of features.

An encoder is a small frozen dataclass: its fields are its parameters, whatever
is heavy is loaded when first needed, once per process. What it computes is
known by its fingerprint, so features and artefacts can say what made them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from moodal.core.errors import MissingDependencyError
from moodal.core.records import Clip

Item = str | Clip
"""What an encoder reads: a text, or a clip whose path can be opened as it stands."""


class Encoder(Protocol):
    """Features of one modality.

    Some things are optional, and used where an encoder has them: ``encode_many(items) ->
    list of [T, D]``, where that is faster than one by one; ``check(item)``, which raises
    DataError at once for what cannot be read; ``encode_samples(audio) -> [T, D]`` for
    [samples] at 16,000 a second, where it reads speech; ``dtype``, "float16" where half
    precision is enough (else "float32").
    """

    @property
    def stream(self) -> str:
        """The modality it reads: "text", "speech" or "face"."""
        ...

    @property
    def width(self) -> int:
        """D, the values per step."""
        ...

    @property
    def rate(self) -> float | None:
        """Steps per second; None where steps are words or whole utterances."""
        ...

    def spec(self) -> dict[str, Any]:
        """A JSON object from which `build` makes this encoder again, see `specification`."""
        ...

    def encode(self, item: Any) -> np.ndarray:
        """Features [T, D], finite; T is 0 where there is nothing to encode.

        Raises:
            DataError: the medium cannot be read.
        """
        ...


def dtype_of(encoder: Encoder) -> str:
    """The precision in which its features are kept: "float32" or "float16"."""
    return str(getattr(encoder, "dtype", "float32"))


class _Named(Protocol):
    """An encoder as `specification` reads it: a dataclass with a name."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int: ...


def specification(
    encoder: _Named,
    *,
    packages: Iterable[str],
    weights: Iterable[Path] = (),
    revision: int = 1,
    places: Collection[str] = (),
) -> dict[str, Any]:
    """The JSON object that says what an encoder computes.

    Args:
        encoder: a dataclass instance with ``name`` and ``width``; its fields are parameters.
        packages: the distributions whose version changes the numbers.
        weights: files that are part of the function.
        revision: raised whenever moodal's own part of the function changes.
        places: parameters that only say where the weights lie: the same weights elsewhere are
            the same encoder.

    Returns:
        ``name``, ``parameters``, ``version`` (of the packages), ``width`` and
        ``fingerprint``: sha256 over all of it and the hash of each weights file.
    """
    about: dict[str, Any] = {
        "name": encoder.name,
        "parameters": dataclasses.asdict(encoder),
        "version": ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages),
        "width": encoder.width,
    }
    hashes = [file_hash(path) for path in weights]
    kept = {k: v for k, v in about["parameters"].items() if k not in places}
    whole = [{**about, "parameters": kept}, revision, hashes]
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode())
    if not about["version"]:
        about["version"] = f"weights {hashes[0][:12]}" if hashes else "without weights"
    return {**about, "fingerprint": digest.hexdigest()[:32]}


def package_folder(package: str, extra: str = "features") -> Path:
    """The folder of an installed package, which is not imported.

    Raises:
        MissingDependencyError: it is not installed; says which extra brings it.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MissingDependencyError(
            f"The package {package} is not installed; `pip install 'moodal[{extra}]'` brings it."
        )
    return Path(found.submodule_search_locations[0])


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal; remembered while the file does not change."""
    about = path.stat()
    return _file_hash(os.fspath(path), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=4096)
def _file_hash(path: str, size: int, mtime_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
