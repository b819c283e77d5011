"""The names of IEMOCAP: of utterances, which contain session, speaker and dialogue, and emotions.

Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language
Resources and Evaluation, 2008. ``Ses01F_impro01_M000`` is session 1, recorded with the
markers on the woman's face, the first improvised scenario, the man's first turn.
"""

from __future__ import annotations

import re
from typing import Any

CODES = {
    "ang": "angry",
    "hap": "happy",
    "exc": "excited",
    "sad": "sad",
    "neu": "neutral",
    "fru": "frustrated",
    "fea": "fear",
    "sur": "surprised",
    "dis": "disgust",
    "oth": "other",
    "xxx": "undecided",
}
"""Code of a label line -> its word. "undecided" marks turns on which annotators disagreed."""

CATEGORIES = {
    "anger": "angry",
    "happiness": "happy",
    "excited": "excited",
    "sadness": "sad",
    "neutral state": "neutral",
    "neutral": "neutral",
    "frustration": "frustrated",
    "fear": "fear",
    "surprise": "surprised",
    "disgust": "disgust",
    "other": "other",
}
"""What an annotator's line calls an emotion, in lower case -> its word in `CODES`."""

SESSIONS = ("Ses01", "Ses02", "Ses03", "Ses04", "Ses05")

NAME = re.compile(
    r"(?P<dialogue>(?P<session>Ses\d\d)[FM]_(?P<scene>(?P<style>impro|script)\w*?))"
    r"_(?P<voice>[FM])(?P<overlap>XX)?\d+"
)
"""Pattern of an utterance's name; XX marks a turn that overlaps another."""


def fields(name: str) -> dict[str, Any]:
    """Parse an utterance's name into fields of `Utterance`; empty for other names.

    The speaker is the person who speaks (the letter of the last part), not the one who wears the
    markers. The second take of a scene, such as ``script01_1b``, reads the lines of the first, so
    its script is the same.

    >>> fields("Ses01F_script02_1b_M003")["extra"]
    {'style': 'scripted', 'script': 'script02_1'}
    >>> fields("Ses01F_script02_1b_M003")["speaker"], fields("mine")
    ('Ses01M', {})
    """
    match = NAME.fullmatch(name)
    if not match:
        return {}
    if match["style"] == "script":
        script = re.sub(r"(_\d+)[a-z]$", r"\1", match["scene"])
        extra = {"style": "scripted", "script": script}
    else:
        extra = {"style": "improvised", "scenario": match["scene"]}
    return {
        "session": match["session"],
        "speaker": match["session"] + match["voice"],
        "dialogue": match["dialogue"],
        "extra": extra,
    }
