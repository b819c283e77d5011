"""Preparation of a corpus: read the user's files, encode raw media, check, and write a manifest."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moodal.core import manifest as manifests
from moodal.core.acoustics import Acoustics
from moodal.core.emotions import Values
from moodal.core.errors import DataError, OutputError, UsageError, writing
from moodal.core.guard import line
from moodal.core.manifest import MADE_UP, MARK, Manifest
from moodal.core.records import ordered
from moodal.corpora.checks.check import Finding, check
from moodal.corpora.checks.recordings import missing_media
from moodal.corpora.checks.values import value_findings

if TYPE_CHECKING:
    from rich.table import Table

    from moodal.features.encode import Jobs
    from moodal.features.store import FeatureStore
    from moodal.modalities.encoder import Encoder

STORE = "feature-store"
"""The default name of the folder of features, next to OUT."""

_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Second views of sounds that are made by augmentation: how many of each, and their seed."""

    count: int = 0
    seed: int = 0


NONE = Augmentation()


def prepare(
    corpus: str,
    root: Path | str,
    out: Path | str,
    *,
    encoders: Mapping[str, str | Encoder] | None = None,
    store: Path | None = None,
    jobs: Jobs = 1,
    views: Augmentation = NONE,
    same_lines: float = 0.0,
) -> tuple[Manifest, list[Finding]]:
    """Read ``corpus`` from ``root`` and write its manifest and features to ``out``.

    Args:
        corpus: a name in `moodal.corpora.CORPORA`.
        root: the user's files, as that corpus's reader describes them.
        out: a new folder, or one that holds an earlier manifest, which is replaced.
        encoders: stream -> an encoder, or its name with parameters, such as
            ``{"speech": "egemaps:rate=5"}``, or "none" to leave that stream out. Streams that are
            not named get the default encoder of their modality, if it has one, and streams that
            came as features stay as they are. ``{"speech": "files:path=wavlm.npz,rate=50"}`` reads
            features from files, see `moodal.corpora.own`.
        store: a folder that keeps features, so that a second run reads them (default:
            `STORE` next to ``out``, shared by the corpora prepared there).
        jobs: the number of processes that encode, 1 or more; or workers elsewhere, such as
            `moodal.scale.encode.ClusterWorkers`.
        views: the augmented views of each sound without given ones; given views are encoded as
            well (a count of 0: neither).
        same_lines: the least cosine of texts that count as one line, see
            `moodal.features.same_lines` (0: lines are not compared).

    Returns:
        The manifest, and the findings of the check. The same input gives the same fingerprint.

    Raises:
        UsageError: the corpus, a stream or an encoder is unknown; jobs below 1, views below 0.
        DataError: the files cannot be read, or the check found errors; nothing is written.
        OutputError: ``out`` holds something else, or cannot be written.
    """
    from moodal.corpora import CORPORA  # the readers, all of them, only when one is needed
    from moodal.features.store import FeatureStore

    if corpus not in CORPORA:
        near = difflib.get_close_matches(corpus, CORPORA, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise UsageError(f"No corpus is called {corpus!r}; there are {', '.join(CORPORA)}{hint}")
    if isinstance(jobs, int) and jobs < 1:
        raise UsageError(f"jobs is the number of processes that encode, 1 or more; got {jobs}.")
    if views.count < 0:
        raise UsageError(f"views is the number of second views, 0 or more; got {views.count}.")
    root, out = Path(root), Path(out)
    if not root.exists():
        raise DataError(f"{root} does not exist; give the folder of {corpus}'s files.")
    _require_place(out)
    manifest = CORPORA[corpus](root)
    _require_same_corpus(out, manifest.corpus)
    manifest, encoders = _with_own_features(manifest, encoders or {})
    # values and paths are checked now, before hours of encoding
    _refuse(corpus, root, [*value_findings(manifest), *missing_media(manifest)])
    if ((root if root.is_dir() else root.parent) / MARK).exists():
        manifest = dataclasses.replace(manifest, notes=(*manifest.notes, MADE_UP))
    keeper = FeatureStore(store or out.parent / STORE)
    manifest, used, findings = _encoded(manifest, encoders, keeper, jobs)
    if same_lines:
        from moodal.features.same_lines import with_same_lines

        manifest = with_same_lines(manifest, same_lines, keeper, jobs)
    if views.count:
        manifest = _with_views(manifest, used, keeper, jobs, views.count, views.seed)
    else:
        # views that came as features do not fit the features of another encoder
        kept = {s: v for s, v in manifest.views.items() if s not in used}
        manifest = dataclasses.replace(manifest, views=kept)
    warned = {f.detail for f in findings if f.what == "media"}
    notes = [Finding("note", "corpus", n) for n in manifest.notes if n not in warned]
    # what was lost in decoding contradicts that every file can be read
    checked = [f for f in check(manifest) if not (warned and (f.level, f.what) == ("ok", "media"))]
    findings = [*notes, *findings, *checked]
    _refuse(corpus, root, findings)
    manifest.write(out)
    return manifest, findings


def _refuse(corpus: str, root: Path, findings: Sequence[Finding]) -> None:
    """Refuse a corpus with errors: name the first, and count the others."""
    errors = [f for f in findings if f.level == "error"]
    if errors:
        first, count = errors[0], len(errors) - 1
        rest = f" And {count} more such finding{'s' * (count > 1)}." if count else ""
        raise DataError(
            f"{corpus} in {root} was not prepared: {first.what}: {first.detail.rstrip('.')}.{rest}"
        )


def _require_place(out: Path) -> None:
    """Check before hours of encoding that ``out`` can be written."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; choose a folder to write the corpus to.")
    if out.exists() and any(out.iterdir()) and not (out / "manifest.json").exists():
        raise OutputError(f"{out} is not empty and holds no manifest; choose another folder.")
    with writing(out):
        nearest = next(folder for folder in out.absolute().parents if folder.exists())
        with tempfile.TemporaryDirectory(dir=nearest):
            pass


def _require_same_corpus(out: Path, corpus: str) -> None:
    """Refuse to replace another corpus; a damaged or older manifest may be replaced."""
    if not (out / "manifest.json").exists():
        return
    with contextlib.suppress(DataError):
        present = manifests.read(out).corpus
        if present != corpus:
            raise OutputError(f"{out} holds {present}; choose another folder, or delete it.")


def _with_own_features(
    manifest: Manifest, asked: Mapping[str, str | Encoder]
) -> tuple[Manifest, dict[str, str | Encoder]]:
    """Return the manifest with the features that come in files, and the encoders that are left."""
    from moodal.corpora.own import attach, spec

    files = {s: spec.parse(s, str(text)) for s, text in asked.items() if spec.is_files(text)}
    others = {stream: encoder for stream, encoder in asked.items() if stream not in files}
    columns = attach.columns_of(manifest)
    for stream in columns:
        if others.get(stream, "none") != "none":
            raise UsageError(
                f"{manifest.corpus} has the column {stream}{spec.SUFFIX}, whose features are read; "
                f"leave the encoder of {stream} out, or the column."
            )
    if files or columns:
        manifest = attach.with_features(manifest, files)
    return manifest, others


def _encoded(
    manifest: Manifest,
    asked: Mapping[str, str | Encoder],
    store: FeatureStore,
    jobs: Jobs,
) -> tuple[Manifest, dict[str, Encoder], list[Finding]]:
    """Encode every raw stream that is wanted; return the manifest, the encoders, and findings."""
    from moodal.features.encode import encode_corpus
    from moodal.modalities import MODALITIES
    from moodal.modalities.build import build

    raw = {modality for u in manifest.utterances for modality in u.media}
    given = {s for s, spec in asked.items() if spec != "none" and _is_raw(manifest, s, spec)}
    streams = ordered([*MODALITIES, *sorted(raw)])
    wrong = sorted(asked.keys() - set(streams))
    if wrong:
        raise UsageError(f"No stream is called {wrong[0]!r}; there are {', '.join(streams)}.")
    chosen: dict[str, str | Encoder] = {}
    findings = []
    for stream in streams:
        if asked.get(stream, "none") != "none" and stream not in raw | given:
            raise UsageError(
                f"{manifest.corpus} has no {stream} to encode; leave the encoder of {stream} out."
            )
        if stream in asked or (stream in raw and stream not in manifest.features):
            default = MODALITIES[stream].encoder if stream in MODALITIES else ""
            spec = asked.get(stream) or default
            if not spec:
                detail = (
                    f"There is {stream} to encode, but it has no default encoder: left out. "
                    f"Choose one with --encoder {stream}=NAME."
                )
                findings.append(Finding("note", stream, detail))
            else:
                chosen[stream] = spec
    dropped = {stream for stream, spec in chosen.items() if spec == "none"}
    manifest = dataclasses.replace(
        manifest,
        features={s: f for s, f in manifest.features.items() if s not in dropped},
        encoders={s: e for s, e in manifest.encoders.items() if s not in dropped},
        views={s: v for s, v in manifest.views.items() if s not in dropped},
    )
    used = {
        stream: build(spec) if isinstance(spec, str) else spec
        for stream, spec in chosen.items()
        if stream not in dropped
    }
    if used:
        noted = len(manifest.notes)
        manifest = encode_corpus(manifest, used, store, jobs, skip_unreadable=True)
        findings += [Finding("warning", "media", note) for note in manifest.notes[noted:]]
        manifest, sound = _measured(manifest, used, store, jobs)
        findings += sound
    return manifest, used, findings


def _is_raw(manifest: Manifest, stream: str, encoder: str | Encoder) -> bool:
    """Return whether the features of a corpus are media that an encoder reads."""
    from moodal.features.store import holds_media
    from moodal.modalities.build import build

    if stream not in manifest.features:
        return False
    reader = build(encoder) if isinstance(encoder, str) else encoder
    return holds_media(manifest, stream, reader)


def _measured(
    manifest: Manifest, encoders: Mapping[str, Encoder], store: FeatureStore, jobs: Jobs
) -> tuple[Manifest, list[Finding]]:
    """Add the measures of the sounds that were encoded, and examine them.

    A store from before is measured now. Of several streams of sound, the first one's are kept.
    """
    from moodal.features.acoustics import SoundMeasures
    from moodal.features.encode import encode_items
    from moodal.features.measures import sound_findings
    from moodal.features.store import item_of
    from moodal.modalities.infos import info_of

    findings: list[Finding] = []
    for stream in encoders:
        if info_of(stream).medium == "sound":
            items = [item_of(u, stream, manifest.root) for u in manifest.utterances]
            what = f"{manifest.corpus} {stream} (measuring)"
            rows, _ = encode_items(SoundMeasures(), items, store, jobs, what, skip_unreadable=True)
            acoustics = Acoustics.of(list(rows))
            findings += sound_findings(manifest, stream, acoustics)
            if manifest.acoustics is None:
                manifest = dataclasses.replace(manifest, acoustics=acoustics)
    return manifest, findings


def _with_views(
    manifest: Manifest,
    encoders: Mapping[str, Encoder],
    store: FeatureStore,
    jobs: Jobs,
    count: int,
    seed: int,
) -> Manifest:
    """Return the manifest with second views of every stream that was encoded now."""
    from moodal.features.views.views import with_views

    if not encoders and manifest.views:
        return manifest  # all streams came as features, and so did their views
    if not encoders:
        raise UsageError(
            f"{manifest.corpus} came as features, of which no second views can be made; "
            "leave --views out."
        )
    return with_views(manifest, encoders, store=store, jobs=jobs, count=count, seed=seed)


def left_out(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that tell of something left out: readers and encoders say so."""
    return [finding for finding in findings if "left out" in finding.detail]


def findings_table(manifest: Manifest, findings: Sequence[Finding]) -> list[Table]:
    """Return tables to print: the streams, the labels by split, and the findings."""
    from rich.table import Table
    from rich.text import Text

    streams = Table(title=f"{manifest.corpus}: {len(manifest):,} utterances")
    for column in ("stream", "encoder", "width", "steps", "steps each", "absent"):
        streams.add_column(column, justify="left" if column in ("stream", "encoder") else "right")
    for row in _streams(manifest):
        each = f"{row['shortest']} to {row['longest']}"
        streams.add_row(
            row["stream"],
            row["encoder"],
            str(row["width"]),
            f"{row['steps']:,}",
            each,
            f"{row['absent']:,}",
        )

    labels = [_labels_table(manifest)]
    if manifest.ratings is not None:
        labels.append(_labels_table(manifest.rated))

    details = Table(title="Findings", show_lines=False)
    for column in ("", "what", "detail"):
        details.add_column(column, overflow="fold")
    for finding in findings:
        level = Text(finding.level, _COLOURS[finding.level])
        details.add_row(level, Text(finding.what), Text(line(finding.detail)))
    return [streams, *labels, details]


def _labels_table(manifest: Manifest) -> Table:
    """Build the table of the utterances and labels, or mean values, of each split."""
    from rich.table import Table
    from rich.text import Text

    counts = _counts(manifest)
    values = isinstance(manifest.space, Values)
    labels = Table(title="Mean values" if values else "Labels")
    labels.add_column("value" if values else "emotion")
    for split in counts:
        labels.add_column(split, justify="right")
    labels.add_row("utterances", *(f"{c['utterances']:,}" for c in counts.values()))
    shown = manifest.space.values if isinstance(manifest.space, Values) else manifest.space.labels
    for label, name in zip(manifest.space.labels, shown, strict=True):
        cells = (c["labels"][label] for c in counts.values())
        labels.add_row(
            Text(line(str(name))),
            *(f"{x:,.3g}" if isinstance(x, float) else f"{x:,}" for x in cells),
        )
    return labels


def as_json(manifest: Manifest, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what `findings_table` shows as one JSON object, for programs."""
    return {
        "corpus": manifest.corpus,
        "fingerprint": manifest.fingerprint,
        "task": manifest.space.task,
        **({"values": manifest.space.ranges()} if isinstance(manifest.space, Values) else {}),
        **({"ratings": manifest.ratings.space.ranges()} if manifest.ratings else {}),
        "utterances": len(manifest),
        "streams": _streams(manifest),
        "splits": _counts(manifest),
        "licence": manifest.licence,
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }


def _streams(manifest: Manifest) -> list[dict[str, Any]]:
    """Describe each stream with features; shortest and longest are of utterances that have it."""
    rows = []
    for stream in ordered(manifest.features):
        frames = manifest.features[stream]
        present = frames.lengths[frames.lengths > 0]
        rows.append(
            {
                "stream": stream,
                "encoder": str(manifest.encoders.get(stream, {}).get("name", "unknown")),
                "width": frames.width,
                "steps": int(frames.lengths.sum()),
                "shortest": int(present.min(initial=present.max(initial=0))),
                "longest": int(present.max(initial=0)),
                "absent": len(frames) - len(present),
            }
        )
    return rows


def _counts(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Count utterances and positives of each label by split, or "all" without splits.

    For values, the mean replaces the number of positives; values next to emotions are "values".
    """
    splits = [u.split or "all" for u in manifest.utterances]
    counts: dict[str, dict[str, Any]] = {}
    for split in [s for s in ("train", "valid", "test", "all") if s in splits]:
        rows = manifest.labels[[s == split for s in splits]]
        values = rows.mean(0) if isinstance(manifest.space, Values) else np.sum(rows > 0, 0)
        named = zip(manifest.space.labels, values.tolist(), strict=True)
        counts[split] = {"utterances": len(rows), "labels": dict(named)}
    if manifest.ratings is not None:
        for name, count in _counts(manifest.rated).items():
            counts[name]["values"] = count["labels"]
    return counts
