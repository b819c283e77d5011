"""evaluate: an artefact tested on a prepared corpus, by its own names or by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core import manifest as manifests
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError, SpaceError, UsageError
from moodal.core.manifest import MADE_UP, Manifest
from moodal.evaluation.protocols.subset import only, require_columns
from moodal.evaluation.report import scores
from moodal.evaluation.report.transcripts import ctc_entry
from moodal.model.artefact import Artefact, hashes
from moodal.train.data.dataset import TensorData
from moodal.train.engine.scoring import score
from moodal.train.experiment import companions, results
from moodal.train.export import artefact as export


def evaluate(
    artefact: Path | str,
    prepared: Path | str,
    out: Path | str,
    *,
    split: str = "test",
    emotions: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    vectors: str | None = None,
    where: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
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
        where: only rows with these values in these columns, e.g. {"session": "Ses05"}.
        by: columns whose values the report tells apart, e.g. ["style"].

    Raises:
        SpaceError: an emotion that the artefact cannot score.
        DataError: features of other encoders than those it was trained with.
    """
    out = Path(out)
    if any((out / name).exists() for name in ("recipe.json", "artefact.json", "manifest.json")):
        raise UsageError(f"{out} holds a run, an artefact or a corpus; choose another --out.")
    system, found, scales = export.load(artefact)
    whole = only(manifests.read(prepared), where or {}, "--where")
    require_columns(whole, by, "--by")
    manifest = _chosen(whole, split, emotions, names or {})
    others = len(whole if split == "all" else whole.rows(split)) - len(manifest)
    space = _space(found, manifest, vectors)
    stamps = [*found.info.protocol.stamps, *_same_encoders(found, manifest)]
    if MADE_UP in manifest.notes:
        stamps.append(MADE_UP[:-1])
    streams = [s for s in found.info.widths if s in manifest.features]
    data = TensorData(
        manifest,
        streams,
        scales=scales,
        trim=found.info.data.trim_padding,
        max_steps=found.info.data.max_steps,
        transcripts=_spells(system, manifest),
    )
    lengths = np.stack([ragged.lengths.numpy() for ragged in data.ragged.values()])
    every = not getattr(system, "open_set", False)
    some = np.flatnonzero(lengths.all(0) if every else lengths.any(0))
    which = "all" if every else "any"
    if not len(some):
        raise DataError(f"{prepared}: no row of {split} has {which} of {', '.join(streams)}.")
    closed = space.vectors is None and space.task != "regression"
    batches = found.info.data.scoring
    sizes = batches.model_dump() if batches else {}
    logits = score(system, found.space if closed else space, data, some, **sizes)
    if closed:
        logits = logits[:, [found.space.index(label) for label in space.labels]]
    if len(some) < len(manifest):
        said = f"{len(manifest) - len(some)} rows without {which} of {', '.join(streams)} left out"
        stamps.append(said)
    if others:
        stamps.append(f"{others} rows of other emotions left out")
    whole_rows, manifest = manifest, manifest.select(some)
    stamps += _trained_on(found, manifest)
    if unseen := [x for x in space.labels if x not in found.info.trained]:
        stamps.append(f"never trained on: {', '.join(unseen)}")
    written = {}
    if data.transcripts is not None:
        read = companions.transcripts(system, data, whole_rows.utterances, some, **sizes)
        written["ctc"] = ctc_entry(*read, scores.clusters_of(manifest.utterances)[0])
    return results.report_on(
        out,
        found.info.tested(),
        manifest,
        space,
        logits,
        split=split,
        stamps=list(dict.fromkeys(stamps)),
        by=by,
        extras=written,
    )


def _spells(system: Any, manifest: Manifest) -> bool:
    """Whether the system writes down what it hears, and the corpus knows what was said."""
    said = any(u.extra.get("ctc_text", u.text) for u in manifest.utterances)
    return bool(getattr(system, "transcribes", False)) and said


IEMOCAP = ("iemocap-release", "mmer")
"""Corpora whose utterances are the same turns under the same names."""


def _trained_on(found: Artefact, manifest: Manifest) -> list[str]:
    """A stamp if rows of the artefact's training are among these (by corpus and id)."""
    ids, corpus = found.vectors().get("trained.ids"), found.info.data.corpus
    same = corpus == manifest.corpus or {corpus, manifest.corpus} <= set(IEMOCAP)
    if ids is None or not same:
        return []
    known = int(np.isin(hashes([u.id for u in manifest.utterances]), ids).sum())
    return [f"{known} of these {len(manifest)} rows were trained on"] if known else []


