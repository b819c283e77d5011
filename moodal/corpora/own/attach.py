"""Features in files become streams of a corpus: assigned by row or name, checked, and joined."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from moodal.core.errors import AbsentError, DataError, MoodalError, UsageError
from moodal.core.manifest import Manifest
from moodal.core.records import Clip, Frames, Utterance
from moodal.core.table_rows import number
from moodal.corpora.find import Paths, shortened
from moodal.corpora.own.frames import (
    ENDINGS,
    FeatureFrames,
    NamedFrames,
    check_rate,
    read_each,
    read_frames,
)
from moodal.corpora.own.spec import SUFFIX, FeatureSpec


def columns_of(manifest: Manifest) -> list[str]:
    """Return the streams for which a corpus names files of features, in the order of its rows."""
    named = dict.fromkeys(key for u in manifest.utterances for key in u.extra)
    return [key.removesuffix(SUFFIX) for key in named if key.endswith(SUFFIX) and key != SUFFIX]


def with_features(manifest: Manifest, specs: Mapping[str, FeatureSpec]) -> Manifest:
    """Return the manifest with the streams whose features come in files.

    A row without a file has no such stream: its sequence has length 0.

    Args:
        manifest: a corpus; its paths of feature files start from its folder, that of a
            specification from the current one.
        specs: stream -> specification; streams with a column of files need none.

    Raises:
        UsageError: a stream has neither a column of files nor a path.
        DataError: a file is missing, damaged, of another width or rate, or lacks an utterance; the
            first three rows are named.
    """
    columns = columns_of(manifest)
    wanted = {**{stream: FeatureSpec() for stream in columns}, **specs}
    features, encoders = dict(manifest.features), dict(manifest.encoders)
    notes = list(manifest.notes)
    for stream, spec in wanted.items():
        if spec.path and stream in columns:
            raise UsageError(
                f"{manifest.corpus} has the column {stream}{SUFFIX}, and the specification names "
                f"{spec.path}, of which one is read; leave path= or the column out."
            )
        if not spec.path and stream not in columns:
            raise UsageError(
                f"{manifest.corpus} has no column {stream}{SUFFIX} with files of features; name "
                f"one file or folder for all rows: --encoder {stream}=files:path=FILE."
            )
        if spec.cut:
            _require_times(manifest, stream)
        rows = _from_path(manifest, stream, spec) if spec.path else _by_row(manifest, stream, spec)
        features[stream], encoders[stream], more = joined(manifest, stream, spec, rows)
        notes += more
    kept = [
        dataclasses.replace(
            u, extra={k: v for k, v in u.extra.items() if k.removesuffix(SUFFIX) not in columns}
        )
        for u in manifest.utterances
    ]
    return dataclasses.replace(
        manifest,
        utterances=tuple(kept),
        features=features,
        encoders=encoders,
        notes=tuple(notes),
        aligned=False,
    )


def _by_row(manifest: Manifest, stream: str, spec: FeatureSpec) -> list[FeatureFrames | None]:
    """Read the file that each row names; None where it names none."""
    root = Path(manifest.root or ".")
    paths = Paths(root)
    rows: list[FeatureFrames | None] = []
    faults: dict[int, str] = {}
    last: tuple[str, FeatureFrames] | None = None  # rows of one recording follow each other
    for row, utterance in enumerate(manifest.utterances):
        cell = utterance.extra.get(f"{stream}{SUFFIX}")
        rows.append(None)
        if cell is None:
            continue
        try:
            if last is None or last[0] != cell:
                last = cell, read_frames(root / paths.resolve(cell), spec.columns)
            rows[row] = _part(last[1], utterance, stream, spec)
        except AbsentError:
            continue
        except DataError as error:
            faults[row] = f"cannot be read: {str(error).rstrip('.')}"
    _refuse(manifest, stream, faults, "leave the cell empty where there is no such stream")
    return rows


def _part(
    frames: FeatureFrames, utterance: Utterance, stream: str, spec: FeatureSpec
) -> FeatureFrames | None:
    """Return the steps of an utterance, if the file covers its whole recording."""
    if not spec.cut:
        return frames
    start, end = _times(utterance, stream)
    rate = spec.rate or frames.rate
    if frames.times is None and not rate:
        raise DataError(
            "its steps have no times, so the part of a row cannot be cut; write rate= into the "
            "specification"
        )
    return frames.between(start or 0.0, math.inf if end is None else end, rate)


def _times(utterance: Utterance, stream: str) -> tuple[float | None, float | None]:
    """Return start and end of an utterance: its clip's, another modality's, or the table's."""
    medium = utterance.media.get(stream)
    clips = [medium] if isinstance(medium, Clip) else utterance.media.values()
    timed = next((c for c in clips if isinstance(c, Clip) and c.timed), None)
    if timed is not None:
        return timed.start, timed.end
    return number(utterance.extra.get("start")), number(utterance.extra.get("end"))


def _require_times(manifest: Manifest, stream: str) -> None:
    """Refuse to cut features where no row is a part of a recording."""
    if all(_times(u, stream) == (None, None) for u in manifest.utterances):
        raise DataError(
            f"{manifest.corpus}: no row has a start or an end, to which features of {stream} "
            "could be cut; add the columns start and end, or leave cut=true out."
        )


