"""What the names of IEMOCAP tell: of utterances, and of its ten emotion codes.

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
"""Code of a label line -> its word. "undecided" is what the annotators did not agree on."""

SESSIONS = ("Ses01", "Ses02", "Ses03", "Ses04", "Ses05")

NAME = re.compile(
    r"(?P<dialogue>(?P<session>Ses\d\d)[FM]_(?P<scene>(?P<style>impro|script)\w*?))"
    r"_(?P<voice>[FM])(?P<overlap>XX)?\d+"
)
"""An utterance's name; XX marks a turn that overlaps another."""


def fields(name: str) -> dict[str, Any]:
    """The fields of an `Utterance` that its name tells; nothing where it is no such name.

    The speaker is who speaks (the letter of the last part), not who wears the markers. The
    second take of a scene, such as ``script01_1b``, reads the lines of the first, so its
    script is the same.

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
