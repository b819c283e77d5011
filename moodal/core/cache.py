"""A user's cache: what is costly to unpack is unpacked once and kept in a file.

The folder is ``$XDG_CACHE_HOME/moodal``, or ``~/.cache/moodal``. Nothing in it is needed: it may be
deleted at any time, and where it cannot be written, moodal does without it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from moodal.core.errors import OutputError
from moodal.core.files import replacing
from moodal.core.tensors import mapped_tensors

Arrays = Mapping[str, np.ndarray]


def cache_folder() -> Path:
    """Return the folder of the user's cache, which need not exist."""
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "moodal"


def cached(name: str, source: Path, unpack: Callable[[], Arrays]) -> Arrays:
    """Return arrays that were unpacked from a file, from the cache where they are there.

    Those of the cache are mapped into memory, so that only what is used of them is read; the
    layout of their file is checked, its content is not read for it.

    Args:
        name: of the kind of arrays, for the cache's file; with the version of what makes them.
        source: the file from which they come; another size or time of change makes them new.
        unpack: reads the source into arrays of numbers.
    """
    about = source.stat()
    try:
        path = cache_folder() / f"{name}-{about.st_size:x}-{about.st_mtime_ns:x}.safetensors"
    except RuntimeError:  # there is no home
        return unpack()
    # damaged in any way: as if it were not there
    with contextlib.suppress(OSError, ValueError):
        return mapped_tensors(path)
    arrays = unpack()
    _keep(path, name, arrays)
    return arrays


def _keep(path: Path, name: str, arrays: Arrays) -> None:
    """Write arrays to the cache in place of older ones, if it can be written."""
    from safetensors.numpy import save_file

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as part:
            save_file({key: np.ascontiguousarray(values) for key, values in arrays.items()}, part)
        for old in path.parent.glob(f"{name.partition('-')[0]}-*"):
            if old != path:
                old.unlink(missing_ok=True)
    except (OSError, OutputError):
        pass
