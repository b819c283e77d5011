"""Guards of strangers' texts: what is read from them, and what of them goes out.

Texts go out to terminals and to tables that spreadsheets open.
"""

from __future__ import annotations

import html
import re

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What begins a formula in a spreadsheet."""


def plain(text: str) -> str:
    """Put a text on one line, without control characters and invalid code points.

    >>> plain("a\\x1b[31m\\n b")
    'a[31m b'
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    visible = "".join(c for c in text if c.isprintable() or c.isspace() or c in "\u200c\u200d")
    return " ".join(visible.split())


def cell(text: str) -> str:
    """Return a text as the cell of a table; what would be a formula begins with an apostrophe.

    >>> cell("=1+1"), cell("so good")
    ("'=1+1", 'so good')
    """
    text = plain(text)
    return f"'{text}" if text.startswith(FORMULA) else text


def line(text: str) -> str:
    """Return a message for a terminal, its lines kept and its control characters removed.

    >>> line("no file \\x1b]0;x\\x07.wav")
    'no file ]0;x.wav'
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in text if c.isprintable() or c in "\n\t\u200c\u200d")


def escaped(document: str) -> str:
    """Escape the control characters that JSON leaves as they are: a terminal obeys them, too.

    >>> escaped('{"text": "a\x9b31m"}')
    '{"text": "a\\\\u009b31m"}'
    """
    return re.sub("[\x7f-\x9f]", lambda match: f"\\u{ord(match[0]):04x}", document)


ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}\d{0,2});")
"""An entity of HTML; longer numbers than any character's make `html.unescape` fail."""


def unescaped(text: str) -> str:
    """Replace the entities of HTML by their characters.

    >>> unescaped("Fish &amp; chips &#x1F600;")
    'Fish & chips 😀'
    """
    return ENTITY.sub(lambda match: html.unescape(match[0]), text)
