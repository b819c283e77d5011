"""evaluate_raw: a fused artefact tested on recordings, texts and pictures as they are.

Each row is one utterance. What each branch makes of it (`moodal.use.states`) is computed in
parallel and kept in a store beside the report, so that a killed run goes on, and another question
about the same rows is answered from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moodal.corpora import CORPORA
from moodal.corpora import manifest as manifests
from moodal.corpora.manifest import MADE_UP, Manifest
from moodal.encoders.corpus import encode_each
from moodal.encoders.store import FeatureStore, resolved
from moodal.errors import DataError, UsageError
from moodal.fusion import key
from moodal.protocols.where import only, require_columns
from moodal.report.calibrated import abstention
from moodal.report.scored import Scored
from moodal.report.tested import predictions, report_on
from moodal.types import STREAMS, Clip, Frames
from moodal.use.branches import TOGETHER, Branch
from moodal.use.language import looks_english
from moodal.use.predictor import Predictor, load
from moodal.use.raw_labels import Named, name_emotions, one_emotion
from moodal.use.states import States


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
    predictor = load(artefact, threads=1)
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
    """Score a corpus and report as training does (`moodal.report.tested`).

    Args:
        split: "train", "valid", "test" or "all"; None: "test" where there is one, else all.
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
    out = Path(out)
    if any((out / name).exists() for name in ("recipe.json", "artefact.json", "manifest.json")):
        raise UsageError(f"{out} holds a run, an artefact or a corpus; choose another --out.")
    if wrong := [s for s in streams or () if s not in predictor.branches]:
        known = ", ".join(predictor.branches)
        raise UsageError(f"The artefact has no branch for {', '.join(wrong)}; it has {known}.")
    split, chosen = _split(only(manifest, where or {}, "--where"), split)
    require_columns(chosen, [x for x in by if x != "streams"], "--by")
    used = [s for s in streams or predictor.branches if _has(chosen, s, asr)]
    if not used:
        wanted = ", ".join(streams or predictor.branches)
        raise DataError(f"{manifest.corpus}: no row of {split} has {wanted}.")
    majority, stamps = one_emotion(chosen)
    named = name_emotions(predictor, majority, emotions, names or {}, used)
    keeper = FeatureStore(store or out.with_name(f"{out.name}.states"))
    read = _read(predictor, named.manifest, used, keeper, jobs, asr)
    there = np.array([any(s.has[row] for s in read.values()) for row in range(len(named.manifest))])
    if not there.any():
        why = next((w for s in read.values() for w in s.lost.values()), "nothing is in them")
        raise DataError(f"{manifest.corpus}: no row of {split} can be read ({why.rstrip('.')}).")
    if gone := int((~there).sum()):
        stamps.append(f"{gone} rows without anything that can be read left out")
    stamps += _foreign(named.manifest, read)
    answers = _answers(predictor, named, read, np.flatnonzero(there))
    stamps = [*predictor.found.about["protocol"].get("stamps", ()), *stamps, *named.stamps]
    if MADE_UP in manifest.notes:
        stamps.append(MADE_UP[:-1])
    return _report(out, predictor, named, read, answers, split, stamps, by)


@dataclass
class Read:
    """What one branch made of N rows.

    Attributes:
        states: [N, H]; has: [N] bool, False where there is nothing.
        lost: row -> why it could not be read.
    """

    states: np.ndarray
    has: np.ndarray
    lost: dict[int, str] = field(default_factory=dict)


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


def _split(manifest: Manifest, split: str | None) -> tuple[str, Manifest]:
    if split is None:
        split = "test" if len(manifest.rows("test")) else "all"
    if split == "all":
        return split, manifest
    rows = manifest.rows(split)
    if not len(rows):
        has = sorted({u.split for u in manifest.utterances if u.split})
        raise UsageError(
            f"The corpus has no {split!r} rows; --split may be {', '.join([*has, 'all'])}."
        )
    return split, manifest.select(rows)


def _has(manifest: Manifest, stream: str, asr: bool) -> bool:
    given = stream == "face" and _pixels(manifest) is not None
    return given or any(_items(manifest, stream)) or (stream == "text" and asr)


def _pixels(manifest: Manifest) -> Frames | None:
    """Faces that came with the corpus, as the face branch reads them."""
    frames = manifest.features.get("face")
    return frames if frames is not None and frames.width == 2304 else None


