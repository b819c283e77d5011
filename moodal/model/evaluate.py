"""evaluate_raw: a fused artefact tested on recordings, texts and pictures as they are.

Each row is one utterance. What each branch makes of it (`moodal.model.states`) is computed in
parallel and kept in a store beside the report, so that a killed run goes on, and another question
about the same rows is answered from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core import manifest as manifests
from moodal.core.errors import DataError, UsageError
from moodal.core.manifest import MADE_UP, Manifest
from moodal.corpora import CORPORA
from moodal.evaluation.protocols.subset import only, require_columns
from moodal.evaluation.report.calibration import abstention
from moodal.evaluation.report.scores import Scored, sigmoid
from moodal.evaluation.report.thresholds import Thresholds, fixed
from moodal.evaluation.report.write import predictions, report_on
from moodal.features.store import FeatureStore
from moodal.model.artefact import marks
from moodal.model.evaluate_rows import Read, has, read_rows, without_foreign
from moodal.model.fusion import key
from moodal.model.label_mapping import Named, name_emotions, one_emotion
from moodal.model.predictor import Predictor, load


def evaluate_raw(
    artefact: Path | str | None,
    table: Path | str,
    out: Path | str,
    *,
    root: Path | str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Score a user's table, a prepared corpus, or a corpus that has a reader.

    Args:
        artefact: folder of a fused artefact; None: the one that comes along.
        table: a table (see `moodal.corpora.table.read`), a folder that `moodal prepare` wrote, or
            the name of a corpus in `moodal.corpora.CORPORA`.
        out: folder for report.json, report.md, predictions and figures.
        root: the folder that paths start from (default: the table's); of a named corpus where it
            lies.
        options: of `evaluate_manifest`.

    Raises:
        UsageError: a named corpus without its root, or an option that does not fit.
        DataError: the table is wrong, or no row of it can be read.
        SpaceError: no emotion of it is one that the artefact knows.
    """
    predictor = load(artefact, threads=max(1, int(options.get("jobs", 1))))
    return evaluate_manifest(predictor, rows_of(table, root), out, **options)


def rows_of(table: Path | str, root: Path | str | None = None) -> Manifest:
    """The rows that `evaluate_raw` is given; arguments as there."""
    if str(table) in CORPORA and str(table) != "table":
        if root is None:
            raise UsageError(f"Say where {table} lies: --root FOLDER.")
        return CORPORA[str(table)](Path(root))
    path = Path(table)
    prepared = (path / "manifest.json").exists()
    manifest = manifests.read(path) if prepared else CORPORA["table"](path)
    return manifest if root is None else dataclasses.replace(manifest, root=str(root))


def evaluate_manifest(
    predictor: Predictor,
    manifest: Manifest,
    out: Path | str,
    *,
    split: str | None = None,
    emotions: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    streams: Sequence[str] | None = None,
    where: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
    jobs: int = 1,
    asr: bool = False,
    store: Path | str | None = None,
) -> dict[str, Any]:
    """Score a corpus and report as training does (`moodal.evaluation.report.write`).

    Args:
        split: "train", "valid", "test", "all", or "held-out": all rows that the artefact has not
            seen; None: "test" where there is one, else all.
        emotions: which of the corpus's to score, by its names or the artefact's; default: those
            that a branch which is used has learned. Named ones it never learned are guesses.
        names: the corpus's name of an emotion -> the artefact's. Beside these only the synonyms
            that the artefact declares are taken; nothing is guessed.
        streams: the modalities to use; default: all that rows and artefact have.
        where: only rows with these values in these columns.
        by: columns whose values the report tells apart; "streams" tells apart what was there.
        jobs: processes that read the rows.
        asr: words of rows without a text are those that Whisper tiny.en hears.
        store: folder in which states are kept; default: ``out`` with ".states" behind it.

    Raises:
        UsageError, DataError, SpaceError: as `evaluate_raw`.
    """
    out = Path(out).resolve()  # so that "." has a name
    if any((out / name).exists() for name in ("recipe.json", "artefact.json", "manifest.json")):
        raise UsageError(f"{out} holds a run, an artefact or a corpus; choose another --out.")
    if wrong := [s for s in streams or () if s not in predictor.branches]:
        known = ", ".join(predictor.branches)
        raise UsageError(f"The artefact has no branch for {', '.join(wrong)}; it has {known}.")
    manifest = only(manifest, where or {}, "--where")
    split, chosen = _split(manifest, split, seen_rows(predictor, manifest))
    require_columns(chosen, [x for x in by if x != "streams"], "--by")
    used = [s for s in streams or predictor.branches if has(chosen, s, asr)]
    if not used:
        wanted = ", ".join(streams or predictor.branches)
        raise DataError(f"{manifest.corpus}: no row of {split} has {wanted}.")
    majority, stamps = one_emotion(chosen)
    named = name_emotions(predictor, majority, emotions, names or {}, used)
    keeper = FeatureStore(store or out.with_name(f"{out.name}.states"))
    read = read_rows(predictor, named.manifest, used, keeper, jobs, asr)
    there = np.array([any(s.has[row] for s in read.values()) for row in range(len(named.manifest))])
    if not there.any():
        why = next((w for s in read.values() for w in s.lost.values()), "nothing is in them")
        raise DataError(f"{manifest.corpus}: no row of {split} can be read ({why.rstrip('.')}).")
    if gone := int((~there).sum()):
        stamps.append(f"{gone} rows without anything that can be read left out")
    stamps += without_foreign(named.manifest, read)
    answers = _answers(predictor, named, read, np.flatnonzero(there))
    stamps = [*predictor.found.info.protocol.stamps, *stamps, *named.stamps]
    if MADE_UP in manifest.notes:
        stamps.append(MADE_UP[:-1])
    if old := int(seen_rows(predictor, named.manifest.select(answers.rows)).sum()):
        stamps.append(f"{old} of these {len(answers.rows)} rows were trained or calibrated on")
    return _report(out, predictor, named, read, answers, split, stamps, by)


