"""Writing in one piece: a file or folder is there whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from moodal.core.errors import OutputError, writing


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary name beside ``path``, of the same ending, that takes its place in the end.

    Folders on the way are made. When anything goes wrong, ``path`` is as it was. Processes
    that write one path at once have names of their own; the last to end wins.

    Raises:
        OutputError: the disk is full, or the place may not be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(folder: Path | str, marker: str) -> Iterator[Path]:
    """A temporary folder that takes the place of ``folder`` in the end.

    What was there is moved aside before and deleted after, so it is lost only once the
    new folder stands; where that cannot be, it is moved back.

    Args:
        marker: a file that only such folders have; a folder without it is not replaced.

    Raises:
        OutputError: ``folder`` holds something else, or cannot be written.
    """
    folder = Path(folder)
    with writing(folder):
        if folder.exists() and not (folder / marker).exists() and any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty and has no {marker}; choose another folder.")
        place = folder.resolve()  # a link stays one
        place.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            yield part
            part.chmod(0o755)  # mkdtemp hides it from others
            _take_place(part, place)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _take_place(part: Path, folder: Path) -> None:
    if not folder.exists():
        os.replace(part, folder)
        return
    aside = part.with_name(f"{part.name}-old")
    os.replace(folder, aside)
    try:
        os.replace(part, folder)
    except OSError:
        os.replace(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
