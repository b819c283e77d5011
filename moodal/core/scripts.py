"""Scripts: which signs are written without blanks between words, and which from right to left."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

IDEOGRAPHS = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Signs of Chinese and Japanese, each of which stands for a word or a syllable."""
SOUTH_EAST = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Letters of Thai, Lao, Burmese and Khmer, whose words are not separated."""
SYLLABLES = "\u1200-\u137f\uac00-\ud7af"
"""Syllables of Ethiopic and Korean, whose words are separated."""

WITHOUT_BLANKS = re.compile(f"[{IDEOGRAPHS}{SOUTH_EAST}]")
"""A sign of a script without blanks between words."""
DENSE = re.compile(f"[{IDEOGRAPHS}{SOUTH_EAST}{SYLLABLES}]")
"""A sign that says more than a letter: a syllable, a word, or one of a script without blanks."""

_PARTS = re.compile(
    f"[{SOUTH_EAST}]+|[{IDEOGRAPHS}][^\\w{SOUTH_EAST}]*|[^{IDEOGRAPHS}{SOUTH_EAST}]+"
)
RIGHT_TO_LEFT = ("R", "AL")
"""The directions of letters that are written from right to left (Unicode)."""


def parts_of(text: str) -> list[str]:
    """Divide a text into words; ideographs stand alone, with the marks after them.

    >>> parts_of("I won."), parts_of("今天好。")
    (['I', 'won.'], ['今', '天', '好。'])
    """
    return [part for word in text.split() for part in _PARTS.findall(word)]


def joined(words: Iterable[str]) -> str:
    """Join words into a text, with blanks where their script has them.

    >>> joined(["So", "good."]), joined(["今天", "好"])
    ('So good.', '今天好')
    """
    text = ""
    for word in words:
        touches = text and word and WITHOUT_BLANKS.match(text[-1]) and WITHOUT_BLANKS.match(word)
        text += word if touches or not text else f" {word}"
    return text


def is_right_to_left(text: str) -> bool:
    """Return whether the first letter of a text is written from right to left.

    >>> is_right_to_left("שלום"), is_right_to_left("3 apples")
    (True, False)
    """
    return next(
        (
            unicodedata.bidirectional(c) in RIGHT_TO_LEFT
            for c in text
            if unicodedata.bidirectional(c) in ("L", *RIGHT_TO_LEFT)
        ),
        False,
    )