def _from_path(manifest: Manifest, stream: str, spec: FeatureSpec) -> list[FeatureFrames | None]:
    """Read the features of all rows from one file, or from a folder with a file for each."""
    path = Path(spec.path)
    if not path.exists():
        raise DataError(f"{path} does not exist; name the file or folder of {stream} features.")
    names = _names(manifest, stream, spec)
    rows: list[FeatureFrames | None] = [None] * len(manifest)
    named: set[int] = set()
    absent: set[int] = set()  # the file has them, but no face
    for name, frames in _each(path, names, spec):
        for row in names.get(name) or names.get(Path(name.replace("\\", "/")).stem, []):
            named.add(row)
            if frames is None:
                absent.add(row)
            else:
                rows[row] = _part(frames, manifest.utterances[row], stream, spec)
    if not named:
        raise DataError(
            f"{path} names none of the utterances of {manifest.corpus} (the first is "
            f"{manifest.utterances[0].id!r}); its names must be their ids, or those of their files."
        )
    missing = {i for i, frames in enumerate(rows) if frames is None} - absent
    lacking = dict.fromkeys(sorted(missing), f"has no features in {path}")
    if not spec.absent:
        cure = "write absent=true into the specification if they have no such stream"
        _refuse(manifest, stream, lacking, cure)
    return rows


def _each(path: Path, names: Mapping[str, list[int]], spec: FeatureSpec) -> Iterator[NamedFrames]:
    """Yield name and features of each utterance or recording in a file or folder."""
    if not path.is_dir():
        yield from read_each(path, spec.columns)
        return
    for file in sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS):
        if file.stem in names:
            try:
                frames = read_frames(file, spec.columns)
            except AbsentError:
                yield file.stem, None
            else:
                yield file.stem, frames


def _names(manifest: Manifest, stream: str, spec: FeatureSpec) -> dict[str, list[int]]:
    """Return the rows of each name: an id, or the file of a recording.

    A recording with several utterances names them only where its features are cut.
    """
    clips: dict[str, list[int]] = collections.defaultdict(list)
    for row, utterance in enumerate(manifest.utterances):
        medium = utterance.media.get(stream)
        if isinstance(medium, Clip):
            for name in {medium.path, Path(medium.path).name, Path(medium.path).stem}:
                clips[name].append(row)
        elif utterance.dialogue and spec.cut:
            clips[utterance.dialogue].append(row)
    names = {name: rows for name, rows in clips.items() if spec.cut or len(rows) == 1}
    return names | {u.id: [row] for row, u in enumerate(manifest.utterances)}


def joined(
    manifest: Manifest, stream: str, spec: FeatureSpec, rows: list[FeatureFrames | None]
) -> tuple[Frames, dict[str, object], list[str]]:
    """Join the features of all rows, which must agree in width, rate and names.

    Returns:
        The stream, the specification that a manifest keeps, and notes.

    Raises:
        DataError: rows disagree, or none has features.
    """
    present = {row: frames for row, frames in enumerate(rows) if frames is not None}
    if not present:
        raise DataError(f"{manifest.corpus}: no row has features of {stream}; leave {stream} out.")
    first = next(iter(present.values()))
    width = spec.width or first.values.shape[1]
    source = "the specification says" if spec.width else "the rows before have"
    faults = {}
    for row, frames in present.items():
        if frames.values.shape[1] != width:
            faults[row] = f"has {frames.values.shape[1]} values a step, where {source} {width}"
        elif frames.names != first.names:
            faults[row] = "has columns of other names than the rows before"
    _refuse(manifest, stream, faults, "leave the rows out")
    rate = spec.rate or _common_rate(present.values())
    for row, frames in present.items():
        check_rate(spec.rate, frames.rate, f"{stream} of {manifest.utterances[row].id}")
    dtype = np.float16 if all(f.values.dtype == np.float16 for f in present.values()) else "f4"
    absent = np.zeros((0, width), dtype)
    sequences = [absent if f is None else f.values.astype(dtype, copy=False) for f in rows]
    notes = []
    if lost := sum(frames.lost for frames in present.values()):
        notes.append(f"{stream}: {lost} steps in which OpenFace saw no face are absent.")
    if lacking := len(rows) - len(present):
        notes.append(f"{stream}: {lacking} of {len(rows)} utterances have no features: absent.")
    if not rate and any(len(frames.values) > 1 for frames in present.values()):
        notes.append(f"{stream}: steps per second are not stated; rate= of the specification does.")
    about = spec.described(stream, width, rate, first.names)
    return Frames.from_list(sequences, rate or None), about, notes


def _common_rate(present: Iterable[FeatureFrames]) -> float:
    """Return the rate of the files' times, 0 where they have none or disagree."""
    rates = [frames.rate for frames in present if frames.rate]
    try:
        for rate in rates:
            check_rate(rates[0], rate, "")
    except MoodalError:
        return 0.0
    return rates[0] if rates else 0.0


def _refuse(manifest: Manifest, stream: str, faults: Mapping[int, str], otherwise: str) -> None:
    """Refuse rows with faults in one sentence, which names the first and counts the others."""
    if faults:
        ids = [u.id for u in manifest.utterances]
        listed = [f"row {row + 1} ({ids[row]}) {what}" for row, what in faults.items()]
        again = "" if any(";" in what for what in faults.values()) else "write them again, or "
        raise DataError(
            f"{manifest.corpus}, {stream} features: {shortened(listed, separator='; ')}; {again}"
            f"{otherwise}."
        )
