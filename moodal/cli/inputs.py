"""What a user names, as the recordings to read: files, folders, globs, or standard input."""

from __future__ import annotations

import contextlib
import glob
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from moodal.core.errors import DataError, UsageError
from moodal.media.subtitles import subtitles_of
from moodal.output.formats.srt import OWN

ENDINGS = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".m4a",
    ".aac",
    ".wma",
    ".aif",
    ".aiff",
    ".amr",
    ".mka",
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".wmv",
    ".flv",
    ".3gp",
    ".ts",
    ".mts",
    ".mpg",
    ".mpeg",
    ".ogv",
    ".png",
    ".jpg",
    ".jpeg",
    ".txt",
    ".srt",
    ".vtt",
)
"""What is taken of a folder; a file that is named itself may be called anything."""


def recordings(names: Sequence[str]) -> list[Path]:
    """The files that names stand for, in order, none twice.

    A folder stands for the recordings, pictures and texts in it and below, without hidden ones.
    Subtitles that lie beside a recording, under its name, go with it (see `subtitles_of`), and
    are not taken for themselves as well.

    Raises:
        DataError: a name stands for nothing.
    """
    found: dict[tuple[Path, str], Path] = {}
    for name in names:
        for path in _stands_for(name):
            found.setdefault((path.parent.resolve(), path.name), path)
    of_others = {near for path in found.values() if (near := subtitles_of(path)) is not None}
    return [path for path in found.values() if path not in of_others]


@contextlib.contextmanager
def standard_input() -> Iterator[Path]:
    """What comes in on standard input as a file, for as long as it is needed.

    Raises:
        UsageError: a terminal is there instead of data.
        DataError: nothing comes.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError('"-" reads standard input: pipe a recording or a text into moodal.')
    with tempfile.TemporaryDirectory(prefix="moodal-") as folder:
        path = Path(folder) / "input"
        with open(path, "wb") as file:
            while chunk := sys.stdin.buffer.read(1 << 20):
                file.write(chunk)
        if not path.stat().st_size:
            raise DataError("Nothing came in on standard input.")
        yield path


def _stands_for(name: str) -> list[Path]:
    path = Path(name)
    try:
        if name and path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if _wanted(p, path)]
            if not inside:
                raise DataError(f"{name} holds no recording, text or picture that moodal reads.")
            return inside
        if name and path.exists():
            return [path]
        # a pattern may be absolute, which Path.glob does not take
        matched = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
        some = [Path(p) for p in matched if Path(p).is_file()]
    except (OSError, ValueError):  # too long for a name, or with a null in it
        some = []
    if not some:
        shown = name if len(name) <= 120 else f"{name[:100]}..."
        blank = "; a text goes behind --text" if " " in name else ""
        raise DataError(f"There is no file {shown!r}; check the name{blank}.")
    return some


def _wanted(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    answers = path.name.lower().endswith(OWN)  # ours, from before
    return path.is_file() and path.suffix.lower() in ENDINGS and not hidden and not answers
