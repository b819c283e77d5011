"""IEMOCAP with nine classes, from the extra files for zero-shot recognition.

``text_{phase}.p``, ``covarep_{phase}.p``, ``facet_{phase}.p`` [N, 21, D] and
``y_{phase}.p`` [N, 11], Python-2 pickles of one numpy array each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moodal.core.emotions import EmotionSpace
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.corpora.published import features, label_rows
from moodal.corpora.unpickle import load

EMOTIONS = (
    *("angry", "excited", "fear", "sad", "surprised"),
    *("frustrated", "happy", "neutral", "disgust"),
)
FILES = {"text": "text_{}.p", "speech": "covarep_{}.p", "face": "facet_{}.p"}
STEPS = 20
"""Steps of the four-class arrays; the nine-class ones have one more, which is dropped."""


def read(root: Path | str) -> Manifest:
    """Read IEMOCAP as EEA had it for zero-shot: one of nine emotions per utterance.

    ``y`` has eleven columns, of which the first and the last are dropped. Rows without an emotion
    after that are left out and counted in the notes.

    Raises:
        UnsafeFileError: a pickle would run code; it was not run.
        DataError: a file is missing, damaged, or does not fit the others.
    """
    folder = features.find(root, "y_train.p")
    parts, dropped = [], 0
    for phase in features.PHASES:
        path = folder / f"y_{phase}.p"
        columns = features.array(load.load(path), str(path))
        if columns.ndim != 2 or columns.shape[1] != len(EMOTIONS) + 2:
            raise DataError(
                f"{path} has shape {columns.shape}; labels are [utterances, {len(EMOTIONS) + 2}]."
            )
        labels = label_rows.one_of(columns[:, 1:-1], str(path), len(EMOTIONS), none=True)
        kept = np.flatnonzero(labels.any(1))
        dropped += len(labels) - len(kept)
        streams = {}
        for stream, name in FILES.items():
            source = folder / name.format(phase)
            values = features.sequences(load.load(source), str(source), len(labels))
            streams[stream] = values[kept, :STEPS]
        names = features.utterances(phase, len(labels))
        parts.append(
            features.SplitData(phase, tuple(names[i] for i in kept), labels[kept], streams)
        )
    notes = [f"{dropped} rows have none of the nine emotions and were left out."] if dropped else []
    return features.join(
        "iemocap9",
        EmotionSpace(EMOTIONS, "single"),
        parts,
        aligned=True,
        licence="on request, for research",
        notes=notes,
    )
