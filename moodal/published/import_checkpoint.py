"""import: the authors' checkpoints become artefacts, read without running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.emotions import EmotionSpace, Task
from moodal.core.errors import SpaceError, UsageError
from moodal.corpora.unpickle import load
from moodal.modalities.speech.samples import Wave
from moodal.published import eea_weights
from moodal.train.export import artefact
from moodal.train.export.artefact import ACTIVATION
from moodal.train.systems import SYSTEMS

MMER = ("mmer", "cai_sota", "unimodal_baseline")
LETTERS = {"t": "text", "a": "speech", "v": "face"}


def streams_of(modalities: str | None) -> tuple[str, ...] | None:
    """The authors' letters as streams: "tav" -> text, speech, face.

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
) -> dict[str, Any]:
    """Write the artefact of a checkpoint that the authors' code saved.

    Args:
        labels: the emotions of its outputs, in their order.
        task: what its outputs are (default: "single" for MMER's systems, else "multi").
        modalities: e.g. "tav", in the order in which it was trained; needed where the
            file cannot tell.
        widths: stream -> values per step, for early fusion, whose file tells only their
            sum (default: CMU-MOSEI's).
        heads: of MulT and of MMER's systems, which no file tells (default: 10 and 12; theirs
            of MulT were 8 for MOSEI sentiment).

    Returns:
        The artefact's description.

    Raises:
        UnsafeFileError: the file would run code.
        SpaceError: its outputs are not as many as the labels.
    """
    state = load.load_state(Path(checkpoint))
    found = eea_weights.from_authors(
        state,
        streams=streams_of(modalities),
        widths={**eea_weights.PUBLISHED_WIDTHS, **(widths or {})},
        heads=heads,
    )
    vectors = None if found.vectors is None else np.asarray(found.vectors)
    outputs = found.outputs if vectors is None else len(vectors)
    if outputs != len(labels):
        raise SpaceError(
            f"{checkpoint} scores {outputs} emotions; {len(labels)} labels were given "
            f"({', '.join(labels)})."
        )
    task = task or ("single" if found.name in MMER else "multi")
    source = "" if vectors is None else f"{Path(checkpoint).name}, textEmoEmbs"
    space = EmotionSpace(labels, task, vectors, source)
    entry = SYSTEMS[found.name]
    settings = entry.Config(**found.config)
    system = entry.build(settings, found.widths, space)
    system.load_state_dict(found.state)
    about = {
        "encoders": {s: _encoder(s, width) for s, width in found.widths.items()},
        "activation": ACTIVATION[task],
        "thresholds": {"values": [0.5] * len(labels), "source": "fixed at 0.5"},
        "calibration": None,
        "protocol": {
            "name": "imported",
            "checkpoint": Path(checkpoint).name,
            "stamps": list(_stamps(found.name)),
        },
        "metrics": {},
        "data": {"corpus": "unknown", "trim_padding": False} | _scoring(found.widths),
        "licence": "as the authors' checkpoint",
    }
    settings = getattr(system, "portable", settings)
    artefact.export(
        Path(out), system, found.name, settings, found.widths, space, scales={}, about=about
    )
    return artefact.artefact.read(out).about  # type: ignore[return-value]


def _encoder(stream: str, width: int) -> dict[str, Any]:
    """What a checkpoint read: the samples of speech, else features that only its makers know."""
    if stream == "speech" and width == 1:
        return Wave().spec()
    return {"name": "as-given", "width": width}


def _scoring(widths: Mapping[str, int]) -> dict[str, Any]:
    """How much is computed at once of a system that reads samples: 8 of the longest clips."""
    if widths.get("speech") != 1:
        return {}
    return {"scoring": {"size": 8, "max_frames": 8 * Wave().longest}}


def _stamps(system: str) -> tuple[str, ...]:
    """What must stand beside the figures of a checkpoint of the authors'."""
    if system in ("mmer", "cai_sota", "unimodal_baseline"):
        return ("the authors chose this checkpoint's epoch on the session that it is named after",)
    return ()
