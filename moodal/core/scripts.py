"""Scripts: which signs are written without blanks between words, and which from right to left."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

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

IDEOGRAPHIC = "IDEOGRAPHS"
"""The script of those signs, see `script_of`."""
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
BEGINNING = 2000
"""The characters of a text by which its script is told."""
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


def script_of(text: str) -> str:
    """Return the script of most letters of a text, as Unicode names it; "" without letters.

    Chinese signs and the Japanese ones between them are one script.

    >>> script_of("Привет, Bob!"), script_of("今日は"), script_of("42 :)")
    ('CYRILLIC', 'IDEOGRAPHS', '')
    """
    scripts = Counter(map(_script_of_letter, filter(str.isalpha, text[:BEGINNING])))
    return scripts.most_common(1)[0][0] if scripts else ""


@cache
def _script_of_letter(letter: str) -> str:
    if _IDEOGRAPH.match(letter):
        return IDEOGRAPHIC
    return unicodedata.name(letter, "?").split()[0].partition("-")[0]


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
