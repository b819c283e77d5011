"""Fetching: artefacts and backbones of the hub, into its local cache.

A file that is in the cache at the commit asked for is never fetched again; a branch or a tag is
looked up anew, and taken from the cache where the hub cannot be reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from moodal.core.errors import DataError, UnsafeFileError
from moodal.core.files import load_json
from moodal.core.offline import asked_offline
from moodal.hub.address import SCHEME, HubAddress
from moodal.hub.connection import client, connect, forbidden

if TYPE_CHECKING:
    from huggingface_hub import HfApi

DESCRIPTION = "artefact.json"

ENDINGS = (".safetensors", ".onnx", ".json", ".md", ".txt", ".png")
"""Endings of the files of an artefact; none of these formats runs code when it is read."""

BACKBONE = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer*.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "special_tokens_map.json",
)
"""Patterns of a backbone's files besides its weights."""


def fetch_artefact(address: HubAddress | str) -> Path:
    """Return the folder of an artefact of the hub in the local cache; fetch what is not there.

    The folder's name is the commit. `moodal.model.artefact.read` verifies the content.

    Raises:
        UsageError: it is no address.
        DataError: no such artefact, or neither the hub nor the cache has it.
        UnsafeFileError: it lists a file of another kind than safetensors, ONNX, text and pictures.
    """
    address = _parsed(address)
    if (address.pinned or asked_offline()) and (folder := cached_artefact(address)):
        return folder
    if asked_offline():
        raise _absent(address)
    with connect(address) as api:
        description = _file(api, address, DESCRIPTION)
        commit = address.at(description.parent.name)
        for name in listed(description, address):
            _file(api, commit, name)
    return description.parent


def cached_artefact(address: HubAddress) -> Path | None:
    """Return the folder of an artefact that is wholly in the cache, else None."""
    description = _cached(address, DESCRIPTION)
    if description is None:
        return None
    commit = address.at(description.parent.name)
    names = listed(description, address)
    whole = all(_cached(commit, name) is not None for name in names)
    return description.parent if whole else None


def fetch_backbone(address: HubAddress | str) -> Path:
    """Return the folder of a backbone in the local cache; fetch what is not there.

    Weights are fetched as safetensors; as pytorch_model.bin, which is read without running
    anything in it, where there are no others.

    Raises:
        UsageError: it is no address.
        DataError: no such repository, or neither the hub nor the cache has it.
    """
    address = _parsed(address)
    if (address.pinned or asked_offline()) and (folder := cached_backbone(address)):
        return folder
    if asked_offline():
        raise _absent(address)
    with connect(address) as api:
        config = _file(api, address, "config.json")
        commit = address.at(config.parent.name)
        # the weights last: a folder that holds them is whole
        names = api.list_repo_files(commit.repository, revision=commit.revision)
        for name in _backbone_files(names):
            _file(api, commit, name)
    return config.parent


def fetch_named_backbones(value: Any) -> None:
    """Fetch every backbone that a recipe or the specification of an encoder names by hf://.

    Training and encoding then read the cache alone: what a stranger's artefact or prepared corpus
    names is never fetched.

    Args:
        value: a text, or lists and dicts of them.

    Raises:
        MoodalError: as `fetch_backbone`.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, str):
        for text in re.findall(rf"{SCHEME}[^,\s]+", value):
            fetch_backbone(text)
    elif isinstance(value, Iterable):
        for part in value:
            fetch_named_backbones(part)


def cached_backbone(address: HubAddress | str) -> Path | None:
    """Return the folder of a backbone that was fetched earlier, else None; nothing is fetched."""
    config = _cached(_parsed(address), "config.json")
    if config is None:
        return None
    folder = config.parent
    kinds = ("*.safetensors", "pytorch_model*.bin")
    return folder if any(_whole(folder, pattern) for pattern in kinds) else None


def _whole(folder: Path, weights: str) -> bool:
    """Return whether a folder has all weights of a kind; an index lists those in several files."""
    names = {path.name for path in folder.glob(weights)}
    try:
        for index in folder.glob(f"{weights}.index.json"):
            if not names.issuperset(load_json(index)["weight_map"].values()):
                return False
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return bool(names)


def listed(description: Path, address: HubAddress) -> list[str]:
    """List the files that an artefact.json names, each in its own folder and of a safe kind.

    Raises:
        DataError: it is no artefact.json, or names a file elsewhere.
        UnsafeFileError: a file is of another kind.
    """
    try:
        content = load_json(description)
        names = [str(name) for name in content["files"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{address}: its artefact.json cannot be read ({error}).") from None
    for name in names:
        if PurePosixPath(name).name != name or "\\" in name or name == DESCRIPTION:
            raise DataError(f"{address}: its artefact.json names a file elsewhere: {name!r}.")
        require_safe(name, str(address))
    return names


def require_safe(name: str, where: str) -> None:
    """Refuse a file of another kind than safetensors, ONNX, text and pictures.

    Raises:
        UnsafeFileError: it is of another kind.
    """
    if not name.lower().endswith(ENDINGS):
        raise UnsafeFileError(
            f"{where} lists {name!r}; artefacts of the hub hold safetensors and ONNX, texts and "
            "pictures alone. It was not fetched or sent."
        )


def _parsed(address: HubAddress | str) -> HubAddress:
    return HubAddress.parse(address) if isinstance(address, str) else address


def _absent(address: HubAddress) -> DataError:
    return forbidden(address)


def _file(api: HfApi, address: HubAddress, name: str) -> Path:
    """Fetch one file, or take it from the cache."""
    return Path(api.hf_hub_download(address.repository, name, revision=address.revision))


def _cached(address: HubAddress, name: str) -> Path | None:
    """Return the path of a file in the cache, else None."""
    client()  # says how to install huggingface_hub where it is missing
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(address.repository, name, revision=address.revision)
    return Path(path) if isinstance(path, str) else None


def _backbone_files(names: Iterable[str]) -> list[str]:
    """Choose the files of a backbone, without those in folders; the weights last."""
    top = [name for name in names if "/" not in name]
    others = [name for name in top if any(fnmatch(name, pattern) for pattern in BACKBONE)]
    weights = [name for name in top if fnmatch(name, "*.safetensors")]
    index = [name for name in top if fnmatch(name, "*.safetensors.index.json")]
    if not weights:
        weights = [name for name in top if fnmatch(name, "pytorch_model*.bin")]
        index = [name for name in top if fnmatch(name, "pytorch_model*.json")]
    return [*others, *index, *weights]
