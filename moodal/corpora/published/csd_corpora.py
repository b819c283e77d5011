"""CMU-MOSEI and CMU-MOSI in the .csd files of CMU-MultimodalSDK, which itself is not needed."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace, Targets, Values
from moodal.core.errors import DataError
from moodal.core.files import load_text
from moodal.core.manifest import Manifest
from moodal.core.records import STREAMS, Frames, Utterance, media_of
from moodal.corpora.published import features, h5, label_rows
from moodal.corpora.published.csd import EPSILON, CsdEntry, Sequence, overlapping, word_means
from moodal.corpora.published.mosei import EMOTIONS

FILES = {
    "labels": ("labels",),
    "words": ("timestampedwords.",),
    "text": ("timestampedwordvectors", "glove"),
    "speech": ("covarep", "opensmile"),
    "face": ("facet_42", "facet42", "facet", "openface_2", "openface2", "openface"),
}
"""Content -> parts of its file's name, in lower case; the first that is there is read."""

MOSEI_COLUMNS = ("sentiment", "happy", "sad", "anger", "surprise", "disgust", "fear")
"""The columns of MOSEI's labels."""

FOLDS = {
    "train": "standard_train_fold",
    "valid": "standard_valid_fold",
    "test": "standard_test_fold",
}
"""Split -> the list of its videos in the SDK's ``*_std_folds.py``."""

PAUSE = "sp"
"""The word that stands for a pause in the SDK's transcripts."""

FACET_WIDTHS = (features.FACET, 47)
"""Columns of FACET 4.2 and 4.1 in the SDK's files."""


@dataclass
class _Segments:
    """The utterances that were read, a list item each.

    Attributes:
        streams: stream -> features [T, D] per utterance, [0, D] where it is absent.
        corrected: stream -> number of means that were not finite.
    """

    utterances: list[Utterance] = field(default_factory=list)
    labels: list[np.ndarray] = field(default_factory=list)
    streams: dict[str, list[np.ndarray | None]] = field(default_factory=dict)
    wordless: int = 0
    corrected: dict[str, int] = field(default_factory=dict)


def read_mosei(root: Path | str) -> Manifest:
    """Read CMU-MOSEI's emotions from the SDK's .csd files, aligned to words.

    See `_read`. An emotion counts where its intensity is above 0; the sentiment is in ``extra``.

    Raises:
        DataError: a file is missing, damaged, or does not fit the others.
        UnsafeFileError: a file would be read from another one.
    """
    return _read(root, "mosei-csd", EmotionSpace(EMOTIONS, "multi"))


def read_mosei_sentiment(root: Path | str) -> Manifest:
    """Read CMU-MOSEI's sentiment of -3 to 3 from the SDK's .csd files, aligned to words.

    Raises:
        DataError, UnsafeFileError: as `read_mosei`.
    """
    return _read(root, "mosei-csd-sentiment", Values(["sentiment"]))


def read_mosi(root: Path | str) -> Manifest:
    """Read CMU-MOSI's sentiment of -3 to 3 from the SDK's .csd files, aligned to words.

    Raises:
        DataError, UnsafeFileError: as `read_mosei`.
    """
    return _read(root, "mosi-csd", Values(["sentiment"]))


def _read(root: Path | str, corpus: str, space: Targets) -> Manifest:
    """Read the labelled segments of a folder of .csd files; a step is a word.

    The words are those of the word vectors' file, or of the transcript's without one. Speech and
    face are averaged over the frames that overlap a word. An utterance consists of the words that
    overlap its labelled interval.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root} is no folder; give the one with the .csd files.")
    paths, notes = _files(root)
    segments = _Segments(streams={s: [] for s in STREAMS if s in paths})
    with contextlib.ExitStack() as stack:
        sequences = {
            content: Sequence(stack.enter_context(h5.opened(path)))
            for content, path in paths.items()
        }
        folds = _folds(root)
        for video in sorted(sequences["labels"].keys):
            _read_video(sequences, video, folds.get(video), segments)
    if not segments.utterances:
        raise DataError(f"{root}: no labelled segment has words; take all files from one release.")
    frames, encoders = {}, {}
    for stream, rows in segments.streams.items():
        width = next((row.shape[1] for row in rows if row is not None), 0)
        if width:
            empty = np.zeros((0, width), np.float32)
            frames[stream] = Frames.from_list([empty if row is None else row for row in rows])
            encoders[stream] = features.as_given(corpus.removesuffix("-sentiment"), stream, width)
    notes += _notes(root, segments, folds, frames)
    return Manifest(
        corpus=corpus,
        space=space,
        utterances=tuple(segments.utterances),
        labels=_labels(np.stack(segments.labels), str(paths["labels"]), space),
        features=frames,
        encoders=encoders,
        aligned=True,
        licence="for research",
        notes=tuple(notes),
    )


def _files(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Choose the file of each content, and note those that are not read."""
    files = sorted(p for p in root.rglob("*.csd") if not p.name.startswith("."))
    paths: dict[str, Path] = {}
    notes = []
    for content, parts in FILES.items():
        matching = [
            p for part in parts for p in files if part in p.name.lower() and p not in paths.values()
        ]
        matching = list(dict.fromkeys(matching))
        if content == "text":
            matching = [p for p in matching if "with_sp" not in p.name.lower()] or matching
        if matching:
            paths[content] = matching[0]
        if len(matching) > 1:
            others = ", ".join(p.name for p in matching[1:])
            notes.append(
                f"{content.capitalize()} is read from {matching[0].name}, not from {others}; move "
                "a file away to choose."
            )
    if "labels" not in paths or not paths.keys() & {"text", "words"}:
        lacking = "labels" if "labels" not in paths else "words (TimestampedWordVectors)"
        listed = ", ".join(p.name for p in files[:6]) or "no .csd file"
        raise DataError(f"{root} holds {listed}: the file of {lacking} is missing; add it.")
    return paths, notes


