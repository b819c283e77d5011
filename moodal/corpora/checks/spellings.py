"""The check of the emotions' names: one emotion under several names, and a name for none."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

import numpy as np

from moodal.core.emotions import Values
from moodal.core.manifest import Manifest
from moodal.corpora.checks.finding import Finding
from moodal.corpora.find import shortened

NAMES = (
    "anger angry",
    "disgust disgusted disgusting",
    "fear fearful afraid scared",
    "happiness happy joy joyful",
    "sadness sad sorrow",
    "surprise surprised",
    "neutral neutrality",
    "contempt contemptuous",
    "calm calmness",
    "boredom bored",
    "anxiety anxious",
    "pride proud",
    "confusion confused",
    "curiosity curious",
    "relief relieved",
    "nervousness nervous",
    "frustration frustrated",
)
"""Names by which corpora call one emotion, of which the ending alone does not tell it."""

ENDINGS = frozenset(
    ("", "d", "ed", "e", "ing", "ion", "ment", "ful", "ness", "s"),
)
"""Endings after a common beginning that leave the emotion the same: excitement, excited."""

NONE = ("none", "null", "unknown", "missing", "-", "?", "undefined")
"""Names of classes that may stand for a missing label."""

SHORTEST = 5
"""Letters of the shortest name that is compared for misspelling: "sad" and "mad" differ."""

ALIKE = 0.87
"""The share of letters in common from which a name is taken for another, misspelt."""

_FAMILY = {name: number for number, names in enumerate(NAMES) for name in names.split()}


def same_emotion(one: str, other: str) -> bool:
    """Return whether two names look like names of one emotion.

    >>> same_emotion("happy", "joy"), same_emotion("angray", "angry"), same_emotion("sad", "mad")
    (True, True, False)
    """
    one, other = one.strip().lower(), other.strip().lower()
    if one == other:
        return True
    if one in _FAMILY and other in _FAMILY:
        return _FAMILY[one] == _FAMILY[other]
    return _same_beginning(one, other) or _misspelt(one, other)


def spelling_findings(manifest: Manifest) -> Iterator[Finding]:
    """Find emotions that look like one under several names, and names that may mean a gap."""
    if isinstance(manifest.space, Values):
        return
    counts = dict(
        zip(manifest.space.labels, np.sum(manifest.labels > 0, axis=0).tolist(), strict=True)
    )
    groups = same_names(counts)
    if groups:
        listed = "; ".join(", ".join(f"{x} ({counts[x]:,})" for x in group) for group in groups)
        merges = ", ".join(f'{_key(name)} = "{group[0]}"' for group in groups for name in group[1:])
        yield Finding(
            "warning",
            "labels",
            f"These look like one emotion under several names, but are classes of their own: "
            f"{listed}. Rename them, or merge them in the recipe: data.merges = {{{merges}}}.",
        )
    gaps = [name for name in counts if name in NONE]
    if gaps:
        yield Finding(
            "warning",
            "labels",
            f"A class is called {shortened(gaps)}: if it stands for a missing label, leave these "
            "rows out.",
        )


def same_names(counts: Mapping[str, int]) -> list[list[str]]:
    """Group the names that look like one emotion; the one with the most rows comes first."""
    groups: list[list[str]] = []
    for name in counts:
        group = next((g for g in groups if any(same_emotion(name, x) for x in g)), None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return [
        sorted(group, key=lambda x: (-counts[x], x not in _FAMILY))
        for group in groups
        if len(group) > 1
    ]


def _same_beginning(one: str, other: str) -> bool:
    common = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        common += 1
    return common >= SHORTEST and one[common:] in ENDINGS and other[common:] in ENDINGS


def _misspelt(one: str, other: str) -> bool:
    """Return whether two names differ by a slip of the keyboard, such as superise."""
    if min(len(one), len(other)) < SHORTEST or one[0] != other[0]:
        return False
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() >= ALIKE


def _key(name: str) -> str:
    """Write a name as a key of TOML."""
    plain = all(c.isascii() and (c.isalnum() or c in "_-") for c in name)
    return name if plain else f'"{name}"'
