"""Features that came with the files of a corpus: checked, named, and joined over the splits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.emotions import Targets
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.core.records import STREAMS, Frames, Utterance

PHASES = ("train", "valid", "test")
FACET = 35
"""Columns of FACET in the authors' MOSEI and IEMOCAP files."""


@dataclass(frozen=True)
class SplitData:
    """The data of one split of a corpus, as in its files.

    Attributes:
        split: "train", "valid" or "test".
        utterances: the N utterances.
        labels: [N, C] float32.
        streams: stream -> [N, T, D] float32; without streams that this split lacks.
    """

    split: str
    utterances: tuple[Utterance, ...]
    labels: np.ndarray
    streams: Mapping[str, np.ndarray]


def find(root: Path | str, *names: str) -> Path:
    """Find the folder in or under ``root`` that holds one of the files ``names``.

    It is ``root`` itself, ``data``, ``seq_length_20/data`` or another folder of the authors'
    instructions. If ``root`` is a file, its folder is searched.

    Raises:
        DataError: no folder holds such a file.
    """
    root = Path(root)
    if root.is_file():
        root = root.parent
    for under in ("", "data", "seq_length_20", "seq_length_20/data", "seq_length_50/data"):
        if any((root / under / name).is_file() for name in names):
            return root / under
    raise DataError(
        f"{root} holds no {' or '.join(names)}; give the folder in which it lies."
        if root.is_dir()
        else f"{root} is no folder; give the one in which {names[0]} lies."
    )


def sequences(values: Any, place: str, rows: int | None = None) -> np.ndarray:
    """Check the values [N, T, D] of a stream and return them as float32; -inf is kept.

    Args:
        values: the values of the file.
        place: file and key, for messages.
        rows: the expected N, if any.

    Raises:
        DataError: wrong kind or shape, or a NaN or +inf.
    """
    values = array(values, place)
    if values.ndim != 3:
        raise DataError(
            f"{place} has shape {values.shape}; a stream is [utterances, steps, width]."
        )
    if values.shape[1] == 0 or values.shape[2] == 0:
        raise DataError(f"{place} has shape {values.shape}: it is empty.")
    if rows is not None and len(values) != rows:
        raise DataError(
            f"{place} has {len(values)} rows and the labels have {rows}; "
            "take all files from the same release."
        )
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, checked below
        values = np.ascontiguousarray(values, np.float32)
    bad = np.isnan(values) | (values == np.inf)
    if bad.any():
        row, step, column = (int(x) for x in np.argwhere(bad)[0])
        raise DataError(
            f"{place} row {row}, step {step}, column {column} is {values[row, step, column]}; "
            "correct or remove that row."
        )
    return values


def array(values: Any, place: str) -> np.ndarray:
    """Return ``values`` as an array of numbers.

    Raises:
        DataError: they are anything else.
    """
    if isinstance(values, list):
        try:
            values = np.array(values)
        except ValueError:
            raise DataError(
                f"{place} is a list of uneven rows, where an array should be."
            ) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        what = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise DataError(f"{place} holds {what}, where an array of numbers should be.")
    return values


def entry(table: Any, names: Sequence[str], place: str) -> tuple[str, Any]:
    """Return the first of the keys ``names`` that ``table`` has, and its value.

    Raises:
        DataError: ``table`` is no dict, or has none of them.
    """
    if not isinstance(table, dict):
        raise DataError(f"{place} is a {type(table).__name__}, where a dict should be.")
    for name in names:
        if name in table:
            return name, table[name]
    keys = ", ".join(repr(str(k)[:40]) for k in list(table)[:8]) or "nothing"
    raise DataError(f"{place} has no {' or '.join(map(repr, names))}; it holds {keys}.")


