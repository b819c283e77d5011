"""Split a text into sentences, each short enough for the text encoder."""

from __future__ import annotations

import re

LONGEST = 600
"""The approximate largest number of characters; longer sentences are cut at spaces."""

_END = re.compile(r"([.!?…][\"'”’)\]]*)\s+(?=\S)")
_LINE = re.compile(r"\n\s*\n|\r?\n(?=\S)")


def sentences(text: str) -> list[str]:
    """Split a text into its sentences, in order and without surrounding spaces.

    >>> sentences("I can't believe it! You did it...  Really?")
    ["I can't believe it!", 'You did it...', 'Really?']
    """
    split: list[str] = []
    for line in _LINE.split(_END.sub(r"\1\n", text)):
        line = " ".join(line.split())
        while len(line) > LONGEST:
            at = line.rfind(" ", LONGEST // 2, LONGEST)
            at = at if at > 0 else LONGEST
            split.append(line[:at])
            line = line[at:].strip()
        if any(c.isalnum() for c in line) or any(ord(c) > 0x2000 for c in line):
            split.append(line)
        elif line and split and len(split[-1]) + len(line) < LONGEST:
            split[-1] += f" {line}"
    return split
