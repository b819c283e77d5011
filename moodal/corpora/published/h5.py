"""Reading of data sets from an HDF5 file, with checks of their size and type."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, MissingReaderError, UnsafeFileError, installation

_TRUSTED = 64 * 2**20
"""Bytes up to which the size that a data set claims is not checked."""


def read(path: Path, key: str) -> np.ndarray:
    """Read the data set ``key`` of a file: numbers of any shape.

    Raises:
        DataError: the file is missing, damaged or cut short, or has no such data set.
        UnsafeFileError: the data set would be read from another file.
    """
    with opened(path) as file:
        return file.read(key)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[DataSets]:
    """Open a file for several data sets.

    Raises:
        DataError: the file is missing, or damaged, also where that shows later.
        MissingReaderError: the package h5py is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise MissingReaderError(
            f"{path} is an HDF5 file, which needs the package h5py; {installation('features')}."
        ) from None
    if not path.is_file():
        raise DataError(f"{path} is missing; check the folder, or fetch the file again.")
    with _damages(path), h5py.File(path, "r") as file:
        yield DataSets(path, file)


@contextlib.contextmanager
def _damages(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises into one sentence."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} is damaged, cut short or no HDF5 file ({error}); fetch it again."
        ) from None


class DataSets:
    """The groups and data sets of an open HDF5 file, read from this file alone."""

    def __init__(self, path: Path, file: Any):
        self.path = path
        self._file = file

    def names(self, group: str = "/") -> list[str]:
        """Return the names in a group, in the file's order.

        Raises:
            DataError: there is no such group.
            UnsafeFileError: it lies in another file.
        """
        import h5py

        self._require_own(group)
        item = self._file.get(group)
        if not isinstance(item, h5py.Group):
            raise DataError(f"{self.path} has no group {group!r}.")
        if Path(item.file.filename).resolve() != Path(self._file.filename).resolve():
            raise self._foreign(group, "another file")
        names = list(item)
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"the names in {group!r} are no text")
        return names

    def read(self, key: str) -> np.ndarray:
        """Read a data set of numbers, see `moodal.corpora.published.h5.read`."""
        data = self._dataset(key)
        if data.dtype.kind not in "biuf":
            raise DataError(f"{self.path} [{key!r}] holds {data.dtype}, where numbers should be.")
        return np.asarray(data[...])

    def texts(self, key: str) -> list[str]:
        """Read a data set of texts, flattened.

        Raises:
            DataError, UnsafeFileError: as `read`.
        """
        data = self._dataset(key)
        if data.dtype.kind not in "SO":
            raise DataError(f"{self.path} [{key!r}] holds {data.dtype}, where words should be.")
        return [
            x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x)
            for x in np.asarray(data[...]).ravel().tolist()
        ]

    def _dataset(self, key: str) -> Any:
        """Return a data set that lies in this file, of a size that the file can hold."""
        import h5py

        self._require_own(key)
        data = self._file.get(key)
        if not isinstance(data, h5py.Dataset):
            names = ", ".join(repr(name) for name in list(self._file)[:8]) or "nothing"
            raise DataError(f"{self.path} has no data set {key!r}; it holds {names}.")
        if other := _elsewhere(self._file, data):
            raise self._foreign(key, other)
        # Unwritten parts cost nothing on disk: a small file may claim any size.
        if data.nbytes > max(_TRUSTED, 1000 * data.id.get_storage_size()):
            raise DataError(
                f"{self.path} [{key!r}] claims {data.nbytes} bytes and holds "
                f"{data.id.get_storage_size()}; fetch the file again."
            )
        return data

    def _require_own(self, key: str) -> None:
        """Refuse a path on which a link leads to another file, before that file is opened."""
        import h5py

        parts = [part for part in key.split("/") if part]
        for count in range(1, len(parts) + 1):
            link = self._file.get("/".join(parts[:count]), getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise UnsafeFileError(
                    f"{self.path} [{key!r}] is a link to another file; a data set must lie in its "
                    "own file."
                )

    def _foreign(self, key: str, source: str) -> UnsafeFileError:
        return UnsafeFileError(
            f"{self.path} [{key!r}] reads {source}; a data set must lie in its own file."
        )


def _elsewhere(file: Any, data: Any) -> str:
    """Say from where a data set would be read, "" where it lies in the file itself."""
    if Path(data.file.filename).resolve() != Path(file.filename).resolve():
        return "another file"  # a link through a link
    if data.external:
        return "another file's bytes"
    if data.is_virtual:
        return "other data sets"
    return ""
