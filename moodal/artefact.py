"""Artefact: a trained system as a folder that anyone can read, verify and use.

    artefact.json        what it is: system, streams, encoders, emotions, thresholds,
                         protocol, metrics, data, licence, and a hash of each other file
    weights.safetensors  the system's weights
    vectors.safetensors  emotion vectors and feature scales, where there are any
    README.md            the model card

There is no pickle in it, and reading it runs nothing. It is the one door between
the wing that learns and the wing that is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.emotions import EmotionSpace
from moodal.errors import DataError
from moodal.files import replacing_folder

FORMAT = 1

REQUIRED = (
    "format", "moodal", "system", "widths", "labels", "task", "vectors", "encoders",
    "thresholds", "calibration", "protocol", "metrics", "data", "licence", "files",
)  # fmt: skip
"""Keys that every artefact.json has; docs/artefact.md says what each holds."""


@dataclass(frozen=True)
class Artefact:
    """A folder that was read and verified.

    Attributes:
        folder: where it lies.
        about: the content of artefact.json.
    """

    folder: Path
    about: Mapping[str, Any]

    @property
    def space(self) -> EmotionSpace:
        """The emotions it was made for, with their vectors where it has any."""
        return EmotionSpace(
            self.about["labels"],
            self.about["task"],
            self.vectors().get("emotions"),
            self.about["vectors"] or "",
        )

    def weights(self) -> dict[str, np.ndarray]:
        """The system's weights by name."""
        return _tensors(self.folder / "weights.safetensors")

    def vectors(self) -> dict[str, np.ndarray]:
        """``emotions`` [C, d], and ``<stream>.mean``, ``<stream>.deviation`` [D]."""
        path = self.folder / "vectors.safetensors"
        return _tensors(path) if path.exists() else {}


def write(
    folder: Path | str,
    about: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    card: str,
) -> Path:
    """Write an artefact in one piece; an older artefact in its place is replaced.

    Args:
        about: every key of `REQUIRED` but "format", "moodal" and "files", which are set here.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    from safetensors.numpy import save_file

    with replacing_folder(folder, "artefact.json") as part:
        save_file(_contiguous(weights), part / "weights.safetensors")
        if vectors:
            save_file(_contiguous(vectors), part / "vectors.safetensors")
        (part / "README.md").write_text(card, encoding="utf-8")
        files = {path.name: _sha256(path) for path in sorted(part.iterdir())}
        whole = {"format": FORMAT, "moodal": _version(), **about, "files": files}
        text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)
        (part / "artefact.json").write_text(text + "\n", encoding="utf-8")
    return Path(folder)


def read(folder: Path | str) -> Artefact:
    """Read and verify an artefact.

    Raises:
        DataError: a file is missing, has another content than when it was written,
            or is of a format that this moodal does not know.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / "artefact.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{folder} is not an artefact: artefact.json is missing. `moodal train` writes one "
            "under RUN/artefact, `moodal import` makes one of the authors' checkpoints."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}/artefact.json cannot be read: {error}.") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        raise DataError(
            f"{folder}/artefact.json has format {found!r}; this moodal ({_version()}) reads "
            f"format {FORMAT}. Use the moodal that wrote it, or train again."
        )
    missing = [key for key in REQUIRED if key not in about]
    if missing:
        raise DataError(f"{folder}/artefact.json lacks {', '.join(missing)}; it is damaged.")
    for name, digest in about["files"].items():
        if Path(name).name != name:
            raise DataError(f"{folder}/artefact.json names a file outside its folder: {name!r}.")
        path = folder / name
        if not path.exists():
            raise DataError(f"{path} is missing; this artefact is not whole. Copy it again.")
        if _sha256(path) != digest:
            raise DataError(
                f"{path} has changed since it was written; do not trust it. Copy it again."
            )
    return Artefact(folder, about)


def _tensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None


def _contiguous(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version() -> str:
    from moodal import __version__

    return __version__
