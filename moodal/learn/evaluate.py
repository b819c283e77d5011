"""evaluate: an artefact tested on a prepared corpus, by its own names or by others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.artefact import Artefact
from moodal.corpora import manifest as manifests
from moodal.corpora.manifest import Manifest
from moodal.emotions import EmotionSpace
from moodal.errors import DataError, SpaceError, UsageError
from moodal.learn import export, results
from moodal.learn.data.dataset import TensorData
from moodal.learn.fit import score


def evaluate(
    artefact: Path | str,
    prepared: Path | str,
    out: Path | str,
    *,
    split: str = "test",
    emotions: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    vectors: str | None = None,
) -> dict[str, Any]:
    """Score a corpus with an artefact and report as training does.

    Args:
        artefact: folder of the artefact.
        prepared: folder that `moodal prepare` wrote, with the encoders of the artefact.
        out: folder for report.json, report.md, predictions and figures.
        split: "train", "valid", "test" or "all".
        emotions: which of the corpus's to score (default: all of them).
        names: the corpus's name of an emotion -> the artefact's; nothing is guessed.
        vectors: source of vectors for emotions that the artefact was not trained on.

    Raises:
        SpaceError: an emotion that the artefact cannot score.
        DataError: features of other encoders than those it was trained with.
    """
    system, found, scales = export.load(artefact)
    manifest = _chosen(manifests.read(prepared), split, emotions, names or {})
    space = _space(found, manifest, vectors)
    _same_encoders(found, manifest)
    streams = [s for s in found.about["widths"] if s in manifest.features]
    data = TensorData(
        manifest, streams, scales=scales,
        trim=bool(found.about["data"].get("trim_padding", True)),
        max_steps=int(found.about["data"].get("max_steps", 0)),
    )  # fmt: skip
    some = np.flatnonzero(data.lengths.numpy() > 0)
    if not len(some):
        raise DataError(f"{prepared}: no row of {split} has any of {', '.join(streams)}.")
    logits = score(system, space, data, some)
    stamps = []
    if len(some) < len(manifest):
        said = f"{len(manifest) - len(some)} rows without any of {', '.join(streams)} left out"
        stamps.append(said)
    unseen = [x for x in space.labels if x not in found.about["labels"]]
    if unseen:
        stamps.append(f"never trained on: {', '.join(unseen)}")
    return results.report_on(
        Path(out), found, manifest.select(some), space, logits, split=split, stamps=tuple(stamps)
    )


def _chosen(
    manifest: Manifest, split: str, emotions: Sequence[str] | None, names: Mapping[str, str]
) -> Manifest:
    """The rows of the split and the columns of the emotions, under the artefact's names."""
    if split != "all":
        rows = manifest.rows(split)
        if not len(rows):
            raise UsageError(f"The corpus has no {split!r} rows; use --split all.")
        manifest = manifest.select(rows)
    manifest = manifest.merged(names)
    if emotions:
        space = manifest.space.select(emotions)
        columns = [manifest.space.index(x) for x in emotions]
        manifest = dataclasses.replace(manifest, space=space, labels=manifest.labels[:, columns])
    return manifest


def _space(found: Artefact, manifest: Manifest, vectors: str | None) -> EmotionSpace:
    """The corpus's emotions with the artefact's vectors, and new ones from ``vectors``."""
    trained, wanted = found.space, manifest.space.labels
    if trained.task == "regression" or trained.vectors is None:
        if wanted != trained.labels:
            raise SpaceError(
                f"{found.folder} scores {', '.join(trained.labels)} only; the corpus has "
                f"{', '.join(wanted)}. Use --emotions and --map to match them."
            )
        return trained
    new = [x for x in wanted if x not in trained.labels]
    if new and not vectors:
        raise SpaceError(
            f"{found.folder} was not trained on {', '.join(new)}. Name its word vectors with "
            f"--vectors to score them unseen (it was trained with {trained.source!r}), match "
            "them with --map, or leave them out with --emotions."
        )
    space = trained
    if new:
        from moodal.encoders.words import word_vectors

        source = word_vectors(str(vectors))
        length = float(found.about.get("vector_length", 0))
        for label in new:
            one = EmotionSpace([label], trained.task, source.vector(label)[None])
            space = space.add(label, one.of_length(length).vectors)
    return EmotionSpace(wanted, trained.task, space.select(wanted).vectors, trained.source)


def _same_encoders(found: Artefact, manifest: Manifest) -> None:
    """Refuse features that other encoders made than those of the training."""
    for stream, width in found.about["widths"].items():
        if stream not in manifest.features:
            continue
        mine, theirs = found.about["encoders"].get(stream, {}), manifest.encoders.get(stream, {})
        if manifest.features[stream].width != width:
            raise DataError(
                f"{stream}: the artefact reads {width} values a step, the corpus has "
                f"{manifest.features[stream].width}."
            )
        if mine.get("name") == "as-given" or not mine:
            continue  # features that came in files have no encoder to compare
        if mine.get("fingerprint") != theirs.get("fingerprint"):
            raise DataError(
                f"{stream}: the artefact was trained on {mine.get('name')} "
                f"({mine.get('fingerprint')}), the corpus was encoded by {theirs.get('name')} "
                f"({theirs.get('fingerprint')}). Prepare it again with the artefact's encoder."
            )
