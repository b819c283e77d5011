"""Pickles of {phase: {text, audio, vision, labels, id}}, as IEMOCAP, MOSI and MOSEI have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from moodal.corpora import given, pickles

KEYS = {
    "text": ("text",),
    "speech": ("audio", "speech", "covarep"),
    "face": ("vision", "video", "visual", "facet"),
}
"""Stream -> the keys it goes by."""


def read(path: Path, label: Callable[[Any, str], np.ndarray]) -> list[given.Part]:
    """The three parts of such a file.

    Args:
        label: turns the labels, and their place for messages, into rows [N, C].

    Raises:
        UnsafeFileError: the pickle would run code.
        DataError: it is damaged, or has another form.
    """
    data = pickles.load(path)
    parts = []
    for phase in given.PHASES:
        _, table = given.entry(data, (phase,), str(path))
        parts.append(part(table, phase, f"{path} [{phase!r}]", label))
    return parts


def part(table: Any, phase: str, place: str, label: Callable[[Any, str], np.ndarray]) -> given.Part:
    """One phase from its dict."""
    name, values = given.entry(table, ("labels",), place)
    labels = label(values, f"{place}[{name!r}]")
    streams = {}
    for stream, names in KEYS.items():
        name, values = given.entry(table, names, place)
        streams[stream] = given.sequences(values, f"{place}[{name!r}]", len(labels))
    utterances = given.utterances(phase, len(labels), table.get("id"), f"{place}['id']")
    return given.Part(phase, utterances, labels, streams)
