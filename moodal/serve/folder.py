"""DataFolder: the files of a server: one folder for each job, and the database beside them."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from moodal.core.errors import OutputError, UsageError, writing
from moodal.core.files import folder_lock
from moodal.serve.options import FILES

DATABASE = "jobs.sqlite"
TOKEN, LOCK = "token", "lock"
KEPT = (TOKEN, LOCK)
"""The names of what a purge leaves."""


@dataclass
class DataFolder:
    """The folder of a server's data, which no other user may read.

    Attributes:
        path: the folder.
    """

    path: Path
    _lock: IO[bytes] | None = field(default=None, repr=False)

    @property
    def database(self) -> Path:
        """The path of the database."""
        return self.path / DATABASE

    @property
    def uploads(self) -> Path:
        """The folder of uploads that have not ended."""
        return self.path / "uploads"

    @property
    def jobs(self) -> Path:
        """The folder of the jobs' folders."""
        return self.path / "jobs"

    def open(self) -> None:
        """Create the folder and lock it for this process.

        Raises:
            UsageError: another server uses it.
            OutputError: it cannot be written.
        """
        with writing(self.path):
            for folder in (self.path, self.uploads, self.jobs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self._lock = open(self.path / LOCK, "ab")  # noqa: SIM115
        if not _locked(self._lock):
            self._lock.close()
            raise UsageError(
                f"Another server uses {self.path}; stop it, or name another folder by --data."
            )

    def close(self) -> None:
        """Release the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def token(self) -> str:
        """Return the token of programs, which is made once and kept in a file."""
        path = self.path / TOKEN
        with writing(path), contextlib.suppress(FileNotFoundError):
            kept = path.read_text(encoding="ascii", errors="replace").strip()
            if len(kept) >= 32:
                return kept
        token = secrets.token_urlsafe(32)
        with writing(path):
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(number, "w", encoding="ascii") as file:
                file.write(f"{token}\n")
        return token

    def new_upload(self) -> Path:
        """Create a folder for one upload."""
        path = self.uploads / secrets.token_hex(16)
        path.mkdir(mode=0o700)
        return path

    def discard(self, upload: Path) -> None:
        """Delete the folder of an upload that did not become a job."""
        shutil.rmtree(upload, ignore_errors=True)

    def job(self, id: str) -> Path:
        """Return the folder of a job."""
        return self.jobs / id

    def delete_media(self, id: str) -> None:
        """Delete what was uploaded for a job."""
        for name in FILES:
            (self.job(id) / name).unlink(missing_ok=True)

    def delete(self, id: str) -> None:
        """Delete everything of a job that lies in files; who writes a correction ends it first."""
        with folder_lock(self.job(id)):
            shutil.rmtree(self.job(id), ignore_errors=True)

    def tidy(self, ids: Collection[str]) -> None:
        """Delete what is left of uploads and jobs that the database does not know."""
        for path in (*self.uploads.iterdir(), *self.jobs.iterdir()):
            if path.parent == self.uploads or path.name not in ids:
                shutil.rmtree(path, ignore_errors=True)

    def purge(self) -> list[str]:
        """Delete everything but the token of programs; return the names of what was deleted.

        Raises:
            UsageError: a server uses the folder.
            OutputError: something could not be deleted.
        """
        if not self.path.is_dir():
            return []
        self.open()
        try:
            names = sorted(p.name for p in self.path.iterdir() if p.name not in KEPT)
            for name in names:
                path = self.path / name
                with writing(path):
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
            return names
        except FileNotFoundError as error:
            raise OutputError(
                f"Cannot delete {error.filename}: it has changed meanwhile."
            ) from None
        finally:
            self.close()


def _locked(file: IO[bytes]) -> bool:
    """Lock a file for this process; return whether no other process has locked it."""
    try:
        import fcntl
    except ImportError:  # Windows, where the database's own lock is left
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
