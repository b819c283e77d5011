"""Split a text into sentences, each short enough for the text encoder."""

from __future__ import annotations

import re

from moodal.modalities.text.spelling import spell_out

LONGEST = 600
"""The approximate largest number of characters; longer sentences are cut at spaces."""

_END = re.compile(r"([.!?…][\"'”’)\]]*)\s+(?=\S)")
_LINE = re.compile(r"\n\s*\n|\r?\n(?=\S)")


def sentences(text: str) -> list[str]:
    """Split a text into its sentences, in order and without surrounding spaces.

    Emoji, emoticons and punctuation marks after a sentence belong to it; emoji on a line of their
    own are a sentence.

    >>> sentences("I can't believe it! You did it...  Really? \U0001f60d")
    ["I can't believe it!", 'You did it...', 'Really? \U0001f60d']
    """
    split: list[str] = []
    for line in _LINE.split(text):
        begun = len(split)
        for part in _END.sub("\\1\0", line).split("\0"):
            part = " ".join(part.split())
            while len(part) > LONGEST:
                at = part.rfind(" ", LONGEST // 2, LONGEST)
                at = at if at > 0 else LONGEST
                split.append(part[:at])
                part = part[at:].strip()
            signs = not any(c.isalnum() for c in part)
            attached = len(split) > begun or not _has_words(part)
            if signs and attached and split and len(split[-1]) + len(part) < LONGEST:
                split[-1] += f" {part}" if part else ""
            elif _has_words(part):
                split.append(part)
    return split


def _has_words(text: str) -> bool:
    """Return whether a text has a letter or digit, or a sign that is read as one or as words."""
    return any(c.isalnum() or ord(c) > 0x2000 for c in spell_out(text))
