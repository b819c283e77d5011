"""Evaluation of a model on a corpus, raw or prepared, with a report.

Each row is one utterance. Features that the model's encoders prepared are used as they are; other
media are encoded in parallel through a store next to the report, so that an interrupted run
resumes, and another question about the same rows reads the store.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core import manifest as manifests
from moodal.core.concatenation import name_in, origins
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import MADE_UP, Manifest
from moodal.core.records import Clip, Frames, Utterance, ordered
from moodal.corpora import CORPORA
from moodal.corpora.find import shortened
from moodal.evaluation.protocols.select_on_test import SELECTED_ON_TEST
from moodal.evaluation.protocols.subset import labelled, only, require_columns
from moodal.evaluation.report import scores as reported
from moodal.evaluation.report.calibration import abstention
from moodal.evaluation.report.scores import Scored
from moodal.evaluation.report.summary import ReportContext
from moodal.evaluation.report.transcripts import ctc_entry
from moodal.evaluation.report.write import predictions, report_on
from moodal.features.store import FeatureStore
from moodal.modalities.infos import info_of
from moodal.modalities.speech.transcribe import Hearing
from moodal.modalities.text.language import name_of
from moodal.model.artefact import hashes, marks
from moodal.model.label_mapping import MappedRows, name_emotions, with_truth
from moodal.model.languages import Languages, row_languages, row_weights
from moodal.model.options import EvaluateOptions, gathered
from moodal.model.row_sources import read_rows, require_media
from moodal.model.rows import Rows
from moodal.model.scorer import ModelParts, Scores
from moodal.model.vocabulary import Asked

HELD_OUT = "held-out"
"""The split of all rows that the model has not seen."""


def rows_of(table: Path | str, root: Path | str | None = None) -> Manifest:
    """Read the corpus that a model is to be tested on.

    Args:
        table: a table (see `moodal.corpora.table.read`), a folder that `moodal prepare` wrote, or
            the name of a corpus in `moodal.corpora.CORPORA`.
        root: the folder that paths start from (default: the table's); for a named corpus, its
            folder.

    Raises:
        UsageError: a corpus is named without its root.
        DataError: the corpus cannot be read.
    """
    if str(table) in CORPORA and str(table) != "table":
        if root is None:
            raise UsageError(f"Say where {table} lies: --root FOLDER.")
        return CORPORA[str(table)](Path(root))
    path = Path(table)
    prepared = (path / "manifest.json").exists()
    if path.is_dir() and not prepared:
        name = path.resolve().name.lower().replace("_", "-")
        raise DataError(
            f"{path} holds no prepared corpus (manifest.json is missing); to read the files of a "
            f"corpus in it, name that corpus: {name if name in CORPORA else 'CORPUS'} "
            f"--root {path}."
        )
    manifest = manifests.read(path) if prepared else CORPORA["table"](path)
    return manifest if root is None else dataclasses.replace(manifest, root=str(root))


def evaluate(
    model: ModelParts,
    manifest: Manifest,
    out: Path | str,
    options: EvaluateOptions | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Score a corpus, and write the same report as training (`moodal.evaluation.report.write`).

    Args:
        model: the model to test.
        manifest: the corpus, see `rows_of`.
        out: folder for report.json, report.md, predictions and figures.
        options, more: see `moodal.model.options.EvaluateOptions`; its fields by name.

    Raises:
        UsageError: an option does not fit the model or the corpus.
        DataError: no row can be read, or the features come from other encoders.
        SpaceError: the model cannot score an emotion.
    """
    options = gathered(EvaluateOptions, options, more)
    out = _free(Path(out).resolve())  # so that "." has a name
    scorer = model.scorer.under(options.prior)
    streams = options.chosen(model.modalities, model.info.name)
    manifest = only(manifest, options.where, "--where")
    words = options.words(model.info.labels)
    if manifest.ratings and model.info.values and scorer.ask(words or None).values:
        manifest = manifest.rated
    split, chosen = _split(manifest, options.split, seen_rows(model, manifest))
    require_columns(chosen, [x for x in options.by if x != "streams"], "--by")
    asr = Hearing(options.asr_model, options.language or "") if options.asr else None
    used = require_media(model, chosen, streams, split, asr)
    stamps: list[str] = []
    named = name_emotions(scorer, chosen, used, words, options.names, options.vectors)
    store = FeatureStore(options.store or out.with_name(f"{out.name}.states"))
    source = read_rows(model, named.manifest, used, store, options.jobs, asr)
    rows = _complete(model, named.manifest, source.rows, split)
    if left_out := len(named.manifest) - len(rows):
        needed = f"all of {', '.join(ordered(used))}"
        which = needed if model.scorer.complete else "anything that can be read"
        stamps.append(f"{left_out} rows without {which} left out")
    rows, unsaid = labelled(named.manifest, rows)
    stamps += [unsaid] if unsaid else []
    # a scorer that states no languages has no use for those of the rows
    spoken = row_languages(named.manifest, options.language) if scorer.languages else []
    stamps += [*source.stamps, *_language_stamps(scorer.languages, source.rows, spoken)]
    weights = row_weights(scorer.languages, [spoken[row] for row in rows] if spoken else [])
    states = {m: r.states.select(rows) for m, r in source.rows.items()}
    task = named.manifest.space.task
    if options.level:
        evidence = scorer.evidence(states, named.asked).weighed(weights)
        channels = _channels(named.manifest, rows, options)
        levels = scorer.levels(evidence, named.asked, *channels, options.level_strength)
        scores = scorer.fused(evidence, named.asked, task, levels)
        stamps.append("levelled by the other rows of the corpus, which presumes the prior")
    else:
        scores = scorer.score(states, named.asked, task, weights)
    # rows that the training left out are none of these
    lasting = [s for s in model.info.protocol.stamps if not s.endswith("left out")]
    stamps = [*lasting, *stamps, *named.stamps]
    if options.prior is not None:
        stamps.append(f"probabilities under the prior {scorer.assumes}")
    if MADE_UP in manifest.notes:
        stamps.append(MADE_UP[:-1])
    stamps += _validation_stamp(model, named.manifest.select(rows))
    if old := int(seen_rows(model, named.manifest.select(rows)).sum()):
        how = "trained or calibrated on" if model.info.kind == "fused" else "trained on"
        stamps.append(f"{old} of these {len(rows)} rows were {how}")
    result = _Result(named, rows, source.rows, scores, tuple(dict.fromkeys(stamps)), split)
    return _report(model, result, states, out, options)


def _channels(
    manifest: Manifest, rows: np.ndarray, options: EvaluateOptions
) -> tuple[list[str], list[str]]:
    """Return the recording of each row, and its channel where a column names it."""
    chosen = manifest.select(rows)
    recordings = [_recording_of(u) for u in chosen.utterances]
    if options.level is True:
        return recordings, []
    require_columns(chosen, [str(options.level)], "--level")
    return recordings, [str(value) for value in chosen.column(str(options.level))]


def _recording_of(utterance: Utterance) -> str:
    """Return the file in which an utterance lies, or its name where it lies in none."""
    clips = [item.path for item in utterance.media.values() if isinstance(item, Clip)]
    return str(clips[0]) if clips else utterance.id


def _free(out: Path) -> Path:
    if any((out / name).exists() for name in ("recipe.json", "artefact.json", "manifest.json")):
        raise UsageError(f"{out} holds a run, an artefact or a corpus; choose another --out.")
    return out


def seen_rows(model: ModelParts, manifest: Manifest) -> np.ndarray:
    """Return the rows [N] bool on which a model was trained, or a choice of it was based."""
    tensors = model.artefact.vectors()
    names = origins(manifest)
    known = [v for name, v in tensors.items() if name.endswith(".trained")]
    if known:
        return np.isin(marks(names), np.concatenate(known))
    trained = tensors.get("trained.ids")
    if trained is None:
        return np.zeros(len(names), bool)
    own = [name_in(model.info.data.corpus, *name) for name in names]
    seen = np.isin(hashes([name or "" for name in own]), trained)
    return np.asarray(seen & np.array([name is not None for name in own], bool))


def _validation_stamp(model: ModelParts, tested: Manifest) -> list[str]:
    """Mark the validation rows of a system's training: its choices were made on them.

    An artefact does not name those rows. They are the corpus's validation rows where training used
    the official split, and then none of them trained it.
    """
    info, rows = model.info, tested.rows("valid")
    same = name_in(info.data.corpus, tested.corpus, "") is not None
    validated = info.data.rows.get("valid") and SELECTED_ON_TEST not in info.protocol.stamps
    if info.kind == "fused" or not (same and validated and len(rows)):
        return []
    if seen_rows(model, tested)[rows].any():
        return []
    by_threshold = info.thresholds.source.startswith("chosen")
    chosen = "the epoch and the thresholds were" if by_threshold else "the epoch was"
    number = "" if len(rows) == len(tested) else f"{len(rows)} of these {len(tested)} rows are "
    return [f"{number}validation rows, on which {chosen} chosen"]


def _split(manifest: Manifest, split: str | None, seen: np.ndarray) -> tuple[str, Manifest]:
    if split == HELD_OUT:
        if seen.all():
            raise UsageError(f"The artefact has seen all rows of {manifest.corpus}.")
        return split, manifest.select(np.flatnonzero(~seen))
    if split is None:
        split = "test" if len(manifest.rows("test")) else "all"
    if split == "all":
        return split, manifest
    rows = manifest.rows(split)
    if not len(rows):
        known = [*sorted({u.split for u in manifest.utterances if u.split}), HELD_OUT, "all"]
        raise UsageError(f"The corpus has no {split!r} rows; --split may be {', '.join(known)}.")
    return split, manifest.select(rows)


def _language_stamps(
    languages: Mapping[str, Languages], rows: Mapping[str, Rows], spoken: Sequence[str]
) -> Iterator[str]:
    """Yield a stamp for each modality with rows in languages on which it was not trained."""
    for modality, own in rows.items():
        if modality not in languages:
            continue
        new = [
            language
            for language, present in zip(spoken, own.present, strict=True)
            if present and not languages[modality].knows(language)
        ]
        if new:
            names = shortened([name_of(one) for one in dict.fromkeys(new)], 4)
            label = info_of(modality).label
            count = f"{len(new)} row{'' if len(new) == 1 else 's'}"
            yield f"{count} in languages that were not in the training of the {label}: {names}"


def _complete(
    model: ModelParts, manifest: Manifest, rows: Mapping[str, Rows], split: str
) -> np.ndarray:
    """Return the rows that have the modalities which the model needs."""
    present = np.array([r.present for r in rows.values()])
    complete = model.scorer.complete
    if complete and set(rows) != set(model.modalities):
        present = np.zeros_like(present)
    enough = np.flatnonzero(present.all(0) if complete else present.any(0))
    if not len(enough):
        why = next((w for r in rows.values() for w in r.lost.values()), "nothing is in them")
        which = f"has all of {', '.join(model.modalities)}" if complete else "can be read"
        raise DataError(f"{manifest.corpus}: no row of {split} {which} ({why.rstrip('.')}).")
    return enough


@dataclass(frozen=True)
class _Result:
    """The rows and scores behind a report.

    Attributes:
        named: the rows and emotions under the model's names.
        rows: the rows that could be scored.
        read: modality -> the states of all rows.
        scores: the scores of ``rows``.
        stamps: notes that accompany every figure.
        split: the name of the split.
    """

    named: MappedRows
    rows: np.ndarray
    read: Mapping[str, Rows]
    scores: Scores
    stamps: Sequence[str]
    split: str


def _report(
    model: ModelParts,
    result: _Result,
    states: Mapping[str, Frames],
    out: Path,
    options: EvaluateOptions,
) -> dict[str, Any]:
    named, scores = result.named, result.scores
    sets = scores.sets
    tested = _with_sets(named.manifest.select(result.rows), sets)
    asked = named.asked
    columns = [asked.words.index(asked.shown[label]) for label in tested.space.labels]
    logits = scores.logits[:, columns]
    rows, truth = np.arange(len(tested)), options.truth
    test = predictions(tested, rows, logits, tested.space, result.split, options.by, truth)
    test, unclear = with_truth(test, tested, truth)
    task = tested.space.task
    # the probabilities that predict reports; values are clipped to their ranges
    without = _without_evidence(model, asked, tested.space.labels, sets)
    info = {**test.info, "without_evidence": without} if without else test.info
    test = dataclasses.replace(test, probabilities=scores.probabilities[:, columns], info=info)
    extras: dict[str, Any] = {
        "sets": {name: sets.count(name) for name in dict.fromkeys(sets)},
        "names": dict(named.names),
        "unreadable": {
            named.manifest.utterances[row].id: f"{modality}: {why}"
            for modality, r in result.read.items()
            for row, why in r.lost.items()
        },
    }
    if task == "single" and scores.thresholds.any():
        extras["abstention"] = _abstention(test, scores, columns)
    utterances = tested.utterances
    texts = [u.extra.get("ctc_text", u.text) for u in utterances]
    if any(texts) and (read := model.scorer.transcribe(states, texts)) is not None:
        extras["ctc"] = ctc_entry(*read, reported.clusters_of(utterances)[0])
    thresholds = model.scorer.thresholds_for(tested.space.labels, list(result.read), task)
    stamps = (*result.stamps, *unclear)
    context = ReportContext(stamps=stamps, unseen=named.unseen, extras=extras)
    return report_on(out, model.info.tested(), tested, test, context, thresholds)


def _without_evidence(
    model: ModelParts, asked: Asked, labels: Sequence[str], sets: Sequence[str]
) -> list[str]:
    """List the labels of which no modality of any row has evidence."""
    without = set(labels)
    for name in set(sets):
        sources = model.scorer.sources(asked, name.split("+"))
        without -= {
            label for label in without if set(sources[asked.shown[label]].values()) != {"absent"}
        }
    return [label for label in labels if label in without]


def _with_sets(manifest: Manifest, sets: Sequence[str]) -> Manifest:
    """Return the rows with a column "streams" that names the modalities each had."""
    return dataclasses.replace(
        manifest,
        utterances=tuple(
            dataclasses.replace(u, extra={**u.extra, "streams": s})
            for u, s in zip(manifest.utterances, sets, strict=True)
        ),
    )


def _abstention(test: Scored, scores: Scores, columns: Sequence[int]) -> dict[str, Any]:
    decided = np.asarray(scores.decided[:, columns].any(1))[test.clear]
    test = test.hard
    best = test.probabilities.argmax(1)
    right = np.asarray(test.targets[np.arange(len(best)), best] > 0)
    return abstention(test, decided, right)
