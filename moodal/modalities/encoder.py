"""The base class of encoders, which turn a text, a clip or an array into frames of features.

An encoder is a small frozen dataclass. Its fields are its parameters; models and tables are
loaded when they are first needed, once per process. Its fingerprint identifies what it computes,
so that prepared features and artefacts can name the encoder that made them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from moodal.core.errors import DataError, MissingDependencyError, installation
from moodal.core.files import version_of
from moodal.core.records import Clip, Sound

Item = str | Clip | Sound | np.ndarray
"""What an encoder reads: a text; a clip whose path can be opened as it stands; or decoded media:
the sound of an utterance or samples [n] at 16,000 per second (speech), face crops [n, 48, 48]
or pictures of one face [n, H, W, 3] uint8 (face)."""


class Encoder(ABC):
    """The base class of encoders: a medium of one modality in, frames of features out.

    Subclasses are frozen dataclasses whose fields have defaults. They set ``name``, ``stream``,
    ``width`` and ``rate`` as class attributes, fields or properties. Encoding a clip equals
    encoding the array that is read from it, so that a row of a corpus and an utterance of a
    recording give equal frames.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    replaces: ClassVar[tuple[str, ...]] = ()
    """Packages of earlier versions of this encoder, for which it stands in when an artefact that
    was made with them is read: its features are of the same kind, but not equal."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name by which recipes and specifications call it, e.g. "egemaps"."""

    @property
    @abstractmethod
    def stream(self) -> str:
        """The modality that it reads, e.g. "speech"."""

    @property
    @abstractmethod
    def width(self) -> int:
        """D, the values per step."""

    @property
    @abstractmethod
    def rate(self) -> float | None:
        """Steps per second; None where steps are words or whole utterances."""

    @property
    def dtype(self) -> str:
        """The precision in which features are stored: "float32", or "float16" if that is enough."""
        return "float32"

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """Return the JSON object from which `build` makes this encoder; see `specification`."""

    def begin(self) -> None:
        """Begin to load in another thread what encoding needs; an encoder of networks overrides it.

        What it cannot load is an error of `encode`.
        """
        return None

    @abstractmethod
    def encode(self, item: Item) -> np.ndarray:
        """Encode one item into finite features [T, D]; T is 0 where there is nothing to encode.

        Raises:
            DataError: the medium cannot be read.
            UsageError: the encoder does not read this kind of item.
        """

    def encode_many(self, items: Sequence[Item]) -> list[np.ndarray]:
        """Encode several items; an encoder overrides this where a batch is faster."""
        return [self.encode(item) for item in items]

    def places(self, item: Item) -> Sequence[int] | None:
        """Return the place in a text where each step begins, -1 for a step of no place.

        None: the steps are not parts of a text, or their places are not known.
        """
        return None

    def raw(self, features: np.ndarray) -> Item | None:
        """Return the medium that features [T, D] from a corpus's files are; None: they are none.

        So can crops of faces, which some corpora are, be encoded like films.
        """
        return None

    def check(self, item: Item) -> None:
        """Check quickly, before anything is encoded, that an item can be read.

        Raises:
            DataError: it cannot.
        """
        return None


def specification(
    encoder: Encoder,
    *,
    packages: Iterable[str],
    weights: Iterable[Path] = (),
    revision: int = 1,
    places: Collection[str] = (),
) -> dict[str, Any]:
    """Return the JSON object that describes what an encoder computes.

    Args:
        encoder: a dataclass instance; its fields are the parameters.
        packages: the distributions whose version changes the numbers.
        weights: files that are part of the function.
        revision: raised whenever moodal's own part of the function changes.
        places: parameters that only locate the weights; the same weights in another place are
            the same encoder.

    Returns:
        ``name``, ``parameters``, ``version`` (of the packages), ``width`` and
        ``fingerprint``: sha256 over all of it and the hash of each weights file.

    Raises:
        DataError: a weights file cannot be read.
    """
    import importlib.metadata  # with the modules on mail that it imports

    about: dict[str, Any] = {
        "name": encoder.name,
        "parameters": dataclasses.asdict(encoder),
        "version": ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages),
        "width": encoder.width,
    }
    try:
        hashes = [file_hash(path) for path in weights]
    except OSError as error:
        raise DataError(
            f"Encoder {encoder.name}: {error.filename} cannot be read: {error.strerror}."
        ) from None
    kept = {k: v for k, v in about["parameters"].items() if k not in places}
    whole = [{**about, "parameters": kept}, revision, hashes]
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode())
    if not about["version"]:
        about["version"] = f"weights {hashes[0][:12]}" if hashes else "without weights"
    return {**about, "fingerprint": digest.hexdigest()[:32]}


def package_folder(package: str, extra: str = "features") -> Path:
    """Return the folder of an installed package without importing it.

    Raises:
        MissingDependencyError: it is not installed; the message names the extra that brings it.
    """
    module = importlib.util.find_spec(package)
    if module is None or not module.submodule_search_locations:
        raise MissingDependencyError(
            f"The package {package} is not installed; {installation(extra)}."
        )
    return Path(module.submodule_search_locations[0])


def file_hash(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal; it is cached until the file changes."""
    return _file_hash(os.fspath(path.absolute()), version_of(path))


@lru_cache(maxsize=4096)
def _file_hash(path: str, version: tuple[int, ...]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
