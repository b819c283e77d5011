"""Safe reading of pickles from others, without running code in them.

A pickle can name any function of the program that reads it and have it called. Here nothing is
called: see `moodal.corpora.unpickle.machine` for the method, and `moodal.corpora.unpickle.names`
for the names that are supported. torch is not needed; tensors are returned as numpy arrays.
"""

from __future__ import annotations

import mmap
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, UnsafeFileError
from moodal.corpora.unpickle import torch_files
from moodal.corpora.unpickle.inert import Budget, Refused
from moodal.corpora.unpickle.names import Record

__all__ = ["Record", "load", "load_state"]

_DAMAGE = (
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError),
    *(EOFError, OSError, RuntimeError, MemoryError, zipfile.BadZipFile),
)
"""Errors of numpy, zipfile and pickletools on damaged bytes; no code of the file was run."""


class _Map(mmap.mmap):
    """The bytes of a file, so that a damaged count never allocates memory beyond them."""

    def seekable(self) -> bool:  # zipfile asks
        return True


def load(path: Path | str) -> Any:
    """Read a pickle or a ``torch.save`` file as plain Python objects and numpy arrays.

    It may hold numpy arrays (of Python 2 too: its byte strings become latin-1 text), torch tensors
    and parameters (bfloat16 becomes float32), dicts, lists, tuples, sets, numbers and text; objects
    of the authors' data set classes become a `Record`. Arrays are read-only views of the file's
    bytes.

    Raises:
        UnsafeFileError: the file names anything else; nothing was run.
        DataError: the file is missing, damaged, or of another kind.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes and casts in damaged files
            size = path.stat().st_size
            if not size:
                raise DataError(f"{path} is empty; fetch or copy it again.")
            with _Map(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return torch_files.read(view, Budget(size))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; check the folder's name.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except Refused as refusal:
        raise UnsafeFileError(
            f"{path} {refusal.what}: it could run foreign code, so it was not read and nothing "
            "in it was run. If the file is your own, save its arrays alone (numpy.savez, h5py or "
            "safetensors)."
        ) from None
    except RecursionError:
        raise DataError(f"{path} is nested too deeply to be data; get another copy.") from None
    except _DAMAGE as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DataError(
            f"{path} is damaged or no pickle: {reason}. Fetch or copy it again."
        ) from None


def load_state(path: Path | str) -> dict[str, np.ndarray]:
    """Read the weights of a checkpoint: parameter name -> array.

    The file is a plain pickle of a state dict, or written by ``torch.save``; the dict may be the
    entry "state_dict" of a larger one.

    Raises:
        UnsafeFileError, DataError: as `load`; or the file holds no state dict.
    """
    state = load(path)
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not state:
        what = "an empty dict" if state == {} else f"a {type(state).__name__}"
        raise DataError(f"{path} holds {what}, not a checkpoint's dict of weights.")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray):
            raise DataError(
                f"{path} holds a {type(value).__name__} under {str(name)!r}, where a checkpoint "
                "has an array; give the file with the weights alone."
            )
    return state
