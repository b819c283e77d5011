"""The errors of moodal, each with one sentence for the user and an exit code of its kind.

Raise these with a message that names the place (file, row, key) and the cure;
the command line prints the message alone, without a traceback.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path


class MoodalError(Exception):
    """An error that the user can correct; the command line ends with ``exit_code``."""

    exit_code = 1


class UsageError(MoodalError):
    """A command, an option or a recipe key that is wrong."""

    exit_code = 2


class DataError(MoodalError):
    """A file that is missing or damaged, or whose content is not of the expected kind."""

    exit_code = 3


class AbsentError(DataError):
    """A readable file without the requested modality, such as a video without sound.

    When a corpus is encoded, this modality of the utterance is absent rather than damaged.
    """


class UnsafeFileError(DataError):
    """A file that would run code when loaded normally; it was not loaded."""

    exit_code = 4


class SpaceError(MoodalError):
    """Emotions that do not fit, such as an unknown word or a head with other classes."""

    exit_code = 5


class OutputError(MoodalError):
    """A file that cannot be written, for example for lack of space or permission."""

    exit_code = 6


class MissingDependencyError(MoodalError):
    """A package or device that is needed but not available."""

    exit_code = 7


class MissingReaderError(DataError, MissingDependencyError):
    """A file that needs a package which is not installed; others can be read without it."""

    exit_code = MissingDependencyError.exit_code


class LeftOutError(MoodalError):
    """Something was left out, and the user asked that nothing is (``--strict``).

    Attributes:
        answer: what the command answers nevertheless, a JSON object.
    """

    exit_code = 8

    def __init__(self, message: str, answer: object = None):
        super().__init__(message)
        self.answer = answer


def installation(extra: str) -> str:
    """Say how to install an extra of moodal: from a clone, as moodal is not on PyPI yet.

    >>> installation("asr")
    "`pip install '.[asr]'` in the clone of moodal brings it"
    """
    return f"`pip install '.[{extra}]'` in the clone of moodal brings it"


class MissingStreamError(DataError):
    """A modality that the system requires is absent."""


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn errors of the operating system while writing into one sentence.

    Raises:
        OutputError: the disk is full, or the path is read-only or not permitted.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_full(path, error):
            raise
        reasons = {
            errno.ENOSPC: FULL,
            errno.EDQUOT: "the disk quota is used up; free some room and run again",
            errno.EACCES: "this user may not write there; choose another place",
            errno.EPERM: "this user may not write there; choose another place",
            errno.EROFS: "that disk is read-only; choose another place",
            errno.ENOTDIR: "a part of that path is a file, not a folder",
        }
        number = error.errno if isinstance(error, OSError) else None
        full = not number and _is_full(path, error)  # h5py and others give no number
        reason = FULL if full else reasons.get(number or 0, str(error))
        raise OutputError(f"Cannot write {path}: {reason}.") from error


FULL = "the disk is full; free some room and run again"


def _is_full(path: Path | str, error: Exception) -> bool:
    """Return whether a full disk caused an error, which h5py, PyTorch and others disguise."""
    if "No space left" in str(error):
        return True
    folder = next((p for p in (Path(path), *Path(path).parents) if p.is_dir()), Path())
    return shutil.disk_usage(folder).free < LITTLE


LITTLE = 1 << 20
"""Bytes: with less free room, a disk counts as full."""
