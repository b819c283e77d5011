"""What a user names, as the recordings to read: files, folders, globs, or standard input."""

from __future__ import annotations

import contextlib
import glob
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from moodal.errors import DataError, UsageError

STDIN = "-"
ENDINGS = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".wma", ".aif", ".aiff",
    ".amr", ".mka", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".3gp",
    ".ts", ".mts", ".mpg", ".mpeg", ".ogv", ".png", ".jpg", ".jpeg", ".txt", ".srt", ".vtt",
)  # fmt: skip
"""What is taken of a folder; a file that is named itself may be called anything."""
TEXTS = (".txt", ".srt", ".vtt")


def recordings(names: Sequence[str]) -> list[Path]:
    """The files that names stand for, in order, none twice.

    A folder stands for the recordings in it and below, without hidden ones; the subtitles or
    transcript of a recording that lie beside it under its name go with it (`beside`), and are
    not taken for themselves.

    Raises:
        DataError: a name stands for nothing.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if _wanted(p, path)]
            media = {p.with_suffix("") for p in inside if p.suffix.lower() not in TEXTS}
            some = [
                p for p in inside
                if p.suffix.lower() not in TEXTS or p.with_suffix("") not in media
            ]  # fmt: skip
            if not some:
                raise DataError(f"{name} holds no recording, text or picture that moodal reads.")
        elif path.exists():
            some = [path]
        else:
            # a pattern may be absolute, which Path.glob does not take
            found_names = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
            some = [Path(p) for p in found_names if Path(p).is_file()]
            if not some:
                raise DataError(f"There is no file {name}; check the name.")
        found.update(dict.fromkeys(some))
    return list(found)


def beside(path: Path) -> Path | None:
    """The subtitles that lie beside a recording, under its name."""
    if path.suffix.lower() in TEXTS:
        return None
    for ending in (".srt", ".vtt"):
        near = path.with_suffix(ending)
        if near.is_file():
            return near
    return None


@contextlib.contextmanager
def standard_input() -> Iterator[Path]:
    """What comes in on standard input as a file, for as long as it is needed.

    Raises:
        UsageError: a terminal is there instead of data; or nothing comes.
    """
    if sys.stdin.isatty():
        raise UsageError('"-" reads standard input: pipe a recording or a text into moodal.')
    with tempfile.TemporaryDirectory(prefix="moodal-") as folder:
        path = Path(folder) / "input"
        with open(path, "wb") as file:
            while chunk := sys.stdin.buffer.read(1 << 20):
                file.write(chunk)
        if not path.stat().st_size:
            raise DataError("Nothing came in on standard input.")
        yield path


def _wanted(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and path.suffix.lower() in ENDINGS and not hidden
