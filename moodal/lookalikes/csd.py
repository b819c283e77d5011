"""Look-alikes of CMU-MOSEI and CMU-MOSI in the ``.csd`` files of CMU-MultimodalSDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from moodal.lookalikes.files import staged
from moodal.lookalikes.sequences import MOSEI, draw_phases, draw_sentiment, draw_streams
from moodal.lookalikes.signal import PHASES, Layout, primary, several, targets
from moodal.lookalikes.words import write_vectors

_MOSEI = {"text": Layout(20, 300, 6), "speech": Layout(60, 74, 20), "face": Layout(45, 35, 15)}
_MOSI = {"text": Layout(20, 300, 6), "speech": Layout(60, 74, 20), "face": Layout(45, 47, 15)}

_WORD = 0.3
"""Seconds of a word."""

_PAUSE = 0.7
"""Seconds between two segments, which no labelled interval covers."""

_SEGMENTS = 6
"""Segments of a video."""

_LABELS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
"""The emotions of MOSEI's labels, in the order of the file's columns behind the sentiment."""

_VOCABULARY = ("well", "this", "film", "was", "really", "something", "i", "think", "and", "so")

Entries = dict[str, dict[str, list[np.ndarray]]]
"""Video -> "intervals" and "features" of its segments."""


def mosei(out: Path, utterances: int, seed: int) -> None:
    """Write CMU-MOSEI as computational sequences: words, word vectors, COVAREP, FACET and labels.

    Labels [segments, 7] are the sentiment, -3 to 3, and six intensities, 0 to 3 in thirds. The
    standard folds are written as the SDK has them.
    """
    names = {
        "words": ("CMU_MOSEI_TimestampedWords", "words"),
        "text": ("CMU_MOSEI_TimestampedWordVectors", "glove_vectors"),
        "speech": ("CMU_MOSEI_COVAREP", "COVAREP"),
        "face": ("CMU_MOSEI_VisualFacet42", "FACET 4.2"),
        "labels": ("CMU_MOSEI_Labels", "All Labels"),
    }
    emotions, prior = list(MOSEI), list(MOSEI.values())
    with staged(out, utterances, seed) as folder:
        files, folds = _empty(names), {}
        for phase, n, rng in draw_phases("mosei-csd", utterances, seed):
            present = several(primary(n, prior, rng), emotions, prior, 0.1, rng)
            intensity = present * rng.integers(1, 10, present.shape) / 3
            columns = intensity[:, [emotions.index(emotion) for emotion in _LABELS]]
            pleasure = columns[:, :1] - columns[:, 1:3].sum(1, keepdims=True) / 2
            labels = np.concatenate([pleasure.clip(-3, 3), columns], axis=1)
            values = draw_streams(targets(present, emotions), _MOSEI, rng, front=True)
            folds[phase] = _videos(files, phase, values, labels, rng)
        _write(folder, "mosei", names, files, folds)


def mosi(out: Path, utterances: int, seed: int) -> None:
    """Write CMU-MOSI as computational sequences, with a sentiment of -3 to 3 a segment."""
    names = {
        "words": ("CMU_MOSI_TimestampedWords", "words"),
        "text": ("CMU_MOSI_TimestampedWordVectors", "glove_vectors"),
        "speech": ("CMU_MOSI_COVAREP", "COVAREP"),
        "face": ("CMU_MOSI_Visual_Facet_41", "FACET_4.1"),
        "labels": ("CMU_MOSI_Opinion_Labels", "Opinion Segment Labels"),
    }
    with staged(out, utterances, seed) as folder:
        files, folds = _empty(names), {}
        for phase, n, rng in draw_phases("mosi-csd", utterances, seed):
            labels, target = draw_sentiment(n, rng)
            values = draw_streams(target, _MOSI, rng, front=True)
            folds[phase] = _videos(files, phase, values, labels, rng)
        _write(folder, "mosi", names, files, folds)


def _empty(names: Mapping[str, Any]) -> dict[str, Entries]:
    return {content: {} for content in names}


def _videos(
    files: dict[str, Entries],
    phase: str,
    values: Mapping[str, np.ndarray],
    labels: np.ndarray,
    rng: np.random.Generator,
) -> list[str]:
    """Add the segments of a phase, one after another in videos, and return the videos' names."""
    videos = []
    clock = 0.0
    for row in range(len(labels)):
        if row % _SEGMENTS == 0:
            videos.append(f"{phase[:2]}_{row // _SEGMENTS:04d}")
            clock = float(rng.uniform(0.2, 2))
        steps = {stream: array[row][array[row].any(1)] for stream, array in values.items()}
        words = len(steps["text"])
        end = clock + words * _WORD
        spoken = rng.choice(_VOCABULARY, words).tolist()
        pause = np.array([[end, end + _PAUSE]])
        spans = {stream: _spans(clock, end, len(array)) for stream, array in steps.items()}
        _add(files["words"], videos[-1], np.concatenate([spans["text"], pause]), [*spoken, "sp"])
        for stream, array in steps.items():
            _add(files[stream], videos[-1], spans[stream], array)
        _add(files["labels"], videos[-1], np.array([[clock, end]]), labels[row][None])
        clock = end + _PAUSE
    return videos


def _spans(start: float, end: float, count: int) -> np.ndarray:
    """Divide a span into equal intervals [count, 2]."""
    edges = np.linspace(start, end, count + 1)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _add(entries: Entries, video: str, intervals: np.ndarray, features: Any) -> None:
    entry = entries.setdefault(video, {"intervals": [], "features": []})
    if isinstance(features, list):
        features = np.array([[word.encode()] for word in features], "S32")
    entry["intervals"].append(intervals)
    entry["features"].append(features)


def _write(
    folder: Path,
    corpus: str,
    names: Mapping[str, tuple[str, str]],
    files: Mapping[str, Entries],
    folds: Mapping[str, list[str]],
) -> None:
    """Write one file for each content, the standard folds, and the emotion vectors."""
    for content, (name, root) in names.items():
        _csd(folder / f"{name}.csd", root, files[content])
    lines = [f"standard_{phase}_fold={folds[phase]!r}" for phase in PHASES]
    (folder / f"cmu_{corpus}_std_folds.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_vectors(folder)


def _csd(path: Path, root: str, entries: Entries) -> None:
    """Write one computational sequence, without the time of writing in it."""
    import h5py

    with h5py.File(path, "w") as file:
        for video, entry in entries.items():
            group = file.create_group(f"{root}/data/{video}")
            for key, parts in entry.items():
                array = np.concatenate(parts)
                array = array.astype(np.float32) if array.dtype.kind == "f" else array
                if key == "intervals":
                    array = np.concatenate(parts).astype(np.float64)
                group.create_dataset(key, data=array, track_times=False)
        about = {"root name": root, "computational sequence description": "a look-alike"}
        for key, value in about.items():
            file.create_dataset(
                f"{root}/metadata/{key}",
                data=np.array([json.dumps(value).encode()], "S64"),
                track_times=False,
            )
