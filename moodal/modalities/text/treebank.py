"""Split texts into words like GloVe's vocabulary (Penn Treebank conventions)."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from moodal.core.errors import DataError

_PLAIN = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "ʼ": "'",
        "´": "'",
        "`": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "–": "--",
        "—": "--",
        "―": "--",
        "‐": "-",
        "‑": "-",
        "−": "-",
        "\u00ad": None,
        "\u200b": None,
        "\u200d": None,
        "\ufeff": None,
        "\ufe0f": None,
    }
)
"""Typographic quotes and dashes as typed ones; invisible characters away."""

_TOKEN = re.compile(
    r"""
    (?:https?://|www\.)\S+                    # an address, whole
  | (?:[a-z]\.){2,}                           # u.s.
  | \d+(?:[.,:]\d+)*(?:st|nd|rd|th|s)?(?!\w)  # 3.5  1,000  10:30  20th  1990s
  | [^\W_]+(?:['\-][^\W_]+)*                  # words, with what is inside them
  | [:;=][\-']?[()dp](?!\w)                   # :) ;-) :d
  | '(?:s|m|d|re|ve|ll|em)\b                  # what is left of a word
  | \.{2,} | -{2,}
  | [^\s]
    """,
    re.VERBOSE,
)
_CONTRACTION = re.compile(r"(.+)(n't|'(?:s|m|d|re|ve|ll))$")


def normalise(text: str) -> str:
    """Return ``text`` with composed accents, ASCII quotes and dashes, and single spaces.

    >>> normalise("“It’s…  fine” ")
    '"It\\'s... fine"'
    """
    return " ".join(unicodedata.normalize("NFKC", text.translate(_PLAIN)).split())


def tokenise(text: str) -> list[str]:
    """Split ``text`` into lower-case words and punctuation marks, in order.

    Contractions are split as in the Penn Treebank (can't -> ca n't, it's -> it 's), so
    that each part has a vector; hyphenated words, numbers, abbreviations such as u.s.,
    ellipses and plain emoticons stay whole; every other mark is a token of its own.

    >>> tokenise("Don't you LOVE it?! We've a well-known 3.5% :)")
    ['do', "n't", 'you', 'love', 'it', '?', '!', 'we', "'ve", 'a', 'well-known', '3.5', '%', ':)']
    """
    tokens: list[str] = []
    for token in _TOKEN.findall(normalise(text).lower()):
        tokens.extend(_split(token))
    return tokens


def _split(token: str) -> list[str]:
    """Split a word from its contractions: shouldn't've -> should, n't, 've."""
    if token.startswith(".."):
        return ["..."]
    if token.startswith("--"):
        return ["--"]
    tail: list[str] = []
    while match := _CONTRACTION.match(token):
        token, end = match.groups()
        tail.insert(0, end)
    return [token, *tail]


def read_text(path: Path | str) -> str:
    """Read a text file in UTF-8, or in UTF-16 with a byte-order mark, without that mark.

    Raises:
        DataError: the file is missing or of another encoding.
    """
    try:
        content = Path(path).read_bytes()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start}); "
            f"convert it, e.g. `iconv -f latin1 -t utf-8`."
        ) from None
    except OSError as error:
        raise DataError(f"Cannot read text {path}: {error.strerror or error}.") from None
