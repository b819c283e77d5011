"""Finding recordings in a folder, and reading the small tables beside them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from moodal.core.errors import DataError

AUDIO = (".wav", ".flac", ".ogg", ".mp3")
"""Endings of sound files; where a recording is there twice, the first of these counts."""

VIDEO = (".mp4", ".flv", ".avi", ".mov", ".mkv")
"""Endings of video files, likewise."""


def folder(root: Path | str, what: str) -> Path:
    """``root``, if it is a folder.

    Raises:
        DataError: it is not; ``what`` says what should be in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; give the one that holds {what}.")
    return root


def recordings(places: Iterable[Path], endings: tuple[str, ...]) -> dict[str, Path]:
    """Name without ending -> path, of the files in ``places``, sorted by name."""
    found: dict[str, Path] = {}
    for ending in endings:
        for place in places:
            for path in sorted(place.iterdir()) if place.is_dir() else ():
                if path.suffix.lower() == ending and not path.name.startswith("."):
                    found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by column name; none where there is no such file.

    Raises:
        DataError: it is not UTF-8 text.
    """
    if not path.exists():
        return []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table in UTF-8 ({error}).") from None


def text_lines(path: Path) -> list[str]:
    """The lines of a text file, whatever ends them; UTF-8, or else Windows-1252."""
    return re.split(r"\r\n|\r|\n", decoded(path.read_bytes()))


def decoded(content: bytes) -> str:
    r"""Text of unknown encoding: UTF-8 where it is that, else Windows-1252, else Latin-1.

    >>> decoded("é".encode()), decoded(b"It\x92s"), decoded(b"a\x81b")
    ('é', 'It’s', 'a\x81b')
    """
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1")


def some(names: Iterable[str], shown: int = 3) -> str:
    """The first of ``names``, and how many more.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    names = list(names)
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
