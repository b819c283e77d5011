"""The recordings of a long job: listed, in blocks of alike size, and brought to a worker's disk."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from moodal.core.errors import DataError, OutputError
from moodal.core.table_rows import ENDINGS as TABLES
from moodal.core.table_rows import read_rows
from moodal.media.subtitles import ENDINGS as SUBTITLES
from moodal.media.subtitles import WITHOUT_SUBTITLES, subtitles_of
from moodal.scale.places import fetch, is_url, listed

LISTS = (".txt", ".list")
"""Endings of files that name a recording a line."""
COLUMN = "path"
"""The column of a table that names recordings."""

LONGEST = 200
"""Characters of a path that a message shows at most."""

LARGEST_BLOCK = 64 << 20
"""Bytes of the recordings of a block; a larger recording is a block by itself."""
MOST_RECORDINGS = 64
"""Recordings of a block at most."""
BLOCKS_EACH = 8
"""Blocks of each worker at least, so that all of them end at about the same time."""


@dataclass(frozen=True)
class Entry:
    """A recording of a job.

    Attributes:
        name: as it was named, which is its name in the answers.
        path: the absolute path, or the URL.
        bytes: its size.
        subtitles: the path or URL of its subtitles, if there are any.
        text: its words, None where nobody gave them.
    """

    name: str
    path: str
    bytes: int = 0
    subtitles: str | None = None
    text: str | None = None


def entry_of(path: Path | str, name: str | None = None, text: str | None = None) -> Entry:
    """Return the entry of one file or URL; the size of a URL is not asked for."""
    if is_url(path):
        return Entry(name or str(path), str(path), text=text)
    whole = Path(path).absolute()
    size = whole.stat().st_size if whole.is_file() else 0
    subtitles = subtitles_of(whole)
    return Entry(
        name or str(path), str(whole), size, None if subtitles is None else str(subtitles), text
    )


def entries_below(url: str, endings: Sequence[str]) -> list[Entry]:
    """List the recordings below a URL; subtitles with a recording's name belong to it.

    Args:
        url: a folder of a bucket, or one file.
        endings: the endings of recordings, in lower case.

    Raises:
        DataError: there are none, or the place cannot be read.
    """
    files = listed(url)
    by_path = {file.path: file for file in files}
    entries, taken = [], set()
    for file in files:
        path = PurePosixPath(file.path)
        subtitles = None
        if path.suffix.lower() not in WITHOUT_SUBTITLES:
            near = (file.path.removesuffix(path.suffix) + ending for ending in SUBTITLES)
            subtitles = next((p for p in near if p in by_path), None)
            taken.add(subtitles)
        if path.suffix.lower() in endings or len(files) == 1:
            entries.append(Entry(file.path, file.path, file.bytes, subtitles))
    entries = [entry for entry in entries if entry.path not in taken]
    if not entries:
        raise DataError(f"{url} contains no recording, text or picture that moodal can read.")
    return entries


def entries_of_table(path: Path) -> list[Entry]:
    """Read the recordings that a table or a list names; relative paths start from its folder.

    A table has the column ``path``, and may have ``text``; a list has a path or URL a line.

    Raises:
        DataError: it has no such column, names a file that does not exist, or one file with two
            texts.
    """
    entries: dict[str, Entry] = {}
    for number, (named, text) in enumerate(_rows(path), 1):
        whole = named if is_url(named) else str(path.parent / named)
        if not is_url(named) and not _is_file(whole):
            shown = whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}..."
            hint = "check the path"
            if path.suffix.lower() in LISTS:
                hint += " (this is read as a list of paths; a text goes in a folder or a table)"
            raise DataError(f"{path}, row {number}: there is no file {shown}; {hint}.")
        entry = entry_of(whole, text=text)
        if entries.setdefault(whole, entry) != entry:
            raise DataError(f"{path}, row {number}: {named} has two texts; keep one row.")
    if not entries:
        raise DataError(f"{path} names no recording.")
    return list(entries.values())


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False


def names_recordings(path: Path) -> bool:
    """Return whether a file is a table or a list of recordings, by its ending."""
    return path.suffix.lower() in (*TABLES, *LISTS)


def _rows(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield the path and the text of each row."""
    if path.suffix.lower() in TABLES:
        rows = read_rows(path)
        if not any(COLUMN in row for row in rows):
            raise DataError(f"{path} has no column {COLUMN!r}; name the recordings in one.")
        for number, row in enumerate(rows, 1):
            named = row.get(COLUMN)
            if named is None:
                raise DataError(f"{path}, row {number}: the cell of {COLUMN!r} is empty; fill it.")
            yield named, row.get("text")
        return
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}); save it as UTF-8.") from None
    for line in content.splitlines():
        if line.strip():
            yield line.strip(), None