def _folds(root: Path) -> dict[str, str]:
    """Read video -> split from the SDK's ``*_std_folds.py``, which is parsed and never run."""
    paths = sorted(root.rglob("*_std_folds.py"))
    if not paths:
        return {}
    folds: dict[str, str] = {}
    splits = {name: split for split, name in FOLDS.items()}
    try:
        for node in ast.parse(load_text(paths[0])).body:
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                continue
            split = splits.get(node.targets[0].id)
            if split:
                folds |= dict.fromkeys(map(str, ast.literal_eval(node.value)), split)
    except (OSError, ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise DataError(
            f"{paths[0]} is not the SDK's file of folds ({error}); take it from the SDK again."
        ) from None
    return folds


def _read_video(
    sequences: Mapping[str, Sequence], video: str, split: str | None, segments: _Segments
) -> None:
    """Add the segments of one video."""
    labels = sequences["labels"].read(video)
    reference = sequences.get("text") or sequences["words"]
    if video not in reference.keys:
        segments.wordless += len(labels.features)
        return
    words = reference.read(video) if "text" in sequences else reference.words(video)
    long = words.intervals[:, 1] - words.intervals[:, 0] >= EPSILON
    words = CsdEntry(words.intervals[long], words.features[long])
    aligned: dict[str, np.ndarray | None] = {}
    for stream in segments.streams:
        sequence = sequences[stream]
        if stream == "text":
            aligned[stream] = _finite(words.features, stream, segments)
        elif video in sequence.keys:
            means, _ = word_means(words.intervals, sequence.read(video))
            aligned[stream] = _finite(means, stream, segments)
        else:
            aligned[stream] = None
    transcript = sequences["words"].words(video) if _has(sequences, "words", video) else None
    for number, interval in enumerate(labels.intervals):
        chosen = overlapping(interval, words.intervals)
        if not chosen.any():
            segments.wordless += 1
            continue
        row = np.atleast_1d(labels.features[number]).ravel()
        segments.labels.append(row)
        extra = {"start": f"{interval[0]:g}", "end": f"{interval[1]:g}"}
        if len(row) == len(MOSEI_COLUMNS):
            extra["sentiment"] = f"{row[0]:g}"
        segments.utterances.append(
            Utterance(
                f"{video}[{number}]",
                split,
                dialogue=video,
                media=media_of(text=_text(transcript, interval)),
                extra=extra,
            )
        )
        for stream, values in aligned.items():
            segments.streams[stream].append(None if values is None else values[chosen])


def _has(sequences: Mapping[str, Sequence], content: str, video: str) -> bool:
    return content in sequences and video in sequences[content].keys


def _text(transcript: CsdEntry | None, interval: np.ndarray) -> str | None:
    """Return the words that overlap an interval; None without any."""
    if transcript is None:
        return None
    words = transcript.features[overlapping(interval, transcript.intervals)]
    return " ".join(word for word in words if word != PAUSE) or None


def _finite(values: np.ndarray, stream: str, segments: _Segments) -> np.ndarray:
    """Return values as float32; what is not finite becomes 0, as a frame that is missing."""
    with np.errstate(over="ignore"):
        values = np.asarray(values, np.float32)
    bad = ~np.isfinite(values)
    if bad.any():
        segments.corrected[stream] = segments.corrected.get(stream, 0) + int(bad.sum())
        values = np.where(bad, np.float32(0), values)
    return values


def _labels(rows: np.ndarray, place: str, space: Targets) -> np.ndarray:
    """Return the labels [N, C] of the space from the columns of the labels' file."""
    if isinstance(space, Values):
        return label_rows.sentiment(rows[:, :1], place)
    if rows.shape[1] != len(MOSEI_COLUMNS):
        raise DataError(
            f"{place} has {rows.shape[1]} columns; MOSEI's labels are {', '.join(MOSEI_COLUMNS)}. "
            "Read sentiment alone as mosei-csd-sentiment or mosi-csd."
        )
    columns = [MOSEI_COLUMNS.index(emotion) for emotion in EMOTIONS]
    return label_rows.intensities(rows[:, columns], place, len(EMOTIONS))


def _notes(
    root: Path, segments: _Segments, folds: Mapping[str, str], frames: Mapping[str, Frames]
) -> list[str]:
    """Return the notes on what was left out, corrected or is missing."""
    notes = ["A step is a word; speech and face are means of the frames that overlap it."]
    if segments.wordless:
        notes.append(f"{segments.wordless} labelled segments without any word were left out.")
    for stream, count in segments.corrected.items():
        notes.append(f"{stream}: {count} values that are not finite were set to 0.")
    for stream, values in frames.items():
        if lacking := int((values.lengths == 0).sum()):
            notes.append(f"{stream}: {lacking} utterances are of videos without it: absent.")
    foldless = sum(u.split is None for u in segments.utterances)
    if not folds:
        notes.append(
            "There is no *_std_folds.py of the SDK: the rows have no official split; add that "
            'file, or split by "dialogue", which is the video.'
        )
    elif foldless:
        notes.append(f"{foldless} utterances are of videos in none of the standard folds.")
    if "face" in frames and frames["face"].width in FACET_WIDTHS:
        notes.append(
            f"Face has {frames['face'].width} columns; if these are FACET's, they include the "
            "vendor's own emotion outputs (anger, joy, ...): label-bearing input."
        )
    return notes
