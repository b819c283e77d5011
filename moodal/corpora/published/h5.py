"""Reading of one data set from an HDF5 file, with checks of its size and type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, UnsafeFileError

_TRUSTED = 64 * 2**20
"""Bytes up to which the size that a data set claims is not checked."""


def read(path: Path, key: str) -> np.ndarray:
    """Read the data set ``key`` of a file: numbers of any shape.

    Raises:
        DataError: the file is missing, damaged or cut short, or has no such data set.
        UnsafeFileError: the data set would be read from another file.
    """
    import h5py

    if not path.is_file():
        raise DataError(f"{path} is missing; check the folder, or fetch the file again.")
    try:
        with h5py.File(path, "r") as file:
            if isinstance(file.get(key, getlink=True), h5py.ExternalLink):
                raise UnsafeFileError(
                    f"{path} [{key!r}] is a link to another file; a data set must lie in its own "
                    "file."
                )
            if not isinstance(file.get(key), h5py.Dataset):
                names = ", ".join(repr(name) for name in list(file)[:8]) or "nothing"
                raise DataError(f"{path} has no data set {key!r}; it holds {names}.")
            data = file[key]
            if other := _elsewhere(file, data):
                raise UnsafeFileError(
                    f"{path} [{key!r}] reads {other}; a data set must lie in its own file."
                )
            if data.dtype.kind not in "biuf":
                raise DataError(f"{path} [{key!r}] holds {data.dtype}, where numbers should be.")
            # Unwritten parts cost nothing on disk: a small file may claim any size.
            if data.nbytes > max(_TRUSTED, 1000 * data.id.get_storage_size()):
                raise DataError(
                    f"{path} [{key!r}] claims {data.nbytes} bytes and holds "
                    f"{data.id.get_storage_size()}; fetch the file again."
                )
            return np.asarray(data[...])
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} is damaged, cut short or no HDF5 file ({error}); fetch it again."
        ) from None


def _elsewhere(file: Any, data: Any) -> str:
    """Say from where a data set would be read, "" where it lies in the file itself."""
    if Path(data.file.filename).resolve() != Path(file.filename).resolve():
        return "another file"  # a link through a link
    if data.external:
        return "another file's bytes"
    if data.is_virtual:
        return "other data sets"
    return ""
