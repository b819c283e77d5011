"""Loading: make a `moodal.model.model.Model` of any artefact, with the scorer of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodal.core.errors import (
    DataError,
    MissingDependencyError,
    MissingStreamError,
    SpaceError,
    UsageError,
    installation,
)
from moodal.hub.address import is_address
from moodal.hub.fetch import fetch_artefact
from moodal.modalities import ENCODERS, MODALITIES
from moodal.modalities.build import build
from moodal.modalities.encoder import Encoder
from moodal.model import artefact as artefacts
from moodal.model.artefact import Artefact
from moodal.model.fused import FusedScorer
from moodal.model.info import ArtefactInfo
from moodal.model.model import Model
from moodal.model.scorer import Scorer

DEFAULT = artefacts.DEFAULT
"""The folder of the artefact that is shipped with the package."""


def load(artefact: Path | str | None = None, *, threads: int | None = None) -> Model:
    """Load the model of an artefact.

    Args:
        artefact: its folder, or its address hf://owner/name@revision on the hub, which is fetched
            once and then read from the cache; None for the artefact in the package.
        threads: the threads of each network; by default one, so that the answers are the same on
            every machine and with any number of processes: in 8 bits, another number of threads
            changes probabilities by up to 0.002.

    Raises:
        DataError: the folder is not an artefact, has an unknown format or is damaged; or it is
            fused and needs encoders that this moodal lacks.
        UsageError: the address is none, or the user asked for no network.
        MissingDependencyError: it holds a system that needs PyTorch, which is not installed; or
            an address needs huggingface_hub.
    """
    if isinstance(artefact, str) and is_address(artefact):
        artefact = fetch_artefact(artefact)
    read = artefacts.read(DEFAULT if artefact is None else artefact)
    count = threads or 1
    encoders, refused = _encoders(read)
    scorer: Scorer
    if read.info.kind == "fused":
        if refused:
            modality, why = next(iter(refused.items()))
            raise DataError(f"{read.folder}: its {modality} cannot be read here: {why}")
        scorer = FusedScorer.of(read, count)
    else:
        scorer = _system(read, count)
    return Model(read, encoders, scorer, refused)


def _system(artefact: Artefact, threads: int) -> Scorer:
    try:
        from moodal.train.engine.scorer import SystemScorer
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{artefact.folder} holds the system {artefact.info.name}, which needs {error.name}; "
            f"{installation('train')}."
        ) from None
    try:
        return SystemScorer.of(artefact, threads)
    except (UsageError, SpaceError, MissingStreamError) as error:
        raise DataError(f"{artefact.folder} holds no system that can be built: {error}") from None


def _encoders(artefact: Artefact) -> tuple[dict[str, Encoder], dict[str, str]]:
    """Build the encoders of an artefact's modalities; return the reasons for those that fail."""
    encoders: dict[str, Encoder] = {}
    refused: dict[str, str] = {}
    for modality in artefact.info.widths:
        try:
            encoders[modality] = _encoder(artefact.info, modality)
        except (UsageError, MissingDependencyError, DataError) as error:
            refused[modality] = str(error)
    return encoders, refused


def _encoder(info: ArtefactInfo, modality: str) -> Encoder:
    """Build the encoder that reads a modality's media in prediction.

    Raises:
        MoodalError: it cannot be built; the message gives the reason.
    """
    if modality not in MODALITIES:
        raise UsageError(
            f"it reads {modality}, and the modalities of this moodal are {', '.join(MODALITIES)}; "
            "add it to moodal.modalities.MODALITIES."
        )
    spec = info.readers.get(modality) or info.encoders.get(modality)
    if spec is None or spec.name == "as-given":
        raise UsageError(
            f"its {modality} was trained on features that came in files (such as those of COVAREP "
            "or FACET), which nothing here computes from a recording; test it with `moodal "
            "evaluate` on a corpus that was prepared from such files."
        )
    encoder = build(spec.spec(), _torch_encoders(spec.name))
    if encoder.width != info.widths[modality]:
        raise UsageError(
            f"its {modality} has {info.widths[modality]} values a step, and {spec.name} gives "
            f"{encoder.width}."
        )
    return encoder


def _torch_encoders(name: str) -> dict[str, type[Any]] | None:
    """Return the table of encoders that need PyTorch, if no other encoder has the name."""
    if name in ENCODERS:
        return None
    from moodal.train import encoders

    return encoders.ENCODERS
