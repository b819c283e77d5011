"""IEMOCAP with four classes, from the pickles that EEA was trained on.

Busso et al., 2008. ``iemocap_data.pkl`` (aligned to 20 words) and
``iemocap_data_noalign.pkl``: {phase: {text, audio, vision, labels [N, 4, 2], id}}.
"""

from __future__ import annotations

from pathlib import Path

from moodal.core.emotions import EmotionSpace
from moodal.core.manifest import Manifest
from moodal.corpora.published import features, label_rows, phase_pickles

EMOTIONS = ("neutral", "happy", "sad", "angry")


def read(root: Path | str) -> Manifest:
    """Read IEMOCAP as EEA had it: one of four emotions per utterance, streams aligned.

    The file is ``iemocap_data.pkl``.

    Raises:
        UnsafeFileError: the pickle would run code; it was not run.
        DataError: the file is missing, damaged, or has another form.
    """
    return _read(root, "iemocap_data.pkl", "iemocap", aligned=True)


def read_noalign(root: Path | str) -> Manifest:
    """Read IEMOCAP as EEA had it, with streams that are not aligned.

    The file is ``iemocap_data_noalign.pkl``.

    Raises:
        UnsafeFileError, DataError: as `read`.
    """
    return _read(root, "iemocap_data_noalign.pkl", "iemocap-noalign", aligned=False)


def _read(root: Path | str, name: str, corpus: str, *, aligned: bool) -> Manifest:
    path = features.find(root, name) / name
    parts = phase_pickles.read(
        path, lambda values, place: label_rows.one_of(values, place, len(EMOTIONS))
    )
    space = EmotionSpace(EMOTIONS, "single")
    return features.join(corpus, space, parts, aligned=aligned, licence="on request, for research")
