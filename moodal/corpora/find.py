"""Helpers of readers: recordings in folders, paths in tables, texts of unknown encoding."""

from __future__ import annotations

import contextlib
import re
import unicodedata
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


class Paths:
    """The files of a folder by the paths that a table gives, also where these are spelt otherwise.

    A table made on Windows separates folders by backslashes, and one made on a Mac may spell "é"
    as two characters; neither is the name of the file elsewhere.
    """

    def __init__(self, root: Path):
        self.root = root
        self._names: dict[Path, dict[str, str]] = {}

    def resolve(self, path: str) -> str:
        """Return the path of the file that is meant, or ``path`` itself if there is none."""
        # an impossible or forbidden name is refused where it is opened
        with contextlib.suppress(OSError, ValueError):
            for spelling in dict.fromkeys((path, path.replace("\\", "/"))):
                if (self.root / spelling).exists():
                    return spelling if spelling == path else Path(spelling).as_posix()
                if (actual := self._actual(spelling)) is not None:
                    return actual
        return path

    def _actual(self, path: str) -> str | None:
        """Return a path with the names of its folders and file as the disk spells them."""
        actual = Path()
        for part in Path(path).parts:
            if not (self.root / actual / part).exists():
                name = self._listed(self.root / actual).get(unicodedata.normalize("NFC", part))
                if name is None:
                    return None
                part = name
            actual = actual / part
        return actual.as_posix()

    def _listed(self, folder: Path) -> dict[str, str]:
        """Return the composed form of each name in a folder -> the name."""
        if folder not in self._names:
            names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
            self._names[folder] = {unicodedata.normalize("NFC", name): name for name in names}
        return self._names[folder]


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
