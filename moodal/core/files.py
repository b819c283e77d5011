"""Files: reading within bounds, and atomic writing.

A file that is read is a regular file of a size that can be meant; a file or folder that is written
appears complete, or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from moodal.core.errors import OutputError, writing


def version_of(path: Path | str) -> tuple[int, int, int, int]:
    """Return numbers that change when a file is changed or replaced, without reading it.

    Size, inode, and the times of the last change of its content and of its entry: a file that was
    replaced by one of the same size and time of change differs in the last.
    """
    about = Path(path).stat()
    return about.st_size, about.st_ino, about.st_mtime_ns, about.st_ctime_ns


T = TypeVar("T")

LARGEST_TEXT = 64 << 20
"""Bytes of the largest description, recipe or report that is read as a whole."""


def load_text(path: Path | str, limit: int = LARGEST_TEXT) -> str:
    """Read a UTF-8 text file as a whole.

    Raises:
        OSError: it is missing, a pipe or a device, or larger than ``limit`` bytes.
        UnicodeDecodeError: it is not UTF-8.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError("it is a pipe or a device, not a file")
    with open(path, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"it is larger than {limit >> 20} MiB")
    return content.decode("utf-8")


def load_json(path: Path | str, limit: int = LARGEST_TEXT) -> Any:
    """Read a JSON file.

    Raises:
        OSError: as `load_text`.
        ValueError: it is no JSON, or nested too deep.
    """
    return _parsed(json.loads, path, limit)


def holds_json(path: Path, content: Any) -> bool:
    """Return whether a file holds what would be written of a value; a damaged file does not."""
    try:
        return bool(load_json(path) == json.loads(json.dumps(content)))
    except (OSError, ValueError):
        return False


def save_json(path: Path, content: Any, *, finite: bool = False) -> None:
    """Write a JSON value to a file, which appears whole or not at all.

    Args:
        path: of the file.
        content: the value.
        finite: whether NaN and infinity, which only some readers take for JSON, are refused.

    Raises:
        OutputError: it cannot be written.
        ValueError: ``finite``, and the value holds NaN or infinity.
    """
    text = json.dumps(content, indent=2, allow_nan=not finite)
    with replacing(path) as part:
        part.write_text(f"{text}\n", encoding="utf-8")


def load_toml(path: Path | str, limit: int = LARGEST_TEXT) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        OSError: as `load_text`.
        ValueError: it is no TOML, or nested too deep.
    """
    return _parsed(tomllib.loads, path, limit)


def _parsed(parse: Callable[[str], T], path: Path | str, limit: int) -> T:
    try:
        return parse(load_text(path, limit))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


_LOCKS: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
"""Real path of a folder -> its lock between threads, as long as one holds it or waits for it."""
_LOCKS_LOCK = threading.Lock()


@contextlib.contextmanager
def folder_lock(folder: Path | str) -> Iterator[None]:
    """Let one thread at a time work on the files of a folder, and one process where that can be.

    Processes lock the folder itself, so that no file is left behind. Windows and some network
    disks cannot lock a folder, and a missing folder has no lock; there threads alone are kept
    apart. A thread that holds the lock must not ask for it again.
    """
    key = os.path.realpath(folder)
    with _LOCKS_LOCK:
        lock = _LOCKS.setdefault(key, threading.Lock())
    with lock, contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            number = os.open(key, os.O_RDONLY)
            stack.callback(os.close, number)  # closing it releases the lock
            fcntl.flock(number, fcntl.LOCK_EX)
        yield


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
