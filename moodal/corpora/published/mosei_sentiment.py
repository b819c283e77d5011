"""CMU-MOSEI sentiment of -3 to 3, from the pickle or the folder of h5 files."""

from __future__ import annotations

from pathlib import Path

from moodal.core.manifest import Manifest
from moodal.corpora.published import features, mosei, mosi

NAMES = ("mosei_senti_data.pkl", "mosei_senti_data_noalign.pkl", "y_train.h5")


def read(root: Path | str) -> Manifest:
    """Read the first that exists of the aligned pickle, the unaligned one, and the h5 files.

    Raises:
        UnsafeFileError: the pickle would run code; it was not run.
        DataError: a file is missing, damaged, or does not fit the others.
    """
    folder = features.find(root, *NAMES)
    aligned, unaligned = (folder / name for name in NAMES[:2])
    if aligned.is_file():
        return mosi.read_pickle(aligned, "mosei-sentiment", aligned=True)
    if unaligned.is_file():
        return mosi.read_pickle(unaligned, "mosei-sentiment", aligned=False)
    return mosei.read_sentiment(folder, "mosei-sentiment", bound=3)
