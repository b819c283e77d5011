"""import: make artefacts of the authors' checkpoints, which are read without running code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace, Targets, Task, Values
from moodal.core.errors import SpaceError, UsageError
from moodal.corpora.unpickle import load
from moodal.modalities.speech.samples import Wave
from moodal.model.artefact import read
from moodal.model.info import (
    ACTIVATIONS,
    ArtefactInfo,
    BatchInfo,
    DataInfo,
    EncoderInfo,
    ProtocolInfo,
    SystemBody,
    ThresholdInfo,
    ValueInfo,
    modality_infos,
)
from moodal.published import eea_weights
from moodal.train.export.artefact import export
from moodal.train.systems import SYSTEMS

MMER = ("mmer", "mmer_2022", "cai_sota", "unimodal_baseline")
LETTERS = {"t": "text", "a": "speech", "v": "face"}


def streams_of(modalities: str | None) -> tuple[str, ...] | None:
    """Convert the authors' letters to streams: "tav" -> text, speech, face.

    Raises:
        UsageError: another letter, or one twice.
    """
    if modalities is None:
        return None
    if not set(modalities) <= set(LETTERS) or len(set(modalities)) != len(modalities):
        raise UsageError(f"Modalities are letters of t, a and v, once each; got {modalities!r}.")
    return tuple(LETTERS[letter] for letter in modalities)


def import_checkpoint(
    checkpoint: Path | str,
    out: Path | str,
    labels: Sequence[str],
    task: Task | None = None,
    modalities: str | None = None,
    widths: Mapping[str, int] | None = None,
    heads: int | None = None,
) -> ArtefactInfo:
    """Write the artefact of a checkpoint that the authors' code saved.

    Args:
        labels: the emotions of its outputs, in their order.
        task: what its outputs are (default: "single" for MMER's systems, else "multi").
        modalities: e.g. "tav", in the order in which it was trained; needed where the
            file does not show it.
        widths: stream -> values per step, for early fusion, whose file has only their
            sum (default: CMU-MOSEI's).
        heads: of MulT and of MMER's systems, which no file holds (default: 10 and 12; theirs
            of MulT were 8 for MOSEI sentiment).

    Returns:
        The artefact's description.

    Raises:
        UnsafeFileError: the file would run code.
        SpaceError: its outputs are not as many as the labels.
    """
    state = load.load_state(Path(checkpoint))
    imported = eea_weights.from_authors(
        state,
        streams=streams_of(modalities),
        widths={**eea_weights.PUBLISHED_WIDTHS, **(widths or {})},
        heads=heads,
    )
    vectors = None if imported.vectors is None else np.asarray(imported.vectors)
    outputs = imported.outputs if vectors is None else len(vectors)
    if outputs != len(labels):
        raise SpaceError(
            f"{checkpoint} scores {outputs} emotions; {len(labels)} labels were given "
            f"({', '.join(labels)})."
        )
    task = task or ("single" if imported.name in MMER else "multi")
    source = "" if vectors is None else f"{Path(checkpoint).name}, textEmoEmbs"
    space: Targets
    if task == "regression":
        space = _sentiment(labels, vectors, source)
    else:
        space = EmotionSpace(labels, task, vectors, source)
    entry = SYSTEMS[imported.name]
    settings = entry.Config(**imported.config)
    system = entry.build(settings, imported.widths, space)
    system.load_state_dict(imported.state)
    settings = system.portable
    info = ArtefactInfo(
        body=SystemBody(name=imported.name, config=settings.model_dump(mode="json")),
        widths=imported.widths,
        labels=space.labels,
        task=task,
        values=ValueInfo.of(space),
        vectors=source or None,
        trained=space.labels,
        encoders={s: _encoder(s, width) for s, width in imported.widths.items()},
        modalities=modality_infos(imported.widths),
        activation=ACTIVATIONS[task],
        thresholds=ThresholdInfo(values=(0.5,) * len(labels), source="fixed at 0.5"),
        protocol=ProtocolInfo(
            name="imported", checkpoint=Path(checkpoint).name, stamps=_stamps(imported.name)
        ),
        metrics={},
        data=DataInfo(trim_padding=False, scoring=_batches(imported.widths)),
        licence="as the authors' checkpoint",
    )
    export(Path(out), system, info, vectors)
    return read(out).info


def _sentiment(labels: Sequence[str], vectors: np.ndarray | None, source: str) -> Values:
    """Return the values of a checkpoint: the authors' code knows sentiment from -3 to 3 alone.

    Raises:
        SpaceError: other values are named, whose units in the checkpoint nothing tells.
    """
    if tuple(labels) != ("sentiment",):
        raise SpaceError(
            f"The authors' checkpoints with values have sentiment from -3 to 3; got "
            f"{', '.join(labels)}. Use --labels sentiment."
        )
    return Values(labels, vectors, source)


def _encoder(stream: str, width: int) -> EncoderInfo:
    """Describe the encoder of a checkpoint: samples of speech, else features from files."""
    if stream == "speech" and width == 1:
        return EncoderInfo.of(Wave().spec(), width)
    return EncoderInfo(name="as-given", width=width)


def _batches(widths: Mapping[str, int]) -> BatchInfo | None:
    """Limit a batch to 8 of the longest clips where samples are read."""
    if widths.get("speech") != 1:
        return None
    return BatchInfo(size=8, max_frames=8 * Wave().longest)


def _stamps(system: str) -> tuple[str, ...]:
    """Return the notes that belong to every figure of an authors' checkpoint."""
    if system in MMER:
        return ("the authors chose this checkpoint's epoch on the session that it is named after",)
    return ()
