"""Find the recordings that a user names: files, folders, glob patterns, or standard input."""

from __future__ import annotations

import contextlib
import glob
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from moodal.cli.common import warn
from moodal.core.errors import DataError, UsageError
from moodal.media.sniff import as_text, read_head
from moodal.media.subtitles import subtitles_of

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
    ".webp",
    ".bmp",
    ".tif",
    ".tiff",
    ".txt",
    ".srt",
    ".vtt",
)
"""Endings of the texts, and of the commonest recordings and pictures, that are read in a folder. A
file of another ending is read if it holds no text; a file named directly may have any ending."""


def recordings(names: Sequence[str], left_out: list[Path] | None = None) -> list[Path]:
    """List the files that the names refer to, in order and without repetition.

    A folder refers to the recordings, pictures and texts in it and its subfolders, except hidden
    ones. Subtitles next to a recording with the same name belong to it (see `subtitles_of`) and
    are not listed themselves.

    Args:
        names: files, folders, or patterns.
        left_out: receives the files of the folders that are neither hidden nor read, such as
            tables.

    Raises:
        DataError: a name refers to no file.
    """
    paths: dict[tuple[Path, str], Path] = {}
    for name in names:
        for path in _matching_files(name, [] if left_out is None else left_out):
            paths.setdefault((path.parent.resolve(), path.name), path)
    subtitles = {
        subtitle for path in paths.values() if (subtitle := subtitles_of(path)) is not None
    }
    return [path for path in paths.values() if path not in subtitles]


@contextlib.contextmanager
def standard_input() -> Iterator[Path]:
    """Copy standard input to a temporary file and give its path.

    Raises:
        UsageError: standard input is a terminal.
        DataError: standard input is empty.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError('"-" reads standard input: pipe a recording or a text into moodal.')
    with tempfile.TemporaryDirectory(prefix="moodal-") as folder:
        path = Path(folder) / "input"
        with open(path, "wb") as file:
            while chunk := sys.stdin.buffer.read(1 << 20):
                file.write(chunk)
        if not path.stat().st_size:
            raise DataError("Standard input is empty; pipe a recording or a text into moodal.")
        yield path


def _matching_files(name: str, left_out: list[Path]) -> list[Path]:
    path = Path(name)
    if "://" in name and not path.exists():
        raise UsageError(
            f"{name} is a URL, which only predict --engine ray reads; else copy it to this machine."
        )
    try:
        if name and path.is_dir():
            files = [p for p in sorted(path.rglob("*")) if _counts(p, path)]
            contents = [p for p in files if _wanted(p)]
            wanted = set(contents)
            left_out += [p for p in files if p not in wanted]
            if not contents:
                raise DataError(
                    f"{name} contains no recording, text or picture that moodal can read."
                )
            return contents
        if name and path.exists():
            return [path]
        # a pattern may be absolute, which Path.glob does not take
        matched = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
        files = [Path(p) for p in matched if Path(p).is_file()]
    except (OSError, ValueError):  # too long for a name, or with a null in it
        files = []
    if not files:
        shown = name if len(name) <= 120 else f"{name[:100]}..."
        hint = ", or pass a text with --text" if " " in name else ""
        raise DataError(f"There is no file {shown!r}; check the name{hint}.")
    return files


def _counts(path: Path, folder: Path) -> bool:
    """Return whether a file of a folder is neither hidden nor the output of an earlier run."""
    from moodal.output.formats.srt import OWN

    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden and not path.name.lower().endswith(OWN)


def _wanted(path: Path) -> bool:
    """Return whether a file is to be read: by its ending, or since it holds no text."""
    if path.suffix.lower() in ENDINGS:
        return True
    try:
        head = read_head(path)
    except DataError:  # empty or forbidden, which is said when it is read
        return True
    return as_text(head) is None


def tell_left_out(left_out: Sequence[Path], limit: int = 10) -> str:
    """Say which files of a folder were left out; "" for none.

    >>> tell_left_out([Path("a/notes.csv")])
    '1 file that is no recording, picture, text or subtitles was left out: a/notes.csv.'
    """
    if not left_out:
        return ""
    count = len(left_out)
    which = "1 file that is" if count == 1 else f"{count} files that are"
    more = f" and {count - limit} more" if count > limit else ""
    was = "was" if count == 1 else "were"
    names = ", ".join(map(str, left_out[:limit]))
    return f"{which} no recording, picture, text or subtitles {was} left out: {names}{more}."


def warn_left_out(left_out: Sequence[Path]) -> None:
    """Print which files of a folder were left out to standard error, if any were."""
    if left_out:
        warn(tell_left_out(left_out))