@dataclass(frozen=True)
class Answers:
    """Of n rows that could be read.

    Attributes:
        rows: [n], where they stand.
        logits, probabilities: [n, C] of the emotions that are scored.
        sets: n names of sets of modalities.
        thresholds: [n], below which nothing is decided.
    """

    rows: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    sets: tuple[str, ...]
    thresholds: np.ndarray


HELD_OUT = "held-out"
"""The split of all rows that the artefact has not seen."""


def seen_rows(predictor: Predictor, manifest: Manifest) -> np.ndarray:
    """[N] bool: the rows on which a branch was trained, or by which something was chosen."""
    own = marks(manifest.corpus, [u.id for u in manifest.utterances])
    known = [v for k, v in predictor.found.vectors().items() if k.endswith(".trained")]
    return np.isin(own, np.concatenate(known)) if known else np.zeros(len(own), bool)


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
        has = [*sorted({u.split for u in manifest.utterances if u.split}), HELD_OUT, "all"]
        raise UsageError(f"The corpus has no {split!r} rows; --split may be {', '.join(has)}.")
    return split, manifest.select(rows)


def _answers(
    predictor: Predictor, named: Named, read: Mapping[str, Read], rows: np.ndarray
) -> Answers:
    asked = named.asked
    readers = predictor.readers(asked, list(read))
    logits = {s: r.states @ readers[s].keys + readers[s].constants for s, r in read.items()}
    fusion = predictor.fusion(asked)
    columns = [asked.words.index(word) for word in asked.shown.values()]
    sources: dict[str, Any] = {}
    found = []
    for row in rows:
        there = [s for s in read if read[s].has[row]]
        name = key(there)
        if name not in sources:
            sources[name] = predictor.sources(asked, there)
        fused = fusion.fuse({s: logits[s][row] for s in there}, sources[name])
        total = fused.bias + sum(fused.shares.values())
        threshold = fusion.sets[name].threshold
        found.append((total[columns], fused.probabilities[columns], name, threshold))
    totals, probabilities, sets, thresholds = map(np.array, zip(*found, strict=True))
    if named.manifest.space.task == "multi" and _by_itself(predictor, list(read)):
        # as the branch was trained: each word's own sigmoid, its share of the training included
        ((stream, own),) = logits.items()
        totals = own[rows][:, columns] + predictor.branches[stream].log_shares(
            [asked.words[i] for i in columns]
        )
        probabilities = sigmoid(totals)
    return Answers(rows, totals, probabilities, tuple(sets.tolist()), thresholds)


def _report(
    out: Path,
    predictor: Predictor,
    named: Named,
    read: Mapping[str, Read],
    answers: Answers,
    split: str,
    stamps: Sequence[str],
    by: Sequence[str],
) -> dict[str, Any]:
    every = named.manifest
    told = every.select(answers.rows)
    told = dataclasses.replace(
        told,
        utterances=tuple(
            dataclasses.replace(u, extra={**u.extra, "streams": s})
            for u, s in zip(told.utterances, answers.sets, strict=True)
        ),
    )
    test = predictions(told, np.arange(len(told)), answers.logits, told.space, split, by)
    test = dataclasses.replace(test, probabilities=answers.probabilities)  # as predict tells them
    chosen = fixed(told.space.labels)
    if told.space.task == "multi":
        chosen = _thresholds(predictor, told.space.labels, list(read))
    extras: dict[str, Any] = {
        "sets": {name: answers.sets.count(name) for name in dict.fromkeys(answers.sets)},
        "names": dict(named.names),
        "unreadable": {
            every.utterances[row].id: f"{stream}: {why}"
            for stream, r in read.items()
            for row, why in r.lost.items()
        },
    }
    if told.space.task == "single":
        extras["abstention"] = _abstention(test, answers)
    return report_on(
        out,
        predictor.found.info.tested(),
        told,
        told.space,
        test,
        split=split,
        thresholds=chosen,
        unseen=named.unseen,
        stamps=list(dict.fromkeys(stamps)),
        extras=extras,
    )


def _thresholds(predictor: Predictor, labels: Sequence[str], streams: Sequence[str]) -> Thresholds:
    """Of emotions that are decided each by itself: the branch's, where it is alone and has some."""
    own = _by_itself(predictor, streams)
    if not own:
        return fixed(labels)
    values = np.array([own.get(label, 0.5) for label in labels])
    return Thresholds(values, f"the {streams[0]} branch's, chosen on its validation rows")


def _by_itself(predictor: Predictor, streams: Sequence[str]) -> dict[str, float]:
    """Word -> the probability above which a branch decides it, if the branch is used alone."""
    if len(streams) != 1:
        return {}
    return predictor.found.fused.branches[streams[0]].thresholds


def _abstention(test: Scored, answers: Answers) -> dict[str, Any]:
    decided = answers.probabilities.max(1) >= answers.thresholds
    best = answers.logits.argmax(1)
    right = test.targets[np.arange(len(best)), best] > 0
    return abstention(test, decided, right)