def blocks_of(entries: Sequence[Entry], workers: int) -> list[list[Entry]]:
    """Divide recordings into blocks of alike size, the largest first, which end last.

    A block has at most `LARGEST_BLOCK` bytes and `MOST_RECORDINGS` recordings, and less where
    each worker would not get `BLOCKS_EACH` of them.
    """
    total = sum(entry.bytes for entry in entries)
    shares = workers * BLOCKS_EACH
    size = min(LARGEST_BLOCK, max(1, total // shares))
    count = min(MOST_RECORDINGS, max(1, len(entries) // shares))
    blocks: list[list[Entry]] = []
    filled = size
    for entry in sorted(entries, key=lambda entry: -entry.bytes):
        if not blocks or filled + entry.bytes > size or len(blocks[-1]) >= count:
            blocks.append([])
            filled = 0
        blocks[-1].append(entry)
        filled += entry.bytes
    return blocks


Fetch = Callable[[str, Path], None]
"""Copies a file that this machine does not see to a path; raises DataError or OSError."""


@contextlib.contextmanager
def on_disk(entries: Sequence[Entry], missing: Fetch) -> Iterator[Iterator[Path | DataError]]:
    """Give an iterator over the paths of recordings on this machine's disk, in order.

    What lies behind a URL, or on another machine's disk, is copied while the one before it is
    read, and is deleted after the next step: two copies at most are on the disk.

    Args:
        entries: the recordings.
        missing: copies a file of the machine that gave the command.
    """
    if all(map(_is_here, entries)):  # nothing is left behind where a recording ends the process
        yield (Path(entry.path) for entry in entries)
        return
    with (
        tempfile.TemporaryDirectory(prefix="moodal-") as folder,
        ThreadPoolExecutor(1) as ahead,
    ):
        yield _paths(entries, Path(folder), ahead, missing)


def _paths(
    entries: Sequence[Entry], folder: Path, ahead: ThreadPoolExecutor, missing: Fetch
) -> Iterator[Path | DataError]:
    coming: Future[Path | DataError] = ahead.submit(_brought, entries[0], folder / "0", missing)
    for i in range(len(entries)):
        path = coming.result()
        if i + 1 < len(entries):
            coming = ahead.submit(_brought, entries[i + 1], folder / str(i + 1), missing)
        yield path
        _remove(folder / str(i))


def _brought(entry: Entry, folder: Path, missing: Fetch) -> Path | DataError:
    """Return the path of a recording, copied to ``folder`` if need be, or why it has none."""
    if _is_here(entry):
        return Path(entry.path)
    target = folder / PurePosixPath(entry.path).name
    try:
        folder.mkdir(parents=True)
        copy = fetch if is_url(entry.path) else missing
        copy(entry.path, target)
        if entry.subtitles:
            copy(entry.subtitles, target.with_suffix(PurePosixPath(entry.subtitles).suffix))
    except DataError as error:
        return error
    except OutputError as error:  # this worker's disk is full, which is no end of the job
        return DataError(str(error))
    except OSError as error:
        return DataError(f"{entry.name} cannot be brought here: {error.strerror or error}.")
    return target


def _is_here(entry: Entry) -> bool:
    """Return whether a recording lies on this machine's disk."""
    return not is_url(entry.path) and lies_here(entry.path, entry.bytes)


def lies_here(path: str, size: int | None) -> bool:
    """Return whether a file of a path and a size in bytes lies on this machine's disk.

    A file of the same path on another machine may be another one.
    """
    try:
        return Path(path).is_file() and Path(path).stat().st_size == size
    except OSError:
        return False


def _remove(folder: Path) -> None:
    for path in folder.glob("*") if folder.exists() else ():
        path.unlink()
