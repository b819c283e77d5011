"""ProcessLocal: a native model that each process loads once and its threads share.

The sessions of ONNX Runtime and the models of CTranslate2 own threads. A fork copies their memory
but not these threads, so a child that used or freed its parent's model would wait for them
forever.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")

_lock = threading.RLock()
_holders: WeakSet[ProcessLocal[Any]] = WeakSet()
_forked = False


class ProcessLocal(Generic[T]):
    """A value that is created on first use, once in each process.

    A copy, pickled or not, starts without a value and creates its own.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._value: T | None = None
        self._own_lock = threading.RLock()
        with _lock:
            _holders.add(self)

    def get(self) -> T:
        """Return the value, creating it on the first call; threads share one value."""
        if self._value is None:
            with self._own_lock:
                if self._value is None:
                    self._value = self._make()
        return self._value

    def begin(self) -> None:
        """Begin to create the value in another thread, so that a later `get` waits less.

        An error is raised by `get`, which tries again.
        """
        if self._value is None:
            threading.Thread(target=self._try).start()

    def _try(self) -> None:
        with contextlib.suppress(Exception):
            self.get()

    def __reduce__(self) -> tuple[type[ProcessLocal[T]], tuple[Callable[[], T]]]:
        return type(self), (self._make,)

    def _abandon(self) -> None:
        """Forget the parent's value without freeing it, which would wait for its threads."""
        self._own_lock = threading.RLock()  # a thread of the parent may hold the other one
        if self._value is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._value))
            self._value = None


def forked() -> bool:
    """Return whether this process is the fork of one that had imported moodal."""
    return _forked


def _begin_child() -> None:
    """Replace the locks in a forked child, and clear the values of its parent."""
    global _lock, _forked
    _lock, _forked = threading.RLock(), True
    for holder in list(_holders):
        holder._abandon()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_child)