def _items(manifest: Manifest, stream: str) -> list[str | Clip | None]:
    """What a stream's branch reads of each row."""
    found: list[str | Clip | None] = []
    for u in manifest.utterances:
        if stream == "text":
            found.append(u.text if u.text and u.text.strip() else None)
        else:
            clip = u.video if stream == "face" else u.audio or u.video
            found.append(None if clip is None else resolved(clip, manifest.root))
    return found


def _read(
    predictor: Predictor, manifest: Manifest, streams: Sequence[str], store: FeatureStore,
    jobs: int, asr: bool,
) -> dict[str, Read]:  # fmt: skip
    read = {}
    for stream in (s for s in STREAMS if s in streams):
        branch = predictor.branches[stream]
        pixels = _pixels(manifest) if stream == "face" else None
        if pixels is not None:
            read[stream] = _given(branch, pixels)
            continue
        what = f"{manifest.corpus} {stream}"
        items = _items(manifest, stream)
        encoder = States.of(predictor.found, branch)
        found = _encoded(encoder, items, store, jobs, what)
        if stream == "text" and asr:
            sound = [
                clip if said is None else None
                for said, clip in zip(items, _items(manifest, "speech"), strict=True)
            ]
            heard = States.of(predictor.found, branch, heard=True)
            more = _encoded(heard, sound, store, jobs, f"{what} (transcribing)")
            found.states[more.has] = more.states[more.has]
            found.has |= more.has
            found.lost |= more.lost
        if stream == "speech":  # a film without sound lacks it, and is not damaged
            silent = {i for i in found.lost if manifest.utterances[i].audio is None}
            found.lost = {i: why for i, why in found.lost.items() if i not in silent}
        read[stream] = found
    return read


def _encoded(
    encoder: States, items: Sequence[str | Clip | None], store: FeatureStore, jobs: int, what: str
) -> Read:
    frames, lost = encode_each(encoder, items, store, jobs, what)
    states = np.zeros((len(items), encoder.width), np.float32)
    has = frames.lengths > 0
    states[has] = frames.values
    return Read(states, has, lost)


def _given(branch: Branch, pixels: Frames) -> Read:
    """The mean state of each row's faces, a few hundred faces at a time."""
    states = np.zeros((len(pixels), len(branch.map)), np.float32)
    some = np.flatnonzero(pixels.lengths)
    for rows in np.array_split(some, max(1, len(some) // (8 * TOGETHER))):
        values = pixels.select(rows)
        each = branch.faces(np.asarray(values.values, np.float32))
        sums = np.add.reduceat(each, values.offsets[:-1]) if len(rows) else each
        states[rows] = sums / values.lengths[:, None]
    return Read(states, pixels.lengths > 0)


def _foreign(manifest: Manifest, read: Mapping[str, Read]) -> list[str]:
    """Leave out texts that are not English, as prediction does, where there is more than them."""
    if "text" not in read:
        return []
    others = [r.has for s, r in read.items() if s != "text"]
    alone = ~np.any(others, axis=0) if others else np.ones(len(manifest), bool)
    foreign = np.array([bool(u.text) and not looks_english(u.text or "") for u in
                        manifest.utterances]) & read["text"].has  # fmt: skip
    read["text"].has &= ~(foreign & ~alone)
    stamps = []
    if count := int((foreign & ~alone).sum()):
        stamps.append(f"{count} texts do not look English and were not used")
    if count := int((foreign & alone).sum()):
        stamps.append(f"{count} texts do not look English, the one language known")
    return stamps


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
    totals, probabilities, sets, thresholds = zip(*found, strict=True)
    return Answers(
        rows, np.array(totals), np.array(probabilities), tuple(sets), np.array(thresholds)
    )


def _report(
    out: Path, predictor: Predictor, named: Named, read: Mapping[str, Read], answers: Answers,
    split: str, stamps: Sequence[str], by: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
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
    if told.space.task == "multi":  # each beside the basic emotions, not by its sigmoid
        test = dataclasses.replace(test, probabilities=answers.probabilities)
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
    about = predictor.found.about
    return report_on(
        out, about, told, told.space, test, split=split, unseen=named.unseen,
        stamps=list(dict.fromkeys(stamps)), extras=extras,
    )  # fmt: skip


def _abstention(test: Scored, answers: Answers) -> dict[str, Any]:
    decided = answers.probabilities.max(1) >= answers.thresholds
    best = answers.logits.argmax(1)
    right = test.targets[np.arange(len(best)), best] > 0
    return abstention(test, decided, right)
