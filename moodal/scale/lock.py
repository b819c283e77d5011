"""The lock of a folder, on a disk or behind a URL, that one command at a time writes to."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from moodal.core.errors import DataError, OutputError
from moodal.scale.places import Place

LOCK = "_lock.json"
"""The name of the file that locks a folder."""
BEAT = 15.0
"""Seconds between two signs of life of the command that writes."""
SILENCE = 90.0
"""Seconds without one after which a command counts as dead."""


class Lock:
    """A file that says which command writes to a folder; use it as a context.

    The command signs it every `BEAT` seconds. A lock without a sign for `SILENCE` seconds, or of a
    process of this machine that has ended, is taken over; so is one that says nothing, `SILENCE`
    seconds after it was written.
    """

    def __init__(self, place: Place):
        self.place = place
        self.token = secrets.token_hex(8)
        self._ended = threading.Event()

    def __enter__(self) -> Lock:
        """Lock the folder.

        Raises:
            OutputError: another command writes to it, or it cannot be written.
        """
        if not self._taken():
            holder = _holder(self.place.read(LOCK))
            young = not holder and self.place.age(LOCK) <= SILENCE  # it is being written
            if young or not _is_dead(holder):
                raise OutputError(self._occupied(holder))
            self.place.delete(LOCK)
            if not self._taken():
                raise OutputError(self._occupied(_holder(self.place.read(LOCK))))
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._is_ours():
            self.place.delete(LOCK)

    def require(self) -> None:
        """Check that the folder is still this command's.

        Raises:
            OutputError: another command has taken it over.
        """
        if not self._is_ours():
            raise OutputError(
                f"{self.place} was taken over by another command, since this one gave no sign of "
                f"life for {SILENCE:.0f} s; its answers are kept."
            )

    def _taken(self) -> bool:
        """Write the lock where there is none; return whether it is this command's."""
        return self.place.create(LOCK, self._sign()) and self._is_ours()

    def _is_ours(self) -> bool:
        return _holder(self.place.read(LOCK)).get("token") == self.token

    def _occupied(self, holder: Mapping[str, Any]) -> str:
        if not holder:
            return (
                f"{self.place} is being written by another command, which has just begun: wait for "
                f"it, or name another --out; if it is dead, try again in {SILENCE:.0f} s."
            )
        silent = max(0.0, time.time() - float(holder.get("beat", 0.0)))
        return (
            f"{self.place} is being written by another command (process {holder.get('pid')} on "
            f"{holder.get('host')}, its last sign of life {silent:.0f} s ago): wait for it, or "
            f"name another --out; if it is dead, try again in {SILENCE:.0f} s."
        )

    def _sign(self) -> bytes:
        holder = {"token": self.token, "pid": os.getpid(), "host": socket.gethostname()}
        return json.dumps({**holder, "beat": time.time()}).encode()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with contextlib.suppress(OutputError, DataError):  # the next answer says so
                if self._is_ours():
                    self.place.put(LOCK, self._sign())


def _holder(content: bytes | None) -> dict[str, Any]:
    """Return what a lock says; a damaged or a vanished one says nothing."""
    try:
        holder = json.loads(content or b"")
        return {**holder, "beat": float(holder["beat"])}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}


def _is_dead(holder: Mapping[str, Any]) -> bool:
    """Return whether the command of a lock has ended without taking it away."""
    if time.time() - float(holder.get("beat", 0.0)) > SILENCE:
        return True
    if holder.get("host") != socket.gethostname() or os.name == "nt":
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except PermissionError:  # another user's
        return False
    except (OSError, OverflowError, ValueError, TypeError):
        return True
    return False
