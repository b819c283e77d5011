"""Places: folders on a disk or behind a URL, such as ``s3://bucket/answers``, through fsspec."""

from __future__ import annotations

import contextlib
import datetime
import errno
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from moodal.core.errors import (
    DataError,
    MissingDependencyError,
    MoodalError,
    OutputError,
    UsageError,
    installation,
    writing,
)
from moodal.core.files import replacing

PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "az"), "adlfs"),
}
"""Protocol of a URL -> the package that reads and writes there."""

PROTOCOLS = ("file", "memory", *PACKAGES)
"""Protocols of URLs that are read and written."""

MANIFEST = "manifest.json"
COPYING = "_copying.txt"
"""The name of the file that lies in a folder while a prepared corpus is copied there."""


def is_url(path: Path | str) -> bool:
    """Return whether a path is a URL, such as ``s3://bucket/call.wav``.

    >>> is_url("gs://bucket/calls"), is_url("calls/call.wav"), is_url("C:/calls")
    (True, False, False)
    """
    return "://" in str(path)


@dataclass(frozen=True)
class Listed:
    """A file of a place: its path or URL, and its size in bytes."""

    path: str
    bytes: int


class Place:
    """A folder in which files are written whole or not at all.

    Args:
        path: the folder, or its URL; one that is missing is made by the first file.

    Raises:
        UsageError: the URL's protocol is unknown.
        MissingDependencyError: it needs a package that is not installed.
    """

    def __init__(self, path: Path | str):
        self.path = str(path)
        self._fs, self._root = _opened(self.path)
        self._local = Path(self._root) if "file" in _protocols(self._fs) else None

    def __str__(self) -> str:
        return self.path

    def names(self) -> list[str]:
        """Return the names of the files in the folder itself, sorted; none if it is missing.

        Raises:
            DataError: it cannot be listed.
        """
        with _reading(self.path):
            try:
                paths = self._fs.ls(self._root, detail=True, refresh=True)
            except FileNotFoundError:
                return []
        return sorted(PurePosixPath(p["name"]).name for p in paths if p["type"] == "file")

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file of the folder, in which positions can be sought.

        Raises:
            FileNotFoundError: there is none.
            DataError: it cannot be read.
        """
        with _reading(self.of(name)), self._fs.open(self._path(name), "rb") as file:
            yield file

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none.

        Raises:
            DataError: it cannot be read.
        """
        try:
            with self.opened(name) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole; one of this name is replaced.

        Raises:
            OutputError: it cannot be written; nothing half-written stays.
        """
        if self._local is not None:
            with replacing(self._local / name) as part:
                part.write_bytes(content)
            return
        with _writing(self.of(name)):  # an object appears when it is complete
            self._fs.pipe_file(self._path(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one of this name; return whether it was written.

        Two that try at once are both refused by a disk, and by stores that know conditional writes.

        Raises:
            OutputError: it cannot be written.
        """
        with _writing(self.of(name)):
            if self._local is not None:
                self._local.mkdir(parents=True, exist_ok=True)
            elif self._fs.exists(self._path(name)):
                return False
            try:
                with self._fs.open(self._path(name), "xb") as file:
                    file.write(content)
            except FileExistsError:
                return False
            except (NotImplementedError, ValueError):  # this store knows no such mode
                self._fs.pipe_file(self._path(name), content)
        return True

    def age(self, name: str) -> float:
        """Return the seconds since a file was written; infinity where nobody knows.

        Raises:
            DataError: it cannot be reached.
        """
        with _reading(self.of(name)):
            try:
                written = self._fs.modified(self._path(name))
            except (FileNotFoundError, NotImplementedError, KeyError):
                return math.inf
        if written.tzinfo is None:
            written = written.replace(tzinfo=datetime.UTC)
        return (datetime.datetime.now(datetime.UTC) - written).total_seconds()

    def delete(self, name: str) -> None:
        """Delete a file, if there is one.

        Raises:
            OutputError: it cannot be deleted.
        """
        with _writing(self.of(name)), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    def of(self, name: str) -> str:
        """Return the path or the URL of a file of the folder."""
        return f"{self.path.rstrip('/')}/{name}"

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def listed(url: str) -> list[Listed]:
    """List the files below a URL, sorted, without hidden ones; of a file, itself.

    Raises:
        DataError: there is nothing, or it cannot be read.
    """
    fs, root = _opened(url)
    with _reading(url):
        files: dict[str, Any] = fs.find(root, detail=True)
    if not files:
        raise DataError(f"There is nothing at {url}; check the address.")
    scheme = url.partition("://")[0]
    shown = []
    for path, about in sorted(files.items()):
        inner = PurePosixPath(path).parts[len(PurePosixPath(root).parts) :]
        if not any(part.startswith(".") for part in inner):
            # paths of a disk begin with a slash, which is theirs
            name = path if "file" in _protocols(fs) else path.lstrip("/")
            shown.append(Listed(f"{scheme}://{name}", about["size"]))
    return shown


