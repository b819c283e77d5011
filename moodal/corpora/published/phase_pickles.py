"""Reading of pickles {phase: {text, audio, vision, labels, id}} of IEMOCAP, MOSI and MOSEI."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from moodal.corpora.published import features
from moodal.corpora.unpickle import load

KEYS = {
    "text": ("text",),
    "speech": ("audio", "speech", "covarep"),
    "face": ("vision", "video", "visual", "facet"),
}
"""Stream -> its possible keys."""


def read(path: Path, label: Callable[[Any, str], np.ndarray]) -> list[features.SplitData]:
    """Read the three phases of such a file.

    Args:
        path: the pickle.
        label: converts the labels, and their place for messages, into rows [N, C].

    Raises:
        UnsafeFileError: the pickle would run code.
        DataError: it is damaged, or has another form.
    """
    data = load.load(path)
    parts = []
    for phase in features.PHASES:
        _, table = features.entry(data, (phase,), str(path))
        parts.append(part(table, phase, f"{path} [{phase!r}]", label))
    return parts


def part(
    table: Any, phase: str, place: str, label: Callable[[Any, str], np.ndarray]
) -> features.SplitData:
    """Read one phase from its dict."""
    name, values = features.entry(table, ("labels",), place)
    labels = label(values, f"{place}[{name!r}]")
    streams = {}
    for stream, names in KEYS.items():
        name, values = features.entry(table, names, place)
        streams[stream] = features.sequences(values, f"{place}[{name!r}]", len(labels))
    utterances = features.utterances(phase, len(labels), table.get("id"), f"{place}['id']")
    return features.SplitData(phase, utterances, labels, streams)
