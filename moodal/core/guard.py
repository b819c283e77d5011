"""Guards of what goes out: texts of strangers on terminals and in tables that spreadsheets open."""

from __future__ import annotations

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