def _chosen(
    manifest: Manifest, split: str, emotions: Sequence[str] | None, names: Mapping[str, str]
) -> Manifest:
    """The rows of the split and the columns of the emotions, under the artefact's names."""
    if split != "all":
        rows = manifest.rows(split)
        if not len(rows):
            has = sorted({u.split for u in manifest.utterances if u.split})
            known = ", ".join([*has, "all"])
            raise UsageError(f"The corpus has no {split!r} rows; --split may be {known}.")
        manifest = manifest.select(rows)
    manifest = manifest.merged(names)
    if emotions:
        # the corpus's names, or the artefact's
        manifest = manifest.only([names.get(x, x) for x in emotions])
        if not len(manifest):
            raise UsageError(f"No row of the corpus has any of {', '.join(emotions)}.")
    return manifest


def _space(found: Artefact, manifest: Manifest, vectors: str | None) -> EmotionSpace:
    """The corpus's emotions with the artefact's vectors, and new ones from ``vectors``."""
    trained, wanted = found.space, manifest.space.labels
    if trained.task == "regression" or trained.vectors is None:
        others = [x for x in wanted if x not in trained.labels]
        if others or (trained.task == "regression" and wanted != trained.labels):
            raise SpaceError(
                f"{found.folder} scores {', '.join(trained.labels)} only; the corpus has "
                f"{', '.join(wanted)}. Use --emotions and --map to match them."
            )
        return trained.select(wanted)
    new = [x for x in wanted if x not in trained.labels]
    space = trained
    if new:
        space = _with_new(found, trained, new, vectors)
    return EmotionSpace(wanted, trained.task, space.select(wanted).vectors, trained.source)


def _with_new(
    found: Artefact, trained: EmotionSpace, new: Sequence[str], vectors: str | None
) -> EmotionSpace:
    """The trained space with emotions it never had, looked up as its own were."""
    from moodal.modalities.text.emotion_vectors import word_vectors

    if not vectors:
        raise SpaceError(
            f"{found.folder} was not trained on {', '.join(new)}. Name its word vectors with "
            f"--vectors to score them unseen (it was trained with {trained.source!r}), match "
            "them with --map, or leave them out with --emotions."
        )
    source = word_vectors(vectors)
    imported = found.info.protocol.name == "imported"
    if source.source != trained.source and not imported:
        raise SpaceError(
            f"{found.folder} knows its emotions by vectors of {trained.source!r}; those of "
            f"{source.source!r} mean something else to it. Use the same source."
        )
    words = found.info.words
    synonyms = {x: w for x, w in words.synonyms.items() if x in new}
    more = source.space(
        new, trained.task, synonyms=synonyms, capitalised=words.capitalised
    ).of_length(words.length)
    assert more.vectors is not None
    for label, vector in zip(new, more.vectors, strict=True):
        trained = trained.add(label, vector)
    return trained


def _same_encoders(found: Artefact, manifest: Manifest) -> list[str]:
    """Refuse features that other encoders made than those of the training.

    Features that came in files have no encoder to compare; where they came in
    another corpus's files, a stamp says so.
    """
    stamps = []
    imported = found.info.protocol.name == "imported"
    for stream, width in found.info.widths.items():
        if stream not in manifest.features:
            continue
        own = found.info.encoders.get(stream)
        mine, theirs = own.spec() if own else {}, manifest.encoders.get(stream, {})
        if manifest.features[stream].width != width:
            raise DataError(
                f"{stream}: the artefact reads {width} values a step, the corpus has "
                f"{manifest.features[stream].width}."
            )
        if imported and mine.get("name") == "as-given" != theirs.get("name"):
            made = theirs.get("name")
            stamps.append(f"{stream} is of {made}; the checkpoint does not say what made its own")
            continue
        given = mine.get("name") == theirs.get("name") == "as-given"
        same = mine.get("fingerprint") == theirs.get("fingerprint")
        if given and not same:
            stamps.append(f"{stream} features came in other files than those of the training")
        elif not same:
            raise DataError(
                f"{stream}: the artefact was trained on {mine.get('name')} "
                f"({mine.get('fingerprint')}), the corpus was encoded by {theirs.get('name')} "
                f"({theirs.get('fingerprint')}). Prepare it again with the artefact's encoder."
            )
    return stamps
