"""Artefact: a trained system as a folder that anyone can read, verify and use.

    artefact.json        its description (`moodal.model.info.ArtefactInfo`), with a hash of each
                         other file and one of its own content
    weights.safetensors  the weights of the system, or of the fused branches
    vectors.safetensors  emotion vectors, feature scales and hashes of the training rows
    README.md            the model card
    *.onnx, ...          of a fused artefact: a graph for each modality, the weights of heads with
                         their licences, and pictures of the card

No file is a pickle, reading runs no code, and no file is read that artefact.json does not list.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from moodal.core.concatenation import SAME_ROWS
from moodal.core.emotions import Targets
from moodal.core.errors import DataError
from moodal.core.files import load_json, replacing, replacing_folder
from moodal.core.targets import targets
from moodal.core.version import __version__
from moodal.model.consistency import contradiction, not_finite, tensor_fault
from moodal.model.format_1 import from_format_1
from moodal.model.info import (
    FORMAT,
    ArtefactInfo,
    FusedBody,
    SystemBody,
    modality_infos,
)
from moodal.model.readers import readers

DESCRIPTION = "artefact.json"
WEIGHTS, VECTORS, CARD = "weights.safetensors", "vectors.safetensors", "README.md"


DEFAULT = Path(__file__).parent / "default"
"""The folder of the artefact that is shipped with the package."""


@dataclass(frozen=True)
class Artefact:
    """A folder that was read and verified.

    Attributes:
        folder: its path.
        info: its description.
    """

    folder: Path
    info: ArtefactInfo

    @property
    def fused(self) -> FusedBody:
        """The branches and their fusion.

        Raises:
            DataError: the artefact is a system, not a fused one.
        """
        if isinstance(self.info.body, FusedBody):
            return self.info.body
        raise DataError(
            f"{self.folder} holds {self.info.name}, which reads prepared features; "
            "`moodal predict` takes fused artefacts. Make one with `moodal compose`, or leave "
            "--artefact out."
        )

    @property
    def system(self) -> SystemBody:
        """The trained system.

        Raises:
            DataError: the artefact is a fused one.
        """
        if isinstance(self.info.body, SystemBody):
            return self.info.body
        raise DataError(
            f"{self.folder} is the fused artefact {self.info.name}; a single trained system is "
            "needed here, such as `moodal train` writes under RUN/artefact."
        )

    @property
    def space(self) -> Targets:
        """The emotions or values that it predicts, with their vectors if it has any."""
        return targets(
            self.info.labels,
            self.info.task,
            [value.model_dump() for value in self.info.values],
            vectors=self.vectors().get("emotions"),
            source=self.info.vectors or "",
        )

    def weights(self) -> dict[str, np.ndarray]:
        """Load the weights by name."""
        return self._tensors(WEIGHTS)

    def vectors(self) -> dict[str, np.ndarray]:
        """Load the tensors other than weights.

        These are ``emotions`` [C, d], ``<stream>.mean`` and ``<stream>.deviation`` [D], and hashes
        of the training rows; of a fused artefact also ``words`` [W, d].
        """
        return self._tensors(VECTORS)

    def tensors(self, name: str) -> dict[str, np.ndarray]:
        """Load the tensors of a further file, such as that of a head.

        Raises:
            DataError: artefact.json lists no such file, or it cannot be read.
        """
        self.file(name)
        return self._tensors(name)

    def word_vectors(self) -> dict[str, np.ndarray]:
        """Load the vectors [d] of all words that a fused artefact carries, by word.

        Raises:
            DataError: the artefact is a system.
        """
        return dict(zip(self.fused.words, self.vectors()["words"], strict=True))

    def file(self, name: str) -> Path:
        """Return the path of a file that was verified.

        Raises:
            DataError: artefact.json lists no such file.
        """
        if name not in self.info.files:
            raise DataError(f"{self.folder} has no {name}; copy the artefact again.")
        return self.folder / name

    def _tensors(self, name: str) -> dict[str, np.ndarray]:
        """Load a file of tensors; empty if artefact.json does not list the file."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        if name not in self.info.files:
            return {}
        try:
            tensors = load_file(self.folder / name)
        except (SafetensorError, OSError, TypeError, ValueError, LookupError) as error:
            # safetensors refuses number types that NumPy does not have in several ways
            raise DataError(f"{self.folder / name} cannot be read: {error}.") from None
        if wrong := not_finite(tensors):
            raise DataError(
                f"{self.folder / name}: the tensor {wrong} holds NaN or infinity; do not use this "
                "artefact."
            )
        return tensors


