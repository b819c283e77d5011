"""Pushing: send an artefact to the hub, with a card that the hub can read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moodal.core.errors import DataError, UsageError
from moodal.core.offline import asked_offline
from moodal.hub.address import HubAddress
from moodal.hub.card import hub_card
from moodal.hub.connection import connect
from moodal.hub.fetch import require_safe
from moodal.model import artefact as artefacts
from moodal.model.artefact import CARD, DESCRIPTION, Artefact
from moodal.model.info import ArtefactInfo

UNSTATED = ("", "unknown")
"""Licences that say nothing."""


@dataclass(frozen=True)
class Pushed:
    """An artefact that was sent.

    Attributes:
        address: its address, pinned to the commit.
        digest: the digest of its artefact.json there.
        notes: what others should know, one sentence each.
    """

    address: HubAddress
    digest: str
    notes: tuple[str, ...] = ()


def push(
    artefact: Path | str,
    repository: str,
    *,
    licence: str = "",
    private: bool = False,
    before: Callable[[str], object] | None = None,
) -> Pushed:
    """Send an artefact to a repository of the hub, in one commit.

    The card gets the hub's metadata, and artefact.json is signed again for it; weights and graphs
    stay as they are, to the byte. A repository that does not exist is created.

    Args:
        artefact: its folder.
        repository: "owner/name"; the commit goes to its main branch.
        licence: the licence of the weights, in place of the artefact's.
        private: whether a new repository is hidden from others.
        before: takes each note before anything is sent, such as the path that others will read.

    Raises:
        UsageError: no such address, or the user asked for no network.
        DataError: the artefact is damaged or states no licence, or the hub refuses it.
        UnsafeFileError: it has a file of another kind than safetensors, ONNX, text and pictures.
    """
    address = HubAddress.parse(repository)
    if address.revision != "main":
        raise UsageError(f"{address}: `moodal push` writes the main branch; leave @revision out.")
    source = artefacts.read(artefact)
    info = _licensed(source, licence)
    for name in source.info.files:
        require_safe(name, str(source.folder))
    if asked_offline():
        raise UsageError(
            f"{address} needs the network, and HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set; "
            "unset it to push."
        )
    notes = tuple(_notes(info))
    if before is not None:
        for note in notes:
            before(note)
    with tempfile.TemporaryDirectory() as temporary:
        folder = stage(source, info, Path(temporary) / "artefact")
        digest = artefacts.read(folder).info.digest
        with connect(address, sends=True) as api:
            api.create_repo(address.repository, private=private or None, exist_ok=True)
            commit = api.upload_folder(
                repo_id=address.repository,
                folder_path=folder,
                commit_message=f"{info.name}, artefact {digest[:12]}",
            )
    return Pushed(address.at(str(commit.oid)), digest, notes)


def stage(source: Artefact, info: ArtefactInfo, folder: Path | str) -> Path:
    """Write the folder that is sent: the artefact with the hub's card, signed again."""
    card = source.folder / CARD
    text = card.read_text(encoding="utf-8") if CARD in source.info.files else f"# {info.name}\n"
    return artefacts.copy_with_card(source, folder, info, hub_card(info, text))


def _licensed(source: Artefact, licence: str) -> ArtefactInfo:
    """Return the description with its licence.

    Raises:
        DataError: it states none.
    """
    stated = (licence or source.info.licence).strip()
    if stated.lower() in UNSTATED:
        raise DataError(
            f"{source.folder}/{DESCRIPTION} states no licence, without which nobody may use the "
            f"weights; give that of {source.info.data.corpus} with --licence, e.g. "
            "--licence cc-by-4.0."
        )
    return source.info.model_copy(update={"licence": stated})


def _notes(info: ArtefactInfo) -> list[str]:
    """Name the encoders that others cannot build."""
    notes = []
    for modality, encoder in info.encoders.items():
        path = encoder.parameters.get("path")
        if isinstance(path, str) and Path(path).expanduser().is_dir():
            notes.append(
                f"Its {modality} is read by the backbone in {path}, a folder of this machine, "
                "which others lack and whose path they can read; say on the card where it comes "
                "from."
            )
    return notes
