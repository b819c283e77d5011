"""What can go wrong, said in one sentence each, with an exit code by kind.

Raise these with a message that names the place (file, row, key) and the cure;
the command line prints the message alone, without a traceback.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


class MoodalError(Exception):
    """A mistake that its maker can mend; ``exit_code`` is the command line's."""

    exit_code = 1


class UsageError(MoodalError):
    """A command, an option or a recipe key that is wrong."""

    exit_code = 2


class DataError(MoodalError):
    """A file whose content is missing, damaged, or not what was announced."""

    exit_code = 3


class AbsentError(DataError):
    """A readable file without the wanted modality, such as a film without sound.

    When a corpus is encoded, this modality of the utterance is absent rather than damaged.
    """


class UnsafeFileError(DataError):
    """A file that would run code if it were read freely; it was not."""

    exit_code = 4


class SpaceError(MoodalError):
    """Emotions that do not fit: an unknown word, a head of other classes."""

    exit_code = 5


class OutputError(MoodalError):
    """Something could not be written: no room, no permission."""

    exit_code = 6


class MissingDependencyError(MoodalError):
    """A package or device that this work needs is not here."""

    exit_code = 7


class MissingStreamError(DataError):
    """A modality that this system cannot do without is absent."""


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals to write into one sentence.

    Raises:
        OutputError: the disk is full, the place is read-only or forbidden.
    """
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: "the disk is full; free some room and run again",
            errno.EDQUOT: "the disk quota is used up; free some room and run again",
            errno.EACCES: "this user may not write there; choose another place",
            errno.EPERM: "this user may not write there; choose another place",
            errno.EROFS: "that disk is read-only; choose another place",
            errno.ENOTDIR: "a part of that path is a file, not a folder",
        }
        # h5py and safetensors wrap a full disk in errors without an errno.
        reason = reasons.get(error.errno or 0, str(error))
        raise OutputError(f"Cannot write {path}: {reason}.") from error
