"""CMU-MOSEI: emotions from the folder of h5 files that EEA was trained on, and sentiment.

Zadeh et al., ACL 2018. ``text_{phase}_emb.h5`` [N, 20, 300], ``audio_{phase}.h5``
[N, 20, 74], ``video_{phase}.h5`` [N, 20, 35] and ``ey_{phase}.h5`` [N, 6], each
under the key "d1". The same authors' MMMO and YouTube folders have this form, too,
with ``y_{phase}.h5`` instead of ``ey_{phase}.h5``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace, Targets, Value, Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.corpora.published import features, h5, label_rows, mosi

KEY = "d1"
EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise")
FILES = {
    "text": ("text_{}_emb.h5", "text_{}.h5"),
    "speech": ("audio_{}.h5",),
    "face": ("video_{}.h5", "vision_{}.h5"),
}
"""Stream -> the possible names of its files; {} is the phase."""
SENTIMENT = ("mosei_senti_data.pkl", "mosei_senti_data_noalign.pkl", "y_train.h5")
"""The files of sentiment: a pickle, aligned or not, or h5 files as of emotions."""


def read(root: Path | str) -> Manifest:
    """Read CMU-MOSEI as EEA had it: any number of six emotions per utterance.

    An emotion counts where its intensity is above 0.

    Without ``ey_`` files, ``y_`` files are read: one column as sentiment, several as classes. The
    files do not name utterances; they get names such as "train-00012".

    Raises:
        DataError: a file is missing, damaged, or does not fit the others.
    """
    folder = features.find(root, "ey_train.h5", "y_train.h5")
    if not (folder / "ey_train.h5").is_file():
        return _read_values(folder, _name(folder), bound=None)
    parts = []
    for phase in features.PHASES:
        path = folder / f"ey_{phase}.h5"
        labels = label_rows.intensities(h5.read(path, KEY), str(path), len(EMOTIONS))
        parts.append(_part(folder, phase, labels))
    return features.join(
        "mosei", EmotionSpace(EMOTIONS, "multi"), parts, aligned=True, licence="for research"
    )


def read_sentiment(root: Path | str) -> Manifest:
    """Read CMU-MOSEI with sentiment of -3 to 3.

    The first that exists of ``SENTIMENT`` is read.

    Raises:
        UnsafeFileError: the pickle would run code; it was not run.
        DataError: a file is missing, damaged, or does not fit the others.
    """
    folder = features.find(root, *SENTIMENT)
    aligned, unaligned = (folder / name for name in SENTIMENT[:2])
    if aligned.is_file():
        return mosi.read_pickle(aligned, "mosei-sentiment", aligned=True)
    if unaligned.is_file():
        return mosi.read_pickle(unaligned, "mosei-sentiment", aligned=False)
    return _read_values(folder, "mosei-sentiment", bound=3)


def _read_values(folder: Path, corpus: str, *, bound: float | None) -> Manifest:
    """Read the streams with ``y_{phase}.h5``: sentiment [N] or [N, 1], or C classes [N, C].

    Args:
        folder: where the files lie.
        corpus: name of the corpus.
        bound: sentiment lies within [-bound, bound]; None where the scale is unknown.
    """
    parts, notes = [], []
    for phase in features.PHASES:
        path = folder / f"y_{phase}.h5"
        values = h5.read(path, KEY)
        classes = values.shape[1] if values.ndim == 2 else 1
        if classes > 1:
            labels = label_rows.one_of(values, str(path), classes)
        else:
            labels = label_rows.sentiment(values, str(path), bound)
        parts.append(_part(folder, phase, labels))
    widths = {part.labels.shape[1] for part in parts}
    if len(widths) > 1:
        raise DataError(f"{folder}: the y_ files differ in their columns: {sorted(widths)}.")
    classes = widths.pop()
    if classes > 1:
        space: Targets = EmotionSpace([f"class-{i}" for i in range(classes)], "single")
        notes.append("The files do not say what their classes mean; they are numbered.")
    else:
        space = Values(["sentiment"])
        values = np.concatenate([part.labels for part in parts])
        low, high = float(values.min()), float(values.max())
        if bound is None:
            notes.append(f"Sentiment runs from {low:g} to {high:g} here.")
        if not np.array_equal(values, space.clip(values)):
            space = Values([Value("sentiment", low, high)])
    return features.join(corpus, space, parts, aligned=True, licence="for research", notes=notes)


def _part(folder: Path, phase: str, labels: np.ndarray) -> features.SplitData:
    """Read the existing streams of one phase; `join` reports streams that are missing."""
    streams = {}
    for stream, names in FILES.items():
        for path in (folder / name.format(phase) for name in names):
            if path.is_file():
                streams[stream] = features.sequences(h5.read(path, KEY), str(path), len(labels))
                break
    if not streams:
        wanted = ", ".join(names[0].format(phase) for names in FILES.values())
        raise DataError(f"{folder} has none of {wanted}; give the folder in which they lie.")
    return features.SplitData(phase, features.utterances(phase, len(labels)), labels, streams)


def _name(folder: Path) -> str:
    """Return the folder's name, which names a corpus other than MOSEI."""
    return folder.resolve().name.lower()
