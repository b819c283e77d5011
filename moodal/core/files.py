"""Atomic writing: a file or folder appears complete, or not at all."""

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
    """Give a temporary path with the same ending, which replaces ``path`` at the end.

    Parent folders are created. After an error ``path`` is unchanged. Processes that write one
    path at the same time use different temporary names; the last one to finish wins.

    Raises:
        OutputError: the disk is full, or the path cannot be written.
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
    """Give a temporary folder, which replaces ``folder`` at the end.

    The old folder is moved aside first and deleted last, so it is lost only when the new one is
    in place; if that fails, the old one is moved back.

    Args:
        folder: the folder to write.
        marker: a file that only such folders contain; a folder without it is not replaced.

    Raises:
        OutputError: ``folder`` contains something else, or cannot be written.
    """
    folder = Path(folder)
    with writing(folder):
        if folder.exists() and not (folder / marker).exists() and any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty and has no {marker}; choose another folder.")
        target = folder.resolve()  # a link remains a link
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            yield part
            part.chmod(0o755)  # mkdtemp hides it from others
            _replace_folder(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _replace_folder(part: Path, folder: Path) -> None:
    """Rename ``part`` to ``folder``; an existing folder is deleted if that succeeds."""
    if not folder.exists():
        os.replace(part, folder)
        return
    old = part.with_name(f"{part.name}-old")
    os.replace(folder, old)
    try:
        os.replace(part, folder)
    except OSError:
        os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