def write(
    folder: Path | str,
    info: ArtefactInfo,
    weights: Mapping[str, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    card: str,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Write an artefact in one step; an older artefact in its place is replaced.

    Args:
        info: its description; ``format``, ``moodal``, ``files`` and ``digest`` are set here.
        files: name -> content of further files, such as ONNX graphs.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    from safetensors.numpy import save

    with replacing_folder(folder, DESCRIPTION) as part:
        (part / WEIGHTS).write_bytes(save(_contiguous(weights)))
        if vectors:
            (part / VECTORS).write_bytes(save(_contiguous(vectors)))
        (part / CARD).write_text(card, encoding="utf-8")
        for name, content in (files or {}).items():
            (part / name).write_bytes(content)
        hashes = {path.name: _sha256(path) for path in sorted(part.iterdir())}
        (part / DESCRIPTION).write_text(_signed(info, hashes), encoding="utf-8")
    return Path(folder)


def sign_again(folder: Path | str) -> None:
    """Rewrite the artefact.json of a sound artefact in the present format.

    Its other files stay as they are, to the byte.

    Raises:
        DataError: as `read`.
        OutputError: the folder cannot be written.
    """
    info = read(folder).info
    with replacing(Path(folder) / DESCRIPTION) as part:
        part.write_text(_signed(info, info.files), encoding="utf-8")


def copy_with_card(artefact: Artefact, folder: Path | str, info: ArtefactInfo, card: str) -> Path:
    """Copy a verified artefact to a folder with another card and description.

    Its other files stay as they are, to the byte.

    Args:
        info: the description; ``format``, ``moodal``, ``files`` and ``digest`` are set here.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    with replacing_folder(folder, DESCRIPTION) as part:
        for name in artefact.info.files:
            shutil.copyfile(artefact.folder / name, part / name)
        (part / CARD).write_text(card, encoding="utf-8", newline="\n")
        hashes = {**artefact.info.files, CARD: _sha256(part / CARD)}
        (part / DESCRIPTION).write_text(_signed(info, hashes), encoding="utf-8")
    return Path(folder)


def _signed(info: ArtefactInfo, hashes: Mapping[str, str]) -> str:
    """Return the text of an artefact.json, with the hashes of the other files and its own."""
    current = {"format": FORMAT, "moodal": __version__, "files": dict(hashes)}
    content = info.model_copy(update=current).model_dump()
    content["digest"] = _digest(content)
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read(folder: Path | str) -> Artefact:
    """Read and verify an artefact.

    Raises:
        DataError: a file is missing or has another content than when it was written, the format
            is not known to this moodal, or the description contradicts itself.
    """
    folder = Path(folder)
    info = _info(folder)
    for name, digest in info.files.items():
        _verify(folder, name, digest)
    artefact = Artefact(folder, info)
    weights = artefact.weights() if info.kind == "fused" else {}
    if wrong := tensor_fault(info, weights, artefact.vectors()):
        raise DataError(f"{folder} contradicts itself: {wrong}. Copy it again.")
    return artefact


def _info(folder: Path) -> ArtefactInfo:
    """Read artefact.json.

    Raises:
        DataError: as `read`.
    """
    try:
        content = load_json(folder / DESCRIPTION)
        json.dumps(content, allow_nan=False)  # refuses NaN, infinity and what is nested too deep
    except FileNotFoundError:
        raise DataError(f"{folder} is not an artefact: {_whereabouts(folder)}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{folder}/artefact.json cannot be read: {error}.") from None
    version = content.get("format") if isinstance(content, dict) else None
    if version not in (1, FORMAT):
        raise DataError(
            f"{folder}/artefact.json has format {version!r}; this moodal ({__version__}) reads "
            f"the formats 1 and {FORMAT}. Use the moodal that wrote it, or train again."
        )
    damaged = f"{folder}/artefact.json is damaged"
    if missing := [key for key in ("moodal", "files", "digest") if key not in content]:
        raise DataError(f"{damaged}: it lacks {missing[0]}. Copy it again.")
    current = from_format_1(content) if version == 1 else content
    try:
        info = ArtefactInfo.model_validate_json(json.dumps(current))
    except ValidationError as error:
        raise DataError(f"{damaged}: {_fault(error)}. Copy it again.") from None
    if content.get("digest") != _digest(content):
        raise DataError(f"{damaged}: its content is not what was written. Copy it again.")
    if version == 1:
        own_readers = readers(info.encoders) if info.kind == "fused" else {}
        added = {"readers": own_readers, "modalities": modality_infos(info.widths)}
        info = info.model_copy(update=added)
    if wrong := contradiction(info):
        raise DataError(f"{damaged}: {wrong}. Copy it again.")
    return info


def _whereabouts(folder: Path) -> str:
    """Name the artefacts of a run that was given in place of one, or say what makes artefacts."""
    run = folder.parent if folder.name == "artefact" else folder
    own, *_ = [*run.glob(f"artefact/{DESCRIPTION}"), None]
    folds = sorted(path.parent for path in run.glob(f"*/artefact/{DESCRIPTION}"))
    if own:
        return f"the artefact of this run is {own.parent}."
    if folds:
        more = f" ({len(folds)} in all)" if len(folds) > 1 else ""
        return (
            f"the run has one artefact per fold, such as {folds[0]}{more}; name one of them, or "
            "train a single model with split.only=[0] into another folder."
        )
    return (
        "artefact.json is missing. `moodal train` writes one under RUN/artefact, or under "
        "RUN/fold-*/artefact where the recipe has several folds; `moodal import` makes one of "
        "the authors' checkpoints."
    )


def _fault(error: ValidationError) -> str:
    """Describe the first fault of a description in a phrase: its key, its value, what is wrong.

    >>> from moodal.model.info import ThresholdInfo
    >>> try:
    ...     ThresholdInfo.model_validate_json('{"values": [0.5, 2]}')
    ... except ValidationError as error:
    ...     _fault(error)
    'values.1 is 2: input should be less than or equal to 1'
    """
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    if not place:
        return "it is no such object"
    if len(place) > 1 and place[0] == "body":
        del place[1]  # the kind of the body, which pydantic puts behind its key
    key = ".".join(place)
    if first["type"] == "missing":
        return f"it lacks {key}"
    if first["type"] == "extra_forbidden":
        return f"it has a key {key} that this format does not have"
    message = str(first["msg"])
    return f"{key} is {first['input']!r:.40}: {message[:1].lower()}{message[1:]}"


def _verify(folder: Path, name: str, digest: str) -> None:
    """Check that a listed file exists and is unchanged."""
    if Path(name).name != name:
        raise DataError(f"{folder}/artefact.json names a file outside its folder: {name!r}.")
    path = folder / name
    try:
        same = _sha256(path) == digest
    except FileNotFoundError:
        raise DataError(f"{path} is missing; this artefact is not whole. Copy it again.") from None
    except (OSError, ValueError) as error:  # a name may hold what no system allows
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from None
    if not same:
        raise DataError(f"{path} has changed since it was written; do not trust it. Copy it again.")


def _contiguous(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(content: Mapping[str, Any]) -> str:
    """Hash the content of artefact.json without "digest", whatever its layout."""
    signed = {key: value for key, value in content.items() if key != "digest"}
    return hashlib.sha256(json.dumps(signed, sort_keys=True).encode()).hexdigest()


def hashes(ids: Sequence[str]) -> np.ndarray:
    """Hash each utterance's name: [n] uint64."""
    return np.array(
        [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") for name in ids],
        np.uint64,
    )


def marks(names: Sequence[tuple[str, str]]) -> np.ndarray:
    """Hash the corpus and name of utterances (`moodal.core.concatenation.origins`): [n] uint64."""
    return hashes([f"{SAME_ROWS.get(corpus, corpus)}:{name}" for corpus, name in names])
