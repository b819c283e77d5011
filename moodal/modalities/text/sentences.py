"""A text -> its sentences, each short enough to be read whole."""

from __future__ import annotations

import re

LONGEST = 600
"""Characters of a sentence, about; longer ones are cut at blanks."""

_END = re.compile(r"([.!?…][\"'”’)\]]*)\s+(?=\S)")
_LINE = re.compile(r"\n\s*\n|\r?\n(?=\S)")


def sentences(text: str) -> list[str]:
    """The sentences of a text, in their order, without blanks around them.

    >>> sentences("I can't believe it! You did it...  Really?")
    ["I can't believe it!", 'You did it...', 'Really?']
    """
    found: list[str] = []
    for line in _LINE.split(_END.sub(r"\1\n", text)):
        line = " ".join(line.split())
        while len(line) > LONGEST:
            at = line.rfind(" ", LONGEST // 2, LONGEST)
            at = at if at > 0 else LONGEST
            found.append(line[:at])
            line = line[at:].strip()
        if any(c.isalnum() for c in line) or any(ord(c) > 0x2000 for c in line):
            found.append(line)
        elif line and found and len(found[-1]) + len(line) < LONGEST:
            found[-1] += f" {line}"
    return found
