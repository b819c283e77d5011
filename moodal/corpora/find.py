"""Helpers of readers: recordings in folders, small tables, texts of unknown encoding."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from moodal.core.errors import DataError

AUDIO = (".wav", ".flac", ".ogg", ".mp3")
"""Endings of sound files; of two files of one name the first ending counts."""

VIDEO = (".mp4", ".flv", ".avi", ".mov", ".mkv")
"""Endings of video files, likewise."""


def folder(root: Path | str, what: str) -> Path:
    """Return ``root`` as a path if it is a folder.

    Raises:
        DataError: it is no folder; the message says that it should hold ``what``.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; give the one that holds {what}.")
    return root


def recordings(places: Iterable[Path], endings: tuple[str, ...]) -> dict[str, Path]:
    """List the files in ``places`` with one of the endings: name without ending -> path, sorted."""
    paths: dict[str, Path] = {}
    for ending in endings:
        for place in places:
            for path in sorted(place.iterdir()) if place.is_dir() else ():
                if path.suffix.lower() == ending and not path.name.startswith("."):
                    paths.setdefault(path.stem, path)
    return dict(sorted(paths.items()))


def rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file by column name; a missing file has none.

    Raises:
        DataError: the file is not UTF-8 text.
    """
    if not path.exists():
        return []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table in UTF-8 ({error}).") from None


def text_lines(path: Path) -> list[str]:
    """Read the lines of a text file in UTF-8 or Windows-1252, with any line ends."""
    return re.split(r"\r\n|\r|\n", decoded(path.read_bytes()))


def decoded(content: bytes) -> str:
    r"""Decode text of unknown encoding: UTF-8, else Windows-1252, else Latin-1.

    >>> decoded("é".encode()), decoded(b"It\x92s"), decoded(b"a\x81b")
    ('é', 'It’s', 'a\x81b')
    """
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1")


def shortened(names: Iterable[str], shown: int = 3, separator: str = ", ") -> str:
    """Join the first ``names`` and count the others.

    >>> shortened(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    names = list(names)
    others = len(names) - shown
    return separator.join(names[:shown]) + (f" and {others} more" if others > 0 else "")