def without_infinity(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Replace -inf (the log of a silent frame) by 0, as the authors do, and count them."""
    silent = np.isneginf(values)
    count = int(silent.sum())
    return (np.where(silent, np.float32(0), values) if count else values), count


def utterances(split: str, rows: int, ids: Any = None, place: str = "") -> tuple[Utterance, ...]:
    """Create N utterances from their ids.

    Ids may be names such as "Ses01F_impro01_M000" (IEMOCAP: with session, speaker and dialogue),
    or rows of video, start and end (MOSI, MOSEI). Utterances with numbers or repeated names as ids
    are called "train-00012" and so on.

    Raises:
        DataError: there are not N ids.
    """
    numbered = [f"{split}-{row:05d}" for row in range(rows)]
    if ids is None:
        return tuple(Utterance(name, split) for name in numbered)
    if not isinstance(ids, list | np.ndarray) or np.ndim(ids) == 0 or len(ids) != rows:
        raise DataError(f"{place} does not hold an id for each of the {rows} rows.")
    words = [_words(row) for row in ids]
    names = ["_".join(row) for row in words]
    if len(set(names)) < rows or all(name.isdecimal() for name in names):
        names = numbered
    return tuple(_named(n, w, split) for n, w in zip(names, words, strict=True))


def _words(value: Any) -> list[str]:
    """Return the parts of an id as texts."""
    parts = np.asarray(value, object).ravel().tolist()
    return [x.decode("latin-1") if isinstance(x, bytes) else str(x) for x in parts]


def _named(name: str, words: list[str], split: str) -> Utterance:
    turn = re.fullmatch(r"((Ses\d\d)[FM]_\w+)_([FM])\w*\d+", words[0])
    if turn and len(words) == 1:
        dialogue, session, voice = turn.groups()
        return Utterance(name, split, f"{session}{voice}", session, dialogue)
    if len(words) == 3:
        video, start, end = words
        return Utterance(name, split, dialogue=video, extra={"start": start, "end": end})
    return Utterance(name, split)


def join(
    corpus: str,
    space: Targets,
    parts: Sequence[SplitData],
    *,
    aligned: bool,
    licence: str = "unknown",
    notes: Sequence[str] = (),
) -> Manifest:
    """Join the splits into one manifest; -inf in speech becomes 0, and padding is kept.

    Raises:
        DataError: widths differ between splits, or -inf stands outside speech, or
            aligned streams differ in their steps.
    """
    notes = list(notes)
    total = sum(len(part.utterances) for part in parts)
    features, encoders = {}, {}
    for stream in STREAMS:
        with_stream = [part for part in parts if stream in part.streams]
        if not with_stream:
            continue
        widths = {part.streams[stream].shape[2] for part in with_stream}
        if len(widths) > 1:
            raise DataError(
                f"{corpus}: {stream} has {' and '.join(map(str, sorted(widths)))} columns in its "
                "splits; take all files from the same release."
            )
        features[stream], silent = _frames(corpus, stream, parts, widths.pop())
        if silent:
            notes.append(f"{silent} values of -inf in speech were set to 0.")
        for part in parts:
            if part not in with_stream:
                notes.append(f"The {part.split} split has no {stream}: its sequences are empty.")
        encoders[stream] = as_given(corpus, stream, features[stream].width)
    if not features or not total:
        raise DataError(f"{corpus}: the files hold no utterance with features.")
    for part in parts:
        steps = {s: v.shape[1] for s, v in part.streams.items()}
        if aligned and len(set(steps.values())) > 1:
            listed = ", ".join(f"{s} {n}" for s, n in steps.items())
            raise DataError(
                f"{corpus}: aligned streams share their steps, but {part.split} has {listed}; "
                "read unaligned files under the name that ends in -noalign."
            )
    if "face" in features and features["face"].width == FACET:
        notes.append(
            f"Face has FACET's {FACET} columns, which include the vendor's own emotion outputs "
            "(anger, joy, ...): label-bearing input."
        )
    return Manifest(
        corpus=corpus,
        space=space,
        utterances=tuple(u for part in parts for u in part.utterances),
        labels=np.concatenate([part.labels for part in parts]).astype(np.float32),
        features=features,
        encoders=encoders,
        aligned=aligned,
        licence=licence,
        notes=tuple(notes),
    )


def as_given(corpus: str, stream: str, width: int) -> dict[str, Any]:
    """Return the specification of features that came with the files of a corpus.

    The fingerprint depends on corpus, stream and width, not on the values, so that any part of a
    corpus fits a model trained on another part.
    """
    kind = f"as-given {corpus.removesuffix('-noalign')} {stream} {width}"
    fingerprint = hashlib.sha256(kind.encode()).hexdigest()[:16]
    return {"name": "as-given", "fingerprint": fingerprint, "width": width}


def _frames(corpus: str, stream: str, parts: Sequence[SplitData], width: int) -> tuple[Frames, int]:
    """Join one stream over all splits, and count the -inf that were set to 0."""
    values, lengths, silent = [], [], 0
    for part in parts:
        padded = part.streams.get(stream)
        if padded is None:
            padded = np.zeros((len(part.utterances), 0, width), np.float32)
        padded, count = without_infinity(padded)
        if count and stream != "speech":
            raise DataError(f"{corpus}: {stream} of {part.split} holds -inf; correct or remove it.")
        silent += count
        values.append(padded.reshape(-1, width))
        lengths.append(np.full(len(padded), padded.shape[1]))
    return Frames(np.concatenate(values), np.concatenate(lengths)), silent
