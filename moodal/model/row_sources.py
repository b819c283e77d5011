"""Sources of the rows of an evaluation: prepared features, or the media themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import Frames
from moodal.features.store import FeatureStore, item_of, items_of
from moodal.modalities import MODALITIES
from moodal.modalities.encoder import Item
from moodal.modalities.infos import info_of
from moodal.modalities.speech.transcribe import Hearing
from moodal.model.info import ArtefactInfo
from moodal.model.rows import RowEncoder, Rows, encode_rows, merged
from moodal.model.scorer import ModelParts


@dataclass
class RowSource:
    """The rows of a corpus, ready to be scored.

    Attributes:
        rows: modality -> the states of its rows.
        stamps: notes on their source for the reader of the report.
    """

    rows: dict[str, Rows] = field(default_factory=dict)
    stamps: list[str] = field(default_factory=list)


def require_media(
    model: ModelParts,
    manifest: Manifest,
    modalities: Sequence[str],
    split: str,
    asr: Hearing | None,
) -> list[str]:
    """Return the modalities that any row has or that transcription can provide.

    Raises:
        DataError: no modality is left, or the encoder of one cannot be built here.
    """
    used = [m for m in modalities if _has(model, manifest, m, asr)]
    if not used:
        raise DataError(f"{manifest.corpus}: no row of {split} has {', '.join(modalities)}.")
    return used


def _has(model: ModelParts, manifest: Manifest, modality: str, asr: Hearing | None) -> bool:
    if modality in manifest.features:
        return True
    media = any(modality in u.media for u in manifest.utterances)
    if not media and not (_is_text(modality) and asr):
        return False
    if modality not in model.encoders:
        why = model.refused.get(modality, f"it has no encoder of {modality}.")
        others = [m for m in model.modalities if m in model.encoders]
        hint = f" Or leave it out: --streams {','.join(others)}." if others else ""
        raise DataError(f"{model.artefact.folder}: {why}{hint}")
    return True


def _is_text(modality: str) -> bool:
    return info_of(modality).medium == "text"


def read_rows(
    model: ModelParts,
    manifest: Manifest,
    modalities: Sequence[str],
    store: FeatureStore,
    jobs: int,
    asr: Hearing | None,
) -> RowSource:
    """Read the states of every row in each modality.

    Prepared features are used if the model's encoder made them; otherwise the media are read. A
    model that reads raw media in another way than its training did prefers the media.

    Raises:
        DataError: the features come from another encoder, and the media cannot be read instead.
    """
    source = RowSource()
    ready: dict[str, Frames] = {}
    for modality in modalities:
        items = _items(model, manifest, modality)
        raw = modality in model.encoders and any(x is not None for x in items)
        if modality in manifest.features:
            problem, stamps = _compare(model.info, manifest, modality)
            prefers_raw = raw and (problem or modality in model.info.readers)
            if not prefers_raw:
                if problem:
                    raise DataError(problem)
                ready[modality] = manifest.features[modality]
                source.stamps += stamps
                continue
        source.rows[modality] = _raw(model, manifest, modality, items, store, jobs, asr)
    prepared = model.scorer.prepared(ready, manifest.aligned) if ready else {}
    source.rows |= {modality: Rows(states) for modality, states in prepared.items()}
    source.rows = {modality: source.rows[modality] for modality in modalities}
    return source


def _items(model: ModelParts, manifest: Manifest, modality: str) -> Sequence[Item | None]:
    """Return what the model's encoder reads in each row."""
    encoder = model.encoders.get(modality)
    if encoder is None:
        return [item_of(u, modality, manifest.root) for u in manifest.utterances]
    return items_of(manifest, modality, encoder)


def _raw(
    model: ModelParts,
    manifest: Manifest,
    modality: str,
    items: Sequence[Item | None],
    store: FeatureStore,
    jobs: int,
    asr: Hearing | None,
) -> Rows:
    what = f"{manifest.corpus} {modality}"
    frames = RowEncoder(modality, model.encoders[modality])
    rows = encode_rows(model.scorer.row_encoder(frames), items, store, jobs, what)
    if _is_text(modality) and asr:
        sound = [
            None if text is not None else clip
            for text, clip in zip(items, _sounds(manifest), strict=True)
        ]
        heard = RowEncoder(modality, model.encoders[modality], heard=asr)
        transcribed = encode_rows(
            model.scorer.row_encoder(heard), sound, store, jobs, f"{what} (transcribing)"
        )
        rows = merged(rows, transcribed)
    return rows


def _sounds(manifest: Manifest) -> list[Item | None]:
    """Return the sound of each row, from which its words can be transcribed."""
    sounds: list[Item | None] = [None] * len(manifest)
    for name, modality in MODALITIES.items():
        if modality.info.medium == "sound":
            own = [item_of(u, name, manifest.root) for u in manifest.utterances]
            sounds = [a if a is not None else b for a, b in zip(sounds, own, strict=True)]
    return sounds


def _compare(info: ArtefactInfo, manifest: Manifest, modality: str) -> tuple[str, list[str]]:
    """Return why prepared features do not fit the model ("" if they fit), and stamps for them.

    Features that came in files have no encoder to compare; a stamp names features that came in
    another corpus's files.
    """
    trained, theirs = info.encoders.get(modality), manifest.encoders.get(modality, {})
    width = manifest.features[modality].width
    if width != info.widths[modality]:
        return (
            f"{modality}: the artefact reads {info.widths[modality]} values a step, the corpus "
            f"has {width}."
        ), []
    name, fingerprint = (trained.name, trained.fingerprint) if trained else (None, None)
    if info.imported and (name == "as-given") != (theirs.get("name") == "as-given"):
        encoder = theirs.get("name")
        return "", [f"{modality} is of {encoder}; the checkpoint does not say what made its own"]
    if fingerprint == theirs.get("fingerprint"):
        return "", []
    if name == theirs.get("name") == "as-given":
        if info.imported:  # a checkpoint does not say which files it was trained on
            return "", []
        return "", [f"{modality} features came in other files than those of the training"]
    return (
        f"{modality}: the artefact was trained on {name} ({fingerprint}), the corpus was encoded "
        f"by {theirs.get('name')} ({theirs.get('fingerprint')}). Prepare it again with the "
        "artefact's encoder."
    ), []
