"""Artefact: a trained system as a folder that anyone can read, verify and use.

    artefact.json        what it is: system, streams, encoders, emotions, thresholds,
                         protocol, metrics, data, licence, a hash of each other file, and
                         one of its own content
    weights.safetensors  the system's weights
    vectors.safetensors  emotion vectors and feature scales, where there are any
    README.md            the model card
    *.onnx, *.json, ...  of a fused artefact: a graph for each modality, and what it reads with

There is no pickle in it, reading it runs nothing, and no file is read that
artefact.json does not list. It is the one door between
the wing that learns and the wing that is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from moodal.core.emotions import EmotionSpace, Task
from moodal.core.errors import DataError
from moodal.core.files import replacing_folder
from moodal.core.version import __version__

FORMAT = 1

KINDS: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "moodal": str,
    "system": dict,
    "widths": dict,
    "labels": list,
    "task": str,
    "vectors": (str, type(None)),
    "encoders": dict,
    "thresholds": dict,
    "calibration": (dict, type(None)),
    "protocol": dict,
    "metrics": dict,
    "data": dict,
    "licence": str,
    "files": dict,
    "digest": str,
}
"""Keys that every artefact.json has, and their kind; docs/artefact.md says what each holds."""

REQUIRED = tuple(KINDS)


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

    @property
    def trained(self) -> tuple[str, ...]:
        """The emotions that its training showed (imports do not tell: all of them)."""
        return tuple(self.about.get("trained", self.about["labels"]))

    def weights(self) -> dict[str, np.ndarray]:
        """The system's weights by name."""
        return self._tensors("weights.safetensors")

    def vectors(self) -> dict[str, np.ndarray]:
        """``emotions`` [C, d], and ``<stream>.mean``, ``<stream>.deviation`` [D]."""
        return self._tensors("vectors.safetensors")

    def file(self, name: str) -> Path:
        """The path of a file that was verified.

        Raises:
            DataError: artefact.json lists no such file.
        """
        if name not in self.about["files"]:
            raise DataError(f"{self.folder} has no {name}; it is no whole fused artefact.")
        return self.folder / name

    def _tensors(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a file that was verified; none where artefact.json lists no such file."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        if name not in self.about["files"]:
            return {}
        try:
            return load_file(self.folder / name)
        except (SafetensorError, OSError) as error:
            raise DataError(f"{self.folder / name} cannot be read: {error}.") from None


def write(
    folder: Path | str,
    about: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    card: str,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Write an artefact in one piece; an older artefact in its place is replaced.

    Args:
        about: every key of `REQUIRED` but "format", "moodal", "files" and "digest", which
            are set here.
        files: name -> content of what else belongs to it, such as ONNX graphs.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    from safetensors.numpy import save_file

    with replacing_folder(folder, "artefact.json") as part:
        save_file(_contiguous(weights), part / "weights.safetensors")
        if vectors:
            save_file(_contiguous(vectors), part / "vectors.safetensors")
        (part / "README.md").write_text(card, encoding="utf-8")
        for name, content in (files or {}).items():
            (part / name).write_bytes(content)
        hashes = {path.name: _sha256(path) for path in sorted(part.iterdir())}
        whole = {"format": FORMAT, "moodal": __version__, **about, "files": hashes}
        whole = json.loads(json.dumps(whole, allow_nan=False))  # as it will be read
        whole["digest"] = _digest(whole)
        text = json.dumps(whole, indent=2, ensure_ascii=False)
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
            f"{folder}/artefact.json has format {found!r}; this moodal ({__version__}) reads "
            f"format {FORMAT}. Use the moodal that wrote it, or train again."
        )
    wrong = _wrong(about)
    if wrong:
        raise DataError(f"{folder}/artefact.json is damaged: {wrong}. Copy it again.")
    for name, digest in about["files"].items():
        _verify(folder, name, digest)
    return Artefact(folder, about)


def _wrong(about: Mapping[str, Any]) -> str:
    """What is wrong with the content of an artefact.json, "" where nothing is."""
    lacking = [key for key in REQUIRED if key not in about]
    if lacking:
        return f"it lacks {', '.join(lacking)}"
    kinds = [key for key, kind in KINDS.items() if not isinstance(about[key], kind)]
    if kinds:
        return f"{kinds[0]} is {about[kinds[0]]!r:.40}, which is of the wrong type"
    labels, values = about["labels"], about["thresholds"].get("values")
    checks = {
        "labels must be different words": labels
        and all(isinstance(x, str) for x in labels)
        and len(set(labels)) == len(labels),
        f"no task is called {about['task']!r}": about["task"] in get_args(Task),
        f"thresholds must hold {len(labels)} numbers": isinstance(values, list)
        and len(values) == len(labels)
        and all(type(x) in (int, float) for x in values),
        "widths must be whole numbers above 0": all(
            type(x) is int and x > 0 for x in about["widths"].values()
        ),
        "system must have a name and a config": isinstance(about["system"].get("name"), str)
        and isinstance(about["system"].get("config"), dict),
        "files does not list weights.safetensors": "weights.safetensors" in about["files"],
        "its content is not what was written": about["digest"] == _digest(about),
    }
    return next((said for said, right in checks.items() if not right), "")


def _verify(folder: Path, name: str, digest: str) -> None:
    """Refuse a listed file that is not there as it was written."""
    if Path(name).name != name:
        raise DataError(f"{folder}/artefact.json names a file outside its folder: {name!r}.")
    path = folder / name
    try:
        same = _sha256(path) == digest
    except FileNotFoundError:
        raise DataError(f"{path} is missing; this artefact is not whole. Copy it again.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if not same:
        raise DataError(f"{path} has changed since it was written; do not trust it. Copy it again.")


def _contiguous(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(about: Mapping[str, Any]) -> str:
    """sha256 of artefact.json's content without "digest", whatever its layout."""
    told = {key: value for key, value in about.items() if key != "digest"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def hashes(ids: Sequence[str]) -> np.ndarray:
    """[n] uint64, a hash of each utterance's name."""
    return np.array(
        [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") for name in ids],
        np.uint64,
    )


SAME_ROWS = {"ferplus": "fer2013", "fer2013-both": "fer2013"}
"""Corpora whose rows are another's under the same names."""


def marks(corpus: str, ids: Sequence[str]) -> np.ndarray:
    """[n] uint64, a hash of each utterance's corpus and name."""
    return hashes([f"{SAME_ROWS.get(corpus, corpus)}:{name}" for name in ids])