def fetch(url: str, target: Path) -> None:
    """Copy a file behind a URL to a disk.

    Raises:
        DataError: it is not there, or cannot be read.
        OutputError: it cannot be written.
    """
    fs, path = _opened(url)
    with _reading(url):
        try:
            source = fs.open(path, "rb")
        except FileNotFoundError:
            raise DataError(f"There is nothing at {url}; check the address.") from None
        with source, writing(target), open(target, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)


def put_folder(folder: Path, target: str) -> None:
    """Copy a folder to a URL; its ``manifest.json`` comes last, so that it is complete with it.

    An older manifest goes first. The file `COPYING` lies there as long as the copy is not whole.

    Raises:
        OutputError: it cannot be written.
    """
    place = Place(target)
    place.put(COPYING, b"moodal copies a prepared corpus here; give its command again.\n")
    place.delete(MANIFEST)
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    for path in sorted(paths, key=lambda p: p.name == MANIFEST):
        place.put(path.relative_to(folder).as_posix(), path.read_bytes())
    place.delete(COPYING)


def _opened(path: str) -> tuple[Any, str]:
    """Return the file system of a path or URL, and the path in it.

    Raises:
        UsageError: the URL's protocol is unknown.
        MissingDependencyError: it needs a package that is not installed.
    """
    try:
        import fsspec.core
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"{path} needs the package fsspec; {installation('ray')}."
        ) from None
    scheme = path.partition("://")[0] if is_url(path) else "file"
    if scheme not in PROTOCOLS:
        known = ", ".join(f"{protocol}://" for protocol in PROTOCOLS)
        raise UsageError(f"{path} is no URL that moodal reads and writes, which are {known}.")
    try:
        fs, root = fsspec.core.url_to_fs(path if is_url(path) else os.path.abspath(path))  # noqa: PTH100
    except ImportError:
        package = PACKAGES.get(scheme, "of fsspec for it")
        raise MissingDependencyError(
            f"{path} needs the package {package}: pip install {package}."
        ) from None
    except ValueError as error:
        raise UsageError(f"{path} is no place that fsspec knows ({error}).") from None
    except Exception as error:  # of a store's own library, such as missing credentials
        raise DataError(f"{path} cannot be reached: {_reason(error)}.") from None
    return fs, str(root)


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    """Turn errors of a store while reading into one sentence; a missing file passes."""
    try:
        yield
    except (FileNotFoundError, DataError, OutputError):
        raise
    except Exception as error:  # stores raise errors of their own libraries
        raise DataError(f"{path} cannot be read: {_reason(error)}.") from None


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    """Turn errors of a store while writing into one sentence."""
    with writing(path):
        try:
            yield
        except PermissionError as error:  # stores give no number
            raise OSError(errno.EACCES, str(error)) from None
        except (OSError, MoodalError):
            raise
        except Exception as error:  # stores raise errors of their own libraries
            raise OutputError(f"Cannot write {path}: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    """Return the first line of an error; stores explain at length."""
    if isinstance(error, PermissionError):
        return "this user has no right to it; choose another place, or ask its owner"
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
