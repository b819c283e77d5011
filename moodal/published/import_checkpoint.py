"""import: make artefacts of the authors' checkpoints, which are read without running code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moodal.core.emotions import EmotionSpace, Targets, Task, Values
from moodal.core.errors import DataError, MoodalError, SpaceError, UsageError
from moodal.core.records import STREAMS
from moodal.corpora.unpickle import load
from moodal.evaluation.report.thresholds import fixed
from moodal.modalities.speech.samples import Wave
from moodal.model.artefact import read
from moodal.model.info import (
    ACTIVATIONS,
    IMPORTED,
    ArtefactInfo,
    BatchInfo,
    DataInfo,
    EncoderInfo,
    ProtocolInfo,
    SystemBody,
    ThresholdInfo,
    modality_infos,
)
from moodal.model.value_info import ValueInfo
from moodal.published import eea_weights, mmer_weights
from moodal.published.imported import Imported
from moodal.train.export.artefact import export
from moodal.train.systems import SYSTEMS

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
    threshold: float = 0.5,
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
        threshold: the probability above which each emotion is decided, 0 to 1.

    Returns:
        The artefact's description.

    Raises:
        UnsafeFileError: the file would run code.
        SpaceError: its outputs are not as many as the labels.
        UsageError: ``threshold`` is no probability.
    """
    decided = fixed(labels, threshold)
    state = load.load_state(Path(checkpoint))
    imported = recognise(
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
    task = task or imported.task
    source = "" if vectors is None else f"{Path(checkpoint).name}, textEmoEmbs"
    space: Targets
    if task == "regression":
        space = _sentiment(labels, vectors, source)
    else:
        space = EmotionSpace(labels, task, vectors, source)
    entry = SYSTEMS[imported.name]
    config = imported.config
    if imported.name == "mult" and task == "regression":
        config |= eea_weights.MULT_OF_SENTIMENT  # no shape shows that the mask was on
    settings = entry.Config(**config)
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
        thresholds=ThresholdInfo(values=tuple(map(float, decided.values)), source=decided.source),
        protocol=ProtocolInfo(
            name=IMPORTED, checkpoint=Path(checkpoint).name, stamps=_stamps(imported)
        ),
        metrics={},
        data=DataInfo(trim_padding=False, scoring=_batches(imported.widths)),
        licence="as the authors' checkpoint",
    )
    export(Path(out), system, info, vectors)
    return read(out).info


def recognise(
    state: Mapping[str, Tensor | np.ndarray],
    *,
    streams: Sequence[str] | None = None,
    widths: Mapping[str, int] = eea_weights.PUBLISHED_WIDTHS,
    heads: int | None = None,
) -> Imported:
    """Recognise which system of which authors a state dict holds, and rename it.

    Args:
        streams: the modalities it was trained on, in any order (theirs is always text,
            speech, face); by default those of the file, or all three.
        widths, heads: as in `import_checkpoint`.

    Raises:
        DataError: no system of theirs has these names and shapes, or ``streams`` or
            ``widths`` are not those of the file.
    """
    weights = {
        name: torch.as_tensor(value).clone() if isinstance(value, Tensor) else torch.tensor(value)
        for name, value in state.items()
    }
    if streams is not None and (not streams or not set(streams) <= set(STREAMS)):
        raise DataError(f"Streams are one or more of {', '.join(STREAMS)}; got {list(streams)}.")
    chosen = None if streams is None else tuple(m for m in STREAMS if m in streams)
    if any(name.startswith("speech.") for name in weights):
        raise DataError(
            "This checkpoint has another backbone than wav2vec2, which the authors' "
            "code has no names for; use the artefact that its run wrote."
        )
    try:
        if mmer_weights.is_mmer(weights):
            imported = mmer_weights.from_authors(weights, heads or mmer_weights.HEADS)
        else:
            imported = eea_weights.from_authors(weights, chosen, widths, heads)
    except KeyError as error:
        raise DataError(f"This checkpoint of the authors' lacks the weight {error}.") from None
    except (ValueError, IndexError) as error:  # a shape that does not unpack, an unknown name
        raise DataError(f"This checkpoint has weights of another shape ({error}).") from None
    _require_fit(imported)
    return imported


def _require_fit(imported: Imported) -> None:
    """Check that the weights of a checkpoint fit the system that it seems to hold.

    Raises:
        DataError: they do not.
    """
    labels = [str(i) for i in range(imported.outputs)]
    vectors = None if imported.vectors is None else imported.vectors.numpy()
    try:
        entry = SYSTEMS[imported.name]
        system = entry.build(
            entry.Config(**imported.config),
            imported.widths,
            EmotionSpace(labels, imported.task, vectors),
        )
    except (MoodalError, ValueError) as error:  # pydantic's error is a ValueError
        raise DataError(f"This checkpoint looks like {imported.name}, but: {error}") from None
    expected = {name: tuple(value.shape) for name, value in system.state_dict().items()}
    actual = {name: tuple(value.shape) for name, value in imported.state.items()}
    for name in sorted(expected.keys() | actual.keys()):
        if expected.get(name) != actual.get(name):
            raise DataError(
                f"This checkpoint looks like {imported.name} on {', '.join(imported.widths)}, but "
                f"{name} is {actual.get(name, 'missing')} where {expected.get(name, 'nothing')} is "
                "expected; were these its modalities?"
            )


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


def _stamps(imported: Imported) -> tuple[str, ...]:
    """Return the notes that belong to every figure of an authors' checkpoint."""
    if imported.mmer:
        return ("the authors chose this checkpoint's epoch on the session that it is named after",)
    return ()
