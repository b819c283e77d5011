"""CMU-MOSI: sentiment of -3 to 3. Zadeh et al., 2016.

Twenty steps: ``X_{phase}.h5`` [N, 20, 305 + face] and ``y_{phase}.h5``, key "data".
Otherwise ``mosi_data.pkl``, and unaligned ``mosi_data_noalign.pkl``.
"""

from __future__ import annotations

from pathlib import Path

from moodal.core.emotions import Values
from moodal.core.errors import DataError
from moodal.core.manifest import Manifest
from moodal.corpora.published import features, h5, label_rows, phase_pickles

KEY = "data"
TEXT, SPEECH = 300, 5
"""Numbers of the first columns of X, which are text, and the next, speech; the rest is face."""


def read(root: Path | str) -> Manifest:
    """Read CMU-MOSI with sentiment of -3 to 3, streams aligned.

    The h5 files are read, or ``mosi_data.pkl`` without them.

    Raises:
        UnsafeFileError: the pickle would run code; it was not run.
        DataError: a file is missing, damaged, or does not fit the others.
    """
    folder = features.find(root, "X_train.h5", "mosi_data.pkl")
    if not (folder / "X_train.h5").is_file():
        return read_pickle(folder / "mosi_data.pkl", "mosi", aligned=True)
    parts = []
    for phase in features.PHASES:
        path, y = folder / f"X_{phase}.h5", folder / f"y_{phase}.h5"
        labels = label_rows.sentiment(h5.read(y, KEY), str(y))
        values = features.sequences(h5.read(path, KEY), str(path), len(labels))
        if values.shape[2] <= TEXT + SPEECH:
            raise DataError(
                f"{path} has {values.shape[2]} columns; text takes {TEXT}, speech {SPEECH}, "
                "and face the rest."
            )
        streams = {
            "text": values[:, :, :TEXT],
            "speech": values[:, :, TEXT : TEXT + SPEECH],
            "face": values[:, :, TEXT + SPEECH :],
        }
        parts.append(
            features.SplitData(phase, features.utterances(phase, len(labels)), labels, streams)
        )
    space = Values(["sentiment"])
    return features.join("mosi", space, parts, aligned=True, licence="for research")


def read_noalign(root: Path | str) -> Manifest:
    """Read CMU-MOSI with sentiment of -3 to 3 and streams that are not aligned.

    The file is ``mosi_data_noalign.pkl``.

    Raises:
        UnsafeFileError, DataError: as `read`.
    """
    name = "mosi_data_noalign.pkl"
    return read_pickle(features.find(root, name) / name, "mosi-noalign", aligned=False)


def read_pickle(path: Path, corpus: str, *, aligned: bool) -> Manifest:
    """Read a pickle {phase: {text, audio, vision, labels, id}} with sentiment as labels."""
    parts = phase_pickles.read(path, label_rows.sentiment)
    space = Values(["sentiment"])
    return features.join(corpus, space, parts, aligned=aligned, licence="for research")
